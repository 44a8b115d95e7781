"""Texts of any length in Milvus, whose strings end at 65,535 bytes.

A record's texts stand in fields of their own as far as they fit. What goes beyond, of all of them, is one JSON text in
the field ``rest``: an array of pieces, or None.
"""

from __future__ import annotations

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


def cut(texts: Mapping[str, Sequence[str | None]]) -> dict[str, Sequence[Any]]:
    """The columns that hold these columns of texts. Raises InvalidArgumentError for a record with too much text."""
    rests: list[list[str] | None] = [None] * len(next(iter(texts.values())))
    cut = {name: [text if text is None else text[:PIECE] for text in column] for name, column in texts.items()}
    for row, record in enumerate(zip(*texts.values(), strict=True)):
        long = {name: text[PIECE:] for name, text in zip(texts, record, strict=True) if text and len(text) > PIECE}
        if long:
            rests[row] = split(orjson.dumps(long).decode(), "A record")
    return {**cut, "rest": rests}


def goes_on(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bool:
    """Whether a text of these rows may go on in ``rest``."""
    return any(len(row[name] or "") >= PIECE for name in names for row in rows)


def whole(rows: Sequence[Mapping[str, Any]], name: str) -> list[str | None]:
    """The texts of this name again, of rows whose ``rest`` was read if it is needed."""
    return [row[name] + _rest(row, name) if row.get("rest") and row[name] else row[name] for row in rows]


def _rest(row: Mapping[str, Any], name: str) -> str:
    return str(orjson.loads(join(row["rest"]) or "{}").get(name, ""))
