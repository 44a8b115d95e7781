"""The SQL of one collection: constant text around the name of its table, values always as parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, TypeAlias

from chroma_plugin.types import Field
from chroma_plugin_pgvector.binary import Binary, array
from chroma_plugin_pgvector.encoding import Columns

Parameter: TypeAlias = Binary | None
Statement: TypeAlias = tuple[str, list[Parameter]]
"""SQL and its parameters."""

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


def put(table: str, columns: Columns, vector_type: int) -> Statement:
    """Insert, or replace whole; a replaced record keeps its ``seq``."""
    changes = ", ".join(f"{name} = excluded.{name}" for name in _TYPES if name not in KEY)
    sql, parameters = _insert(table, columns, vector_type)
    return f"{sql} ON CONFLICT (id) DO UPDATE SET {changes}", parameters


def insert(table: str, columns: Columns, vector_type: int) -> Statement:
    """Insert what is not known, and return the ids of that."""
    sql, parameters = _insert(table, columns, vector_type)
    return f"{sql} ON CONFLICT (id) DO NOTHING RETURNING id", parameters


def update(table: str, columns: Columns, vector_type: int) -> Statement:
    changes = ", ".join(f"{name} = given.{name}" for name in columns if name not in KEY)
    sql = f"UPDATE {table} AS record SET {changes} FROM {_given(columns)} WHERE record.id = given.id"
    return sql, _arrays(columns, vector_type)


def copy(table: str, names: Sequence[str]) -> str:
    return f"COPY {table} ({', '.join(names)}) FROM STDIN (FORMAT BINARY)"


def texts(values: Sequence[str]) -> Binary:
    """A parameter of the type text[]: quicker than what psycopg makes of a list."""
    return array([value.encode() for value in values], _NUMBERS["text"])


@cache
def wanted(fields: frozenset[Field]) -> Sequence[str]:
    """The columns to read for these fields; the id is always the first."""
    return (ID, *(column for field, column in _COLUMN_OF.items() if field in fields))


@cache
def field_of(column: str) -> Field:
    """The field that a column is read for."""
    return next(field for field, name in _COLUMN_OF.items() if name == column)


def _insert(table: str, columns: Columns, vector_type: int) -> Statement:
    names = ", ".join(columns)
    if len(columns["id"]) == 1:  # PostgreSQL does this in half of the time that it takes for a set of one
        return f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(columns))})", _values(columns)
    sql = f"INSERT INTO {table} ({names}) SELECT {names} FROM {_given(columns)} ORDER BY place"
    return sql, _arrays(columns, vector_type)


def _given(columns: Columns) -> str:
    types = ", ".join(f"%s::{_TYPES[name]}[]" for name in columns)
    return f"unnest({types}) WITH ORDINALITY AS given({', '.join(columns)}, place)"


def _arrays(columns: Columns, vector_type: int) -> list[Parameter]:
    return [array(values, _NUMBERS.get(_TYPES[name], vector_type)) for name, values in columns.items()]


def _values(columns: Columns) -> list[Parameter]:
    return [None if value is None else Binary(value) for (value,) in columns.values()]
