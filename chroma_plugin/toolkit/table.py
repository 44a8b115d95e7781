"""The records of a collection as arrays in memory, and the pictures of them that readers hold.

A row is one version of one record and is never changed once it is published. Replacing a record appends a row and marks
the old one dead; deleting marks it dead. A `View` says which rows exist and which are alive at one moment, so a reader
sees one consistent picture however long it takes, without a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from chroma_plugin.distances import squares
from chroma_plugin.filters.compare import MISSING
from chroma_plugin.toolkit.columns import Column
from chroma_plugin.toolkit.graph import Graph
from chroma_plugin.toolkit.growing import Growing
from chroma_plugin.types import Field, Matrix, Metadata, Records

RowNumbers = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """New rows, as they go to the journal and into the table."""

    ids: Sequence[str]
    places: Numbers
    """The order of insertion; a replaced record keeps its place."""
    stamps: Numbers
    """A number that stands for this id's vector; never used twice, so that an index file can name vectors by it."""
    embeddings: Matrix
    documents: Sequence[str | None]
    metadatas: Sequence[str | None]
    """JSON text."""
    uris: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.ids)


def as_json(metadatas: Sequence[Metadata | None] | None) -> list[str | None] | None:
    """Metadata as the text that is kept."""
    if metadatas is None:
        return None
    return [None if metadata is None else orjson.dumps(metadata).decode() for metadata in metadatas]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One moment of a table."""

    table: Table
    length: int
    """Rows from this one on belong to a later moment."""
    alive: npt.NDArray[np.bool_]
    """Shape (length,)."""
    count: int
    """How many rows are alive."""
    in_order: bool
    """Row numbers ascend with places."""
    graphs: tuple[Graph, ...] = ()
    covered: int = 0
    """Every live row below this number is in one of the graphs."""

    def rows(self) -> RowNumbers:
        """The live rows in the order of insertion."""
        return self.sorted(np.flatnonzero(self.alive))

    def sorted(self, rows: RowNumbers) -> RowNumbers:
        """Those rows in the order of insertion."""
        return rows if self.in_order else rows[np.argsort(self.table.places[: self.length][rows], kind="stable")]

    def loose(self) -> RowNumbers:
        """The live rows that no graph covers."""
        return np.flatnonzero(self.alive[self.covered :]) + self.covered

    def records(self, rows: RowNumbers, fields: frozenset[Field]) -> Records:
        """The records in those rows."""
        table, numbers = self.table, rows.tolist()
        return Records(
            ids=[table.ids[row] for row in numbers],
            embeddings=table.embeddings[: self.length][rows] if "embeddings" in fields else None,
            documents=[table.documents[row] for row in numbers] if "documents" in fields else None,
            metadatas=[table.metadata(row) for row in numbers] if "metadatas" in fields else None,
            uris=[table.uris[row] for row in numbers] if "uris" in fields else None,
        )


class Table:
    """Rows, appended by one writer at a time. Its `view` is replaced, never changed."""

    def __init__(self, dimension: int) -> None:
        self.dimension: Final = dimension
        self.ids: list[str] = []
        self.documents: list[str | None] = []
        self.metadatas: list[str | None] = []
        self.uris: list[str | None] = []
        self.places = Growing(np.int64)
        self.stamps = Growing(np.int64)
        self.embeddings = Growing(np.float32, dimension)
        self.squares = Growing(np.float32)
        self.row_of: dict[str, int] = {}
        self._columns: dict[str, Column] = {}
        self._columns_lock = threading.Lock()
        self._alive = Growing(np.bool_)
        self.view = View(self, 0, self._alive[:], 0, in_order=True)

    def metadata(self, row: int) -> Metadata | None:
        """A new dict each time: the caller may change it."""
        text = self.metadatas[row]
        return None if text is None else orjson.loads(text)

    def find(self, ids: Iterable[str]) -> RowNumbers:
        """The rows of those ids that are known, in their order."""
        row_of = self.row_of
        return np.array([row for id in ids if (row := row_of.get(id)) is not None], dtype=np.intp)

    # -- writing (the caller holds the writer's lock) ----------------------------------------------------------------

    def reserve(self, count: int) -> None:
        """Make room, so that `append` can't fail once the journal has written."""
        for array in (self.places, self.stamps, self.embeddings, self.squares, self._alive):
            array.reserve(count)

    def append(self, rows: Rows) -> None:
        """Publish new rows; rows of the same ids die."""
        start, count = len(self.ids), len(rows)
        view = self.view
        in_order = view.in_order and _ascends(self.places[start - 1 : start], rows.places)
        replaced = self.find(rows.ids)
        self.ids.extend(rows.ids)
        self.documents.extend(rows.documents)
        self.metadatas.extend(rows.metadatas)
        self.uris.extend(rows.uris)
        self.places.extend(rows.places)
        self.stamps.extend(rows.stamps)
        self.embeddings.extend(rows.embeddings)
        self.squares.extend(squares(rows.embeddings))
        self.row_of.update(zip(rows.ids, range(start, start + count), strict=True))
        self._alive.fill(True, count)
        self._publish(replaced, len(self.ids), view.count + count - len(replaced), in_order)

    def kill(self, ids: Iterable[str]) -> None:
        """Publish that those records are gone."""
        dead = self.find(ids)
        for row in dead.tolist():
            del self.row_of[self.ids[row]]
        self._publish(dead, self.view.length, self.view.count - len(dead), self.view.in_order)

    def _publish(self, dead: RowNumbers, length: int, count: int, in_order: bool) -> None:
        if len(dead):
            # Views hold slices of the old array, so the dead are marked in a copy.
            alive = Growing(np.bool_)
            alive.extend(self._alive[:])
            alive[:][dead] = False
            self._alive = alive
        self.view = replace(self.view, length=length, alive=self._alive[:length], count=count, in_order=in_order)

    # -- metadata columns --------------------------------------------------------------------------------------------

    def columns(self, keys: Iterable[str], length: int) -> dict[str, Column]:
        """Those keys as columns of at least `length` rows, built or brought up to date now."""
        wanted = set(keys)
        with self._columns_lock:
            columns = {key: self._columns.setdefault(key, Column()) for key in wanted}
            start = min((len(column) for column in columns.values()), default=length)
            for first in range(start, length, _ROWS_AT_ONCE):
                self._extend(columns, first, min(first + _ROWS_AT_ONCE, length))
            return columns

    def _extend(self, columns: dict[str, Column], first: int, last: int) -> None:
        decoded: list[dict[str, Any]] = [
            {} if text is None else orjson.loads(text) for text in self.metadatas[first:last]
        ]
        for key, column in columns.items():
            if len(column) < last:
                column.extend([metadata.get(key, MISSING) for metadata in decoded[len(column) - first :]])

    @property
    def nbytes(self) -> int:
        arrays = (self.places, self.stamps, self.embeddings, self.squares, self._alive)
        return sum(array.nbytes for array in arrays) + sum(column.nbytes for column in self._columns.values())


_ROWS_AT_ONCE: Final = 10_000
"""How many decoded metadata dicts are held at a time while columns are built."""


def _ascends(last: Numbers, places: Numbers) -> bool:
    return bool(np.all(np.diff(np.concatenate([last, places])) > 0))
