"""What a statement returned, as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from chroma_plugin.types import Field, Records
from chroma_plugin_pgvector import statements
from chroma_plugin_pgvector.database import Row
from chroma_plugin_pgvector.encoding import vectors_in
from chroma_plugin_pgvector.escaping import unescaped


def records_of(rows: Sequence[Row], fields: frozenset[Field], dimension: int | None) -> Records:
    """Rows that begin with the columns of `chroma_plugin_pgvector.statements.wanted`."""
    names = statements.wanted(fields)
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    read: dict[Field, Any] = {
        statements.field_of(name): _read(name, column, dimension)
        for name, column in zip(names[1:], columns[1:], strict=False)
    }
    return Records(ids=[unescaped(id) for id in columns[0]], **read)


def _read(name: str, column: Sequence[Any], dimension: int | None) -> Any:
    if name == "embedding":
        return vectors_in(column) if column else np.zeros((0, dimension or 0), dtype=np.float32)
    if name == "metadata":
        return [None if text is None else orjson.loads(text) for text in column]
    return [None if text is None else unescaped(text) for text in column]
