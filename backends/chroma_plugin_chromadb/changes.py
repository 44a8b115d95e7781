"""The changes that chromadb has logged and not yet written into its vector files, played over what the files hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from chroma_plugin.errors import CorruptionError
from chroma_plugin.types import Matrix
from chroma_plugin_chromadb.database import Database, marks
from chroma_plugin_chromadb.labels import Labels

ADD, UPDATE, UPSERT, DELETE = range(4)
_PAGE: Final = 5_000
_ENCODINGS: Final = {"FLOAT32": "<f4", "INT32": "<i4"}
_LOGGED: Final = """
    SELECT seq_id, operation, id, vector IS NOT NULL FROM embeddings_queue
    WHERE seq_id > ? AND substr(topic, -36) = ? ORDER BY seq_id LIMIT ?"""


def newest(database: Database, collection: str, labels: Labels, last: int) -> dict[str, int | None]:
    """Where the newest vector of an id is logged; None for a deleted id. What is not here, is in the files."""
    found: dict[str, int | None] = {}
    while rows := database.rows(_LOGGED, (last, collection, _PAGE)):
        for number, operation, id, has_vector in rows:
            known = found[id] is not None if id in found else id in labels.of_id
            if operation == DELETE:
                found[id] = None
            # chromadb ignores the addition of what is there, and the update of what is not.
            elif has_vector and (operation == UPSERT or known == (operation == UPDATE)):
                found[id] = number
        last = rows[-1][0]
    return found


def vectors(database: Database, numbers: Sequence[int], dimension: int) -> Matrix:
    """The logged vectors, one row per number."""
    query = f"SELECT seq_id, vector, encoding FROM embeddings_queue WHERE seq_id IN ({marks(len(numbers))})"  # noqa: S608
    found = {number: _decoded(blob, encoding, dimension) for number, blob, encoding in database.rows(query, numbers)}
    return np.array([found[number] for number in numbers], dtype=np.float32).reshape(len(numbers), dimension)


def _decoded(blob: Any, encoding: Any, dimension: int) -> Matrix:
    kind = _ENCODINGS.get(encoding)
    if kind is None or not isinstance(blob, bytes) or len(blob) != 4 * dimension:
        raise CorruptionError(f"A logged vector is not {dimension} numbers but {encoding!r} of another length.")
    return np.frombuffer(blob, dtype=kind).astype(np.float32)
