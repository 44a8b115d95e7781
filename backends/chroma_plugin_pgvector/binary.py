"""Binary forms that psycopg does not know: arrays of vectors, and the stream that COPY reads.

Formats: https://www.postgresql.org/docs/current/sql-copy.html (binary format), and array_recv in PostgreSQL's source.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import adapt, adapters
from psycopg.pq import Format

COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_END: Final = struct.pack(">h", -1)
_NULL: Final = struct.pack(">i", -1)
_length = struct.Struct(">i").pack


@dataclass(frozen=True, slots=True)
class Vectors:
    """A parameter of type ``vector[]``: vectors in binary form, and the number that their type has in this database."""

    rows: Sequence[bytes]
    type: int


class _VectorsDumper(adapt.Dumper):
    """The type of the parameter is left to the statement, which casts it."""

    format = Format.BINARY
    oid = 0

    def dump(self, obj: Vectors) -> bytes:
        head = struct.pack(">iiIii", 1, 0, obj.type, len(obj.rows), 1)
        return head + b"".join(_length(len(row)) + row for row in obj.rows)


def adaptation() -> adapt.AdaptersMap:
    """How our connections pass parameters."""
    ours = adapt.AdaptersMap(adapters)
    ours.register_dumper(Vectors, _VectorsDumper)
    return ours


def copied(columns: Sequence[Sequence[bytes | None]]) -> bytes:
    """Rows as COPY ... (FORMAT BINARY) reads them, between `COPY_HEAD` and `COPY_END`."""
    head = struct.pack(">h", len(columns))
    pieces: list[bytes] = []
    for row in zip(*columns, strict=True):
        pieces.append(head)
        for value in row:
            pieces += (_NULL,) if value is None else (_length(len(value)), value)
    return b"".join(pieces)


def text(value: str | None) -> bytes | None:
    return None if value is None else value.encode()


def jsonb(value: str | None) -> bytes | None:
    """A version number, then JSON."""
    return None if value is None else b"\x01" + value.encode()


def integer(value: Any) -> bytes | None:
    return None if value is None else _length(value)
