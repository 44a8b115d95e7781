"""``?limit=&offset=``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests import paging
from chroma_plugin.wording import shown

_T = TypeVar("_T")


def page(items: Sequence[_T], query: Mapping[str, str]) -> Sequence[_T]:
    """The part that the query string asks for. Raises InvalidArgumentError for what is no number, or negative."""
    return paging.page(items, _number(query, "limit"), _number(query, "offset"))


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    # int() would take more: blanks, underscores, other scripts, and a very long time.
    if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()) or len(text) > 20:
        raise InvalidArgumentError(f"{name} must be an integer, not {shown(text)}.")
    return int(text)
