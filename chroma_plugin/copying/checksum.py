"""A checksum of records that does not depend on the engine they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import numpy as np
import orjson

from chroma_plugin.types import Matrix, Records

_BYTES: Final = 16
_SAME_DIRECTION: Final = 1e-5


def digest(records: Records) -> bytes:
    """Of ids, embeddings, documents, metadata and URIs, every value with its type, in the order of the records.

    No metadata, ``{}`` and None are the same; so is the order of the keys.
    """
    embeddings = np.ascontiguousarray(records.embeddings, dtype="<f4")
    return _hashed((_texts(records), embeddings.tobytes()))


def total(digests: Iterable[bytes]) -> str:
    """One checksum, of the digests of all batches."""
    return _hashed(digests).hex()


def same_directions(one: Records, other: Records) -> bool:
    """Whether only the lengths of the embeddings differ: some engines normalise those of a cosine collection."""
    if _texts(one) != _texts(other) or one.embeddings is None or other.embeddings is None:
        return False
    return np.allclose(_normalised(one.embeddings), _normalised(other.embeddings), rtol=0, atol=_SAME_DIRECTION)


def _texts(records: Records) -> bytes:
    count = len(records)
    columns = (records.documents, [row or None for row in records.metadatas or [None] * count], records.uris)
    rows = [list(records.ids), *(list(column or [None] * count) for column in columns)]
    return orjson.dumps(rows, option=orjson.OPT_SORT_KEYS)


def _hashed(parts: Iterable[bytes]) -> bytes:
    state = hashlib.blake2b(digest_size=_BYTES)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.digest()


def _normalised(matrix: Matrix) -> Matrix:
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    result: Matrix = (matrix / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return result
