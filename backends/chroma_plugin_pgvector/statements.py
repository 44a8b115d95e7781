"""The SQL of one collection: constant text around the name of its table, values always as parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chroma_plugin.types import Field
from chroma_plugin_pgvector.binary import Binary, array
from chroma_plugin_pgvector.encoding import Columns

_TYPES: Final = {
    "id": "text",
    "long_id": "text",
    "embedding": "vector",
    "document": "text",
    "metadata": "text",
    "fields": "jsonb",
    "uri": "text",
    "terms": "jsonb",
    "length": "int",
}
"""The columns of a table that are written."""
_NUMBERS: Final = {"text": 25, "jsonb": 3802, "int": 23}
"""Of these types, in every PostgreSQL."""
KEY: Final = ("id", "long_id")
ID: Final = "coalesce(long_id, id)"
"""The id as it was given; the column is what it is found by."""
_COLUMN_OF: Final[dict[Field, str]] = {
    "embeddings": "embedding",
    "documents": "document",
    "metadatas": "metadata",
    "uris": "uri",
}


def put(table: str, columns: Columns) -> str:
    """Insert, or replace whole; a replaced record keeps its ``seq``."""
    changes = ", ".join(f"{name} = excluded.{name}" for name in _TYPES if name not in KEY)
    return f"{_insert(table, columns)} ON CONFLICT (id) DO UPDATE SET {changes}"


def insert(table: str, columns: Columns) -> str:
    """Insert what is not known, and return the ids of that."""
    return f"{_insert(table, columns)} ON CONFLICT (id) DO NOTHING RETURNING id"


def update(table: str, columns: Columns) -> str:
    changes = ", ".join(f"{name} = given.{name}" for name in columns if name not in KEY)
    return f"UPDATE {table} AS record SET {changes} FROM {_given(columns)} WHERE record.id = given.id"


def copy(table: str, names: Sequence[str]) -> str:
    return f"COPY {table} ({', '.join(names)}) FROM STDIN (FORMAT BINARY)"


def parameters(columns: Columns, vector_type: int) -> list[Binary]:
    """Of `put`, `insert` and `update`."""
    return [array(values, _NUMBERS.get(_TYPES[name], vector_type)) for name, values in columns.items()]


def texts(values: Sequence[str]) -> Binary:
    """A parameter of the type text[]: quicker than what psycopg makes of a list."""
    return array([value.encode() for value in values], _NUMBERS["text"])


def wanted(fields: frozenset[Field]) -> list[str]:
    """The columns to read for these fields; the id is always the first."""
    return [ID, *(column for field, column in _COLUMN_OF.items() if field in fields)]


def field_of(column: str) -> Field:
    """The field that a column is read for."""
    return next(field for field, name in _COLUMN_OF.items() if name == column)


def _insert(table: str, columns: Columns) -> str:
    names = ", ".join(columns)
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM {_given(columns)} ORDER BY place"


def _given(columns: Columns) -> str:
    types = ", ".join(f"%s::{_TYPES[name]}[]" for name in columns)
    return f"unnest({types}) WITH ORDINALITY AS given({', '.join(columns)}, place)"
