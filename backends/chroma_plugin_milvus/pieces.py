"""Texts of any length in Milvus, whose strings end at 65,535 bytes: an array of pieces; the empty array is None."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chroma_plugin.errors import InvalidArgumentError

PIECE: Final = 16_000
"""Characters, of four bytes at most."""
PIECE_BYTES: Final = 65_535
MOST: Final = 4096
"""An array of Milvus holds so many elements."""


def split(text: str | None, what: str) -> list[str]:
    """The pieces of a text. Raises InvalidArgumentError when it is longer than all of them together."""
    if text is None:
        return []
    if len(text) > PIECE * MOST:
        raise InvalidArgumentError(f"{what} has {len(text):,} characters; Milvus takes {PIECE * MOST:,}. Split it.")
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [""]


def join(pieces: Sequence[str] | None) -> str | None:
    """The text of these pieces."""
    return "".join(pieces) if pieces else None
