"""Columns of records in PostgreSQL's binary form."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import orjson

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.ranking.words import words_of
from chroma_plugin.types import Matrix, Metadata, Records
from chroma_plugin_pgvector.binary import JSONB, Values, integer
from chroma_plugin_pgvector.escaping import escaped, is_long, key_of

_T = TypeVar("_T")
_U = TypeVar("_U")

MOST_DIMENSIONS: Final = 16_000
"""Of a vector in pgvector."""
_NEEDS_CARE: Final = re.compile(rb"\\u000[012]|e1[678]")
"""In JSON: a character that is escaped, or a float whose digits may not be its exact value."""

Columns: TypeAlias = dict[str, Values]
"""Columns of one length, by their names in the table; what is not there was not given."""


def columns_of(records: Records, *, words: bool) -> Columns:
    """The records, encoded; ``words`` adds the words of the documents, counted.

    Raises InvalidArgumentError for what PostgreSQL can't keep.
    """
    columns = _ids(records.ids)
    if records.embeddings is not None:
        columns["embedding"] = vectors_out(records.embeddings)
    if records.documents is not None:
        columns |= _documents(list(records.documents), words=words)
    if records.metadatas is not None:
        columns |= _metadatas(records.metadatas)
    if records.uris is not None:
        columns["uri"] = _texts(records.uris)
    return columns


def _ids(ids: Sequence[str]) -> Columns:
    """The keys, and of the few that are digests what they stand for."""
    keys = [key_of(id) for id in ids]
    long = [id if is_long(key) else None for id, key in zip(ids, keys, strict=True)]
    return {"id": [key.encode() for key in keys], "long_id": _texts(long)}


def vectors_out(matrix: Matrix) -> list[bytes]:
    """Each row in the binary form of pgvector: the dimension, two empty bytes, big-endian float32.

    Raises InvalidArgumentError for more dimensions than pgvector has.
    """
    dimension = matrix.shape[1]
    if dimension > MOST_DIMENSIONS:
        raise InvalidArgumentError(f"pgvector keeps up to {MOST_DIMENSIONS:,} dimensions, these have {dimension:,}.")
    head = struct.pack(">HH", dimension, 0)
    numbers = np.ascontiguousarray(matrix, dtype=">f4").tobytes()
    size = 4 * dimension
    return [head + numbers[start : start + size] for start in range(0, len(numbers), size)]


def vectors_in(column: Sequence[bytes]) -> Matrix:
    """The rows of what a query returned in binary form."""
    if not column:
        return np.zeros((0, 0), dtype=np.float32)
    dimension = (len(column[0]) - 4) // 4
    rows = np.frombuffer(b"".join(column), dtype=[("head", ">u4"), ("numbers", ">f4", (dimension,))])
    return np.ascontiguousarray(rows["numbers"], dtype=np.float32)


def operand(value: Any) -> str:
    """A scalar of a filter as JSON, or what holds it, as `Columns.fields` has it."""
    return orjson.dumps(_exact(value)).decode()


def _documents(documents: Sequence[str | None], *, words: bool) -> Columns:
    columns: Columns = {"document": _texts(documents)}
    if words:
        split = [None if text is None else words_of(text) for text in documents]
        columns["terms"] = _each(lambda found: JSONB + orjson.dumps(Counter(found)), split)
        columns["length"] = _each(lambda found: integer(len(found)), split)
    return columns


def _metadatas(metadatas: Sequence[Metadata | None]) -> Columns:
    """The metadata as it is returned, and as filters see it."""
    texts = [None if metadata is None else orjson.dumps(metadata, default=_plain) for metadata in metadatas]
    return {"metadata": texts, "fields": [JSONB + _fields(text) for text in texts]}


def _fields(metadata: bytes | None) -> bytes:
    if metadata is None:
        return b"{}"
    if _NEEDS_CARE.search(metadata):
        return operand(orjson.loads(metadata)).encode()
    return metadata


def _exact(value: Any) -> Any:
    """The value with its texts escaped and its large floats as the ints that they equal."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, float):
        return int(value) if 2**53 <= abs(value) < 2**63 else value
    if isinstance(value, list):
        return [_exact(item) for item in value]
    if isinstance(value, Mapping):
        return {escaped(key): _exact(item) for key, item in value.items()}
    return value


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _texts(column: Iterable[str | None]) -> list[bytes | None]:
    return [None if text is None else escaped(text).encode() for text in column]


def _each(function: Callable[[_T], _U], column: Iterable[_T | None]) -> list[_U | None]:
    return [None if value is None else function(value) for value in column]
