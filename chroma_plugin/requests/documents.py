"""Documents, URIs, query texts and images: columns of things that stand beside the ids."""

from __future__ import annotations

from typing import Any

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests.many import as_list, not_empty
from chroma_plugin.requests.shown import kind
from chroma_plugin.requests.texts import refuse_unstorable


def text_column(value: Any, what: str) -> list[str | None] | None:
    """One text or a list of texts and Nones; None when the argument is left out."""
    if value is None:
        return None
    texts = [value] if isinstance(value, str) else not_empty(as_list(value, what, "a str"), what)
    if set(map(type, texts)) - {str, type(None)}:
        texts = [_text(row, text, what) for row, text in enumerate(texts)]
    refuse_unstorable(texts, what)
    return texts


def query_texts(value: Any, what: str) -> list[str] | None:
    """One text or a list of texts, none of them None."""
    texts = text_column(value, what)
    if texts is None:
        return None
    if None in texts:
        raise InvalidArgumentError(f"{what}[{texts.index(None)}] is None; a query needs a text.")
    return [text for text in texts if text is not None]


def image_column(value: Any, what: str) -> list[Any] | None:
    """One image or a list of images, whatever the embedding function takes for one; an array is one image."""
    if value is None:
        return None
    return not_empty(list(value), what) if isinstance(value, (list, tuple)) else [value]


def _text(row: int, value: Any, what: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{what}[{row}] must be a str or None, not {kind(value)}.")
    return str.__str__(value)
