"""The records of one collection in the DuckDB file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.errors import CorruptionError
from chroma_plugin.toolkit.journal import Patch
from chroma_plugin.toolkit.table import Numbers, Rows
from chroma_plugin.types import Matrix
from chroma_plugin_duckdb.cursor import Cursor
from chroma_plugin_duckdb.file import File
from chroma_plugin_duckdb.schema import records_table

_AT_ONCE: Final = 20_000
"""Rows that go to DuckDB in one statement: some 30 MB at 384 dimensions."""
_READ_AT_ONCE: Final = 4_096
"""Rows that come from it: few enough that the memory of one batch can be used again for the next."""

_FEW: Final = 3
"""Up to here an INSERT per row, of 0.14 ms each, is quicker than handing DuckDB arrays, which takes 0.65."""


class DuckDBRecords:
    """A `chroma_plugin.toolkit.journal.Journal`: one transaction per change."""

    def __init__(
        self, file: File, number: int, vector_directory: Path, graph_directory: Path, mark: str | None = None
    ) -> None:
        self._file = file
        self._mark = mark
        self._table = records_table(number)
        self._vector_directory = vector_directory
        self._graph_directory = graph_directory

    def dimension(self) -> int | None:
        with self._file.reading() as cursor:
            found = cursor.execute(
                f"SELECT octet_length(embedding) // 4 FROM {self._table} WHERE embedding IS NOT NULL LIMIT 1"
            )
        return int(found[0][0]) if found else None

    def load(self, *, settled: bool) -> Iterator[Rows]:
        # In the order in which they were written: what came last is what an index file may not know yet.
        statement = (
            f"SELECT place, stamp, id, document, metadata, uri FROM {self._table} "
            "WHERE rowid >= ? AND rowid < ? AND embedding IS NULL ORDER BY rowid"
            if settled
            else f"SELECT * FROM {self._table} WHERE rowid >= ? AND rowid < ? AND embedding IS NOT NULL ORDER BY rowid"
        )
        with self._file.reading() as cursor:
            [(last,)] = cursor.execute(f"SELECT coalesce(max(rowid), -1) FROM {self._table}")
            for start in range(0, last + 1, _READ_AT_ONCE):
                found = cursor.arrays(statement, [start, start + _READ_AT_ONCE])
                if len(found["id"]):
                    yield self._rows(found)

    def _rows(self, found: Mapping[str, npt.NDArray[Any]]) -> Rows:
        return Rows(
            ids=found["id"].tolist(),
            places=np.asarray(found["place"], dtype=np.int64),
            stamps=np.asarray(found["stamp"], dtype=np.int64),
            embeddings=self._matrix(found["embedding"]) if "embedding" in found else None,
            documents=found["document"].tolist(),
            metadatas=found["metadata"].tolist(),
            uris=found["uri"].tolist(),
        )

    def _matrix(self, blobs: npt.NDArray[np.object_]) -> Matrix:
        joined = b"".join(blobs.tolist())
        if len(joined) != len(blobs) * len(blobs[0]) or len(blobs[0]) % 4:
            raise CorruptionError(f"Table {self._table} of {self._file.path} holds an embedding of the wrong length.")
        return np.frombuffer(joined, dtype="<f4").astype(np.float32, copy=False).reshape(len(blobs), -1)

    def mark(self) -> str | None:
        return self._mark

    def settle(self, last: int) -> None:
        self._mark = None
        with self._file.transaction() as cursor:
            self._let_go(cursor, last)
        self._file.checkpoint()  # or the log, and DuckDB's picture of it in memory, would hold them still

    def _let_go(self, cursor: Cursor, last: int) -> None:
        cursor.execute(f"UPDATE {self._table} SET embedding = NULL WHERE stamp <= ? AND embedding IS NOT NULL", [last])

    def write(self, removed: Numbers, added: Rows) -> None:
        self._mark = None
        is_one = len(added) == 1 and not len(removed) and added.embeddings is not None
        with self._file.statement() if is_one else self._file.transaction() as cursor:
            self._remove(cursor, removed)
            if added.embeddings is None:
                self._let_go(cursor, int(added.stamps[0]))
            if len(added) <= _FEW:
                self._insert_few(cursor, added)
            else:
                self._insert_many(cursor, added)

    def _insert_few(self, cursor: Cursor, rows: Rows) -> None:
        numbers = rows.places.tolist(), rows.stamps.tolist()
        texts = rows.ids, rows.documents, rows.metadatas, rows.uris
        for values in zip(*numbers, *texts, _blobs(rows, slice(None)), strict=True):
            # Of VALUES it would expect the types of the columns, and plan once more when it sees those of the values.
            cursor.execute(f"INSERT INTO {self._table} SELECT ?, ?, ?, ?, ?, ?, ?", [*values])

    def _insert_many(self, cursor: Cursor, rows: Rows) -> None:
        for start in range(0, len(rows), _AT_ONCE):
            cursor.execute_with(
                _arrays(rows, slice(start, start + _AT_ONCE)),
                f"INSERT INTO {self._table} SELECT place, stamp, id, document, metadata, uri, embedding FROM given",
            )

    def remove(self, places: Numbers) -> None:
        self._mark = None
        with self._file.statement() as cursor:
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
        self._mark = None
        changes = ", ".join(f"{name} = given.{name}" for name in arrays)
        with self._file.statement() as cursor:
            cursor.execute_with(
                {"place": patch.places, **arrays},
                f"UPDATE {self._table} SET {changes} FROM given WHERE {self._table}.place = given.place",
            )

    def vector_directory(self) -> Path:
        return self._vector_directory

    def graph_directory(self) -> Path:
        return self._graph_directory

    def writable(self) -> bool:
        return not self._file.read_only


def _arrays(rows: Rows, part: slice) -> dict[str, Any]:
    return {
        "place": rows.places[part],
        "stamp": rows.stamps[part],
        "id": _texts(rows.ids[part]),
        "document": _texts(rows.documents[part]),
        "metadata": _texts(rows.metadatas[part]),
        "uri": _texts(rows.uris[part]),
        "embedding": _objects(_blobs(rows, part)),
    }


def _blobs(rows: Rows, part: slice) -> Sequence[bytes | None]:
    if rows.embeddings is None:
        return [None] * len(rows.ids[part])
    return [row.tobytes() for row in np.ascontiguousarray(rows.embeddings[part], dtype="<f4")]


def _texts(values: Sequence[str | None]) -> npt.NDArray[np.object_]:
    return _objects(values)


def _objects(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
