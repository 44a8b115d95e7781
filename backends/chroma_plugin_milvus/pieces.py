"""Texts of any length in Milvus, whose strings end at 65,535 bytes.

A record's texts stand in fields of their own as far as they fit. What goes beyond, and what few records have, is one
JSON text in the field ``rest``: an array of pieces, or None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

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


def cut(
    texts: Mapping[str, Sequence[str | None]], others: Mapping[str, Sequence[str | None]]
) -> dict[str, Sequence[Any]]:
    """The columns that hold these columns of texts, and those ``others``, which have no column of their own.

    Raises InvalidArgumentError for a record with too much text.
    """
    beyond: dict[int, dict[str, str]] = defaultdict(dict)
    for name, column in others.items():
        for row, text in enumerate(column):
            if text is not None:
                beyond[row][name] = text
    for name, column in texts.items():
        for row, text in enumerate(column):
            if text is not None and len(text) > PIECE:
                beyond[row][name] = text[PIECE:]
    rests: list[list[str] | None] = [None] * len(next(iter(texts.values())))
    for row, rest in beyond.items():
        rests[row] = split(orjson.dumps(rest).decode(), "A record")
    cut = {name: [text if text is None else text[:PIECE] for text in column] for name, column in texts.items()}
    return {**cut, "rest": rests}


def goes_on(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bool:
    """Whether a text of these rows may go on in ``rest``."""
    return any(len(row[name] or "") >= PIECE for name in names for row in rows)


def whole(rows: Sequence[Mapping[str, Any]], name: str) -> list[str | None]:
    """The texts of this name again, of rows whose ``rest`` was read if it is needed."""
    return [row[name] + (other(row, name) or "") if row[name] else row[name] for row in rows]


def other(row: Mapping[str, Any], name: str) -> str | None:
    """What stands under this name in ``rest``, if that was read."""
    rest = row.get("rest")
    text: str | None = orjson.loads("".join(rest)).get(name) if rest else None
    return text
