"""Strings that can be stored: whatever UTF-8 can hold, so no lone surrogates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests.many import pieces
from chroma_plugin.wording import shown


def storable(texts: Iterable[str]) -> bool:
    """Whether all of them can be written as UTF-8; one look at all of them together."""
    joined = "".join(texts)
    if joined.isascii():
        return True
    try:
        joined.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def refuse_unstorable(texts: Sequence[str | None], what: str) -> None:
    """Raise InvalidArgumentError naming the first text that holds a lone surrogate."""
    if all(storable([text for text in some if text is not None]) for some in pieces(texts)):
        return
    row = next(row for row, text in enumerate(texts) if text is not None and not storable((text,)))
    raise InvalidArgumentError(
        f"{what}[{row}] holds a lone surrogate, which can't be stored as UTF-8: {shown(texts[row])}. "
        f"Repair it, for instance with text.encode('utf-8', 'replace').decode()."
    )
