"""Binary forms that psycopg does not know: whole columns as arrays, and as the stream that COPY reads.

Formats: https://www.postgresql.org/docs/current/sql-copy.html (binary format), and array_recv in PostgreSQL's source.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Final, TypeAlias

from psycopg import adapt, adapters
from psycopg.pq import Format

from chroma_plugin.frozen import frozen

Values: TypeAlias = Sequence[bytes | None]
"""A column, each value in the binary form of its type; None is NULL."""

COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_END: Final = struct.pack(">h", -1)
JSONB: Final = b"\x01"
"""The version that stands before the JSON of a jsonb."""
_NULL: Final = struct.pack(">i", -1)
integer: Final = struct.Struct(">i").pack
"""A number of the type int."""


@frozen
class Binary:
    """A parameter in the binary form of the type that the statement casts it to."""

    value: bytes


class _BinaryDumper(adapt.Dumper):
    format = Format.BINARY
    oid = 0

    def dump(self, obj: Binary) -> bytes:
        return obj.value


def array(values: Values, type: int) -> Binary:
    """A column as an array; ``type`` is the number that the type of its values has in this database."""
    return Binary(struct.pack(">iiIii", 1, 0, type, len(values), 1) + b"".join(_sized(values)))


def adaptation() -> adapt.AdaptersMap:
    """How our connections pass parameters."""
    ours = adapt.AdaptersMap(adapters)
    ours.register_dumper(Binary, _BinaryDumper)
    return ours


def copied(columns: Iterable[Values]) -> bytes:
    """Rows as COPY ... (FORMAT BINARY) reads them, between `COPY_HEAD` and `COPY_END`."""
    sized = [_sized(values) for values in columns]
    return b"".join(chain.from_iterable(zip(repeat(struct.pack(">h", len(sized))), *sized, strict=False)))


def _sized(values: Values) -> list[bytes]:
    return [_NULL if value is None else integer(len(value)) + value for value in values]
