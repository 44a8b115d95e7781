"""The records of one collection in the DuckDB file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.errors import CorruptionError
from chroma_plugin.toolkit.journal import Patch
from chroma_plugin.toolkit.table import Numbers, Rows
from chroma_plugin.types import Matrix
from chroma_plugin_duckdb.file import Cursor, File
from chroma_plugin_duckdb.schema import records_table

_AT_ONCE: Final = 20_000
"""Rows that go to DuckDB in one statement: some 30 MB at 384 dimensions."""
_READ_AT_ONCE: Final = 4_096
"""Rows that come from it: few enough that what is left behind can be used again for the next."""

_FEW: Final = 4
"""Up to here an INSERT per row is quicker than handing DuckDB arrays: 0.9 ms for one row against 1.6."""


class DuckDBRecords:
    """A `chroma_plugin.toolkit.journal.Journal`: one transaction per change."""

    def __init__(self, file: File, number: int, graph_directory: Path) -> None:
        self._file = file
        self._table = records_table(number)
        self._graph_directory = graph_directory

    def count(self) -> int:
        with self._file.reading() as cursor:
            return int(cursor.execute(f"SELECT count(*) FROM {self._table}")[0][0])

    def load(self, dimension: int) -> Iterator[Rows]:
        with self._file.reading() as cursor:
            last = cursor.execute(f"SELECT coalesce(max(rowid), -1) FROM {self._table}")[0][0]
            # In the order in which they were written: what came last is what an index file may not know yet.
            for start in range(0, last + 1, _READ_AT_ONCE):
                found = cursor.arrays(
                    "SELECT place, stamp, id, document, metadata, uri, embedding "
                    f"FROM {self._table} WHERE rowid >= ? AND rowid < ? ORDER BY rowid",
                    [start, start + _READ_AT_ONCE],
                )
                yield Rows(
                    ids=found["id"].tolist(),
                    places=np.asarray(found["place"], dtype=np.int64),
                    stamps=np.asarray(found["stamp"], dtype=np.int64),
                    embeddings=self._matrix(found["embedding"], dimension),
                    documents=found["document"].tolist(),
                    metadatas=found["metadata"].tolist(),
                    uris=found["uri"].tolist(),
                )

    def _matrix(self, blobs: npt.NDArray[np.object_], dimension: int) -> Matrix:
        joined = b"".join(blobs.tolist())
        if len(joined) != len(blobs) * dimension * 4:
            raise CorruptionError(f"Table {self._table} of {self._file.path} holds an embedding of the wrong length.")
        return np.frombuffer(joined, dtype="<f4").astype(np.float32, copy=False).reshape(len(blobs), dimension)

    def write(self, removed: Numbers, added: Rows) -> None:
        with self._file.transaction() as cursor:
            self._remove(cursor, removed)
            if len(added) <= _FEW:
                self._insert_few(cursor, added)
            else:
                self._insert_many(cursor, added)

    def _insert_few(self, cursor: Cursor, rows: Rows) -> None:
        columns = _arrays(rows, slice(None))
        for values in zip(*(column.tolist() for column in columns.values()), strict=True):
            cursor.execute(f"INSERT INTO {self._table} VALUES (?, ?, ?, ?, ?, ?, ?)", list(values))

    def _insert_many(self, cursor: Cursor, rows: Rows) -> None:
        for start in range(0, len(rows), _AT_ONCE):
            cursor.execute_with(
                _arrays(rows, slice(start, start + _AT_ONCE)),
                f"INSERT INTO {self._table} SELECT place, stamp, id, document, metadata, uri, embedding FROM given",
            )

    def remove(self, places: Numbers) -> None:
        with self._file.transaction() as cursor:
            self._remove(cursor, places)

    def _remove(self, cursor: Cursor, places: Numbers) -> None:
        if len(places):
            cursor.execute_with(
                {"place": places}, f"DELETE FROM {self._table} WHERE place IN (SELECT place FROM given)"
            )

    def patch(self, patch: Patch) -> None:
        columns = {"document": patch.documents, "metadata": patch.metadatas, "uri": patch.uris}
        arrays = {name: _texts(values) for name, values in columns.items() if values is not None}
        if not arrays:
            return
        changes = ", ".join(f"{name} = given.{name}" for name in arrays)
        with self._file.transaction() as cursor:
            cursor.execute_with(
                {"place": patch.places, **arrays},
                f"UPDATE {self._table} SET {changes} FROM given WHERE {self._table}.place = given.place",
            )

    def graph_directory(self) -> Path:
        return self._graph_directory

    def writable(self) -> bool:
        return not self._file.read_only


def _arrays(rows: Rows, part: slice) -> dict[str, Any]:
    embeddings = np.ascontiguousarray(rows.embeddings[part], dtype="<f4")
    return {
        "place": rows.places[part],
        "stamp": rows.stamps[part],
        "id": _texts(rows.ids[part]),
        "document": _texts(rows.documents[part]),
        "metadata": _texts(rows.metadatas[part]),
        "uri": _texts(rows.uris[part]),
        "embedding": _objects([row.tobytes() for row in embeddings]),
    }


def _texts(values: Sequence[str | None]) -> npt.NDArray[np.object_]:
    return _objects(values)


def _objects(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
