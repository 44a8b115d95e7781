"""The records of a collection as arrays in memory, and the pictures of them that readers hold.

A row is one version of one record and is never changed once it is published. Replacing a record appends a row and marks
the old one dead; deleting marks it dead. A `View` says which rows exist and which are alive at one moment, so a reader
sees one consistent picture however long it takes, without a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from orjson import dumps, loads

from chroma_plugin.distances import squares
from chroma_plugin.errors import CorruptionError
from chroma_plugin.filters.compare import MISSING
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.columns import Column
from chroma_plugin.toolkit.graph import Graph
from chroma_plugin.toolkit.growing import Growing
from chroma_plugin.toolkit.ids import Ids
from chroma_plugin.toolkit.signatures import Signatures
from chroma_plugin.toolkit.sketch import Sketch
from chroma_plugin.toolkit.sorted_ids import SortedIds
from chroma_plugin.toolkit.textindex import TextIndex
from chroma_plugin.toolkit.texts import Kind, Texts
from chroma_plugin.toolkit.vectors import MemoryVectors, RowNumbers, Vectors
from chroma_plugin.types import Field, Matrix, Metadata, Records

Numbers = npt.NDArray[np.int64]


@frozen(eq=False)
class Rows:
    """New rows, as they go to the journal and into the table."""

    ids: Sequence[str]
    places: Numbers
    """The order of insertion; a replaced record keeps its place."""
    stamps: Numbers
    """A number that stands for this id's vector; never used twice, so that an index file can name vectors by it."""
    embeddings: Matrix | None
    """None when the table has them already."""
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
    return [None if metadata is None else dumps(metadata).decode() for metadata in metadatas]


@dataclass(frozen=True, eq=False)
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
    sketches: tuple[Sketch, ...] = ()
    """One behind the other, from row 0."""
    plans: dict[tuple[int, int, int, bool, bool], Any] = field(default_factory=dict, init=False)
    """What `planner` has chosen for searches of this view."""

    @property
    def sketched(self) -> int:
        """Every row below this number is in one of the sketches."""
        return self.sketches[-1].last if self.sketches else 0

    @cached_property
    def is_whole(self) -> bool:
        """Whether every row is alive, and every point of a graph is one of them."""
        return self.count == self.length and all(graph.is_whole for graph in self.graphs)

    @cached_property
    def labels(self) -> int:
        """How many points all graphs have."""
        return sum(len(graph) for graph in self.graphs)

    @cached_property
    def longest(self) -> float:
        """No vector in a graph is longer."""
        return float(np.sqrt(max(graph.space.square for graph in self.graphs)))

    @cached_property
    def longest_loose(self) -> float:
        """No vector behind the covered rows is longer."""
        return float(np.sqrt(self.table.squares(self.covered, self.length).max(initial=0)))

    def rows(self) -> RowNumbers:
        """The live rows in the order of insertion."""
        return self.sorted(np.flatnonzero(self.alive))

    def sorted(self, rows: RowNumbers) -> RowNumbers:
        """Those rows in the order of insertion."""
        return rows if self.in_order else rows[np.argsort(self.table.places[: self.length][rows], kind="stable")]

    def loose(self) -> RowNumbers:
        """The live rows that no graph covers."""
        return np.flatnonzero(self.alive[self.covered :]) + self.covered

    def records(self, rows: RowNumbers, fields: frozenset[Field], ids: Sequence[str] | None = None) -> Records:
        """The records in those rows; who knows their ids need not have them read."""
        kinds = [kind for field, kind in _KINDS if field in fields]
        if ids is None:
            kinds.append(Kind.ID)
        texts: dict[Kind, list[Any]] = dict(zip(kinds, self.table.texts.take(rows, kinds), strict=True))
        return Records(
            ids=texts[Kind.ID] if ids is None else ids,
            embeddings=self.table.vectors.take(rows) if "embeddings" in fields else None,
            documents=texts.get(Kind.DOCUMENT),
            metadatas=self.table.metadatas(rows) if "metadatas" in fields else None,
            uris=texts.get(Kind.URI),
        )


_KINDS: Final[tuple[tuple[Field, Kind], ...]] = (
    ("documents", Kind.DOCUMENT),
    ("uris", Kind.URI),
)


class Table:
    """Rows, appended by one writer at a time. Its `view` is replaced, never changed."""

    def __init__(
        self,
        dimension: int,
        vectors: Vectors | None = None,
        texts: Texts | None = None,
        early: SortedIds | None = None,
    ) -> None:
        self.dimension: Final = dimension
        self.vectors: Vectors = MemoryVectors(dimension) if vectors is None else vectors
        self.texts: Texts = Texts() if texts is None else texts
        self.places = Growing(np.int64)
        self.stamps = Growing(np.int64)
        self._squares = _Squares(0, Growing(np.float32))
        self._ids = Ids(early, lambda: self._alive[:])
        self._columns: dict[str, Column] = {}
        self.words = TextIndex()
        self.signatures = Signatures()
        self._deriving = threading.Lock()
        self._alive = Growing(np.bool_)
        self.view = View(self, 0, self._alive[:], 0, in_order=True)
        self.moving = threading.Lock()
        """Held while the vectors move from memory into a file."""

    @property
    def documents(self) -> Sequence[str | None]:
        return self.texts.column(Kind.DOCUMENT)

    def rows_of(self, ids: Sequence[str]) -> RowNumbers:
        """The row of each id; -1 for one that is not known."""
        return self._ids.rows_of(ids)

    def find(self, ids: Sequence[str]) -> RowNumbers:
        """The rows of those ids that are known, in their order."""
        rows = self.rows_of(ids)
        return rows[rows >= 0]

    def metadatas(self, rows: RowNumbers) -> list[dict[str, Any] | None]:
        """Of those rows, out of one text: what it costs to begin with one is paid once."""
        metadatas: list[dict[str, Any] | None] = loads(self.texts.json(rows, Kind.METADATA))
        return metadatas

    # -- writing (the caller holds the writer's lock) ----------------------------------------------------------------

    def prepare(self, rows: Rows) -> None:
        """Make room and write the vectors, so that `append` can't fail once the journal has written."""
        assert rows.embeddings is not None
        if len(stamps := self.vectors.unclaimed()):
            self._bury(stamps)
        for array in (self.places, self.stamps, self._alive):
            array.reserve(len(rows))
        self.vectors.stage(rows.embeddings)

    def _bury(self, stamps: Numbers) -> None:
        """Rows that the file of vectors has, and the journal has not: the write has failed. They were never alive."""
        count, view = len(stamps), self.view
        self.texts.extend(_blank(count))
        self.places.fill(int(self.places[-1:].max(initial=-1)), count)
        self.stamps.extend(stamps)
        self.vectors.publish(count)
        with self._deriving:
            self._squares.values.fill(0, count)
        self._alive.fill(False, count)
        self._publish(_NO_ROWS, view.length + count, view.count, view.in_order)

    def append(self, rows: Rows) -> None:
        """Publish new rows, which were prepared; rows of the same ids die."""
        self.change((), rows, self.find(rows.ids))

    def change(self, deleted: Sequence[str], rows: Rows | None, dead: RowNumbers) -> None:
        """Publish at once that those records are gone, and new rows; ``dead`` are the rows of both until now."""
        view = self.view
        self._ids.forget(deleted)
        if rows is None:
            self._publish(dead, view.length, view.count - len(dead), view.in_order)
            return
        start, count = view.length, len(rows)
        in_order = view.in_order and _ascends(self.places[start - 1 : start], rows.places)
        self._add(rows)
        self._ids.keep(rows.ids, range(start, start + count))
        self._alive.fill(True, count)
        self._publish(dead, start + count, view.count + count - len(dead), in_order)

    def _add(self, rows: Rows) -> None:
        assert rows.embeddings is not None
        self.texts.extend((rows.ids, rows.documents, rows.metadatas, rows.uris))
        self.places.extend(rows.places)
        self.stamps.extend(rows.stamps)
        self.vectors.publish(len(rows))
        with self._deriving:
            self._squares.values.extend(squares(rows.embeddings))

    def restore(self, stamps: Numbers, batches: Iterable[Rows]) -> None:
        """Begin with records whose vectors are there: row i has the stamp ``stamps[i]``; what no record has is dead."""
        count = len(stamps)
        self.texts.extend(_blank(count))
        places, alive = np.full(count, -1, dtype=np.int64), np.zeros(count, dtype=np.bool_)
        row_of_stamp = _Finder(stamps)
        for batch in batches:
            rows = row_of_stamp.find(batch.stamps)
            places[rows], alive[rows] = batch.places, True
            self._fill(rows.tolist(), batch)
        # A dead row stands where the row before it does, so that it is in order if the others are.
        self.resume(np.where(alive, places, np.maximum.accumulate(places)), stamps, alive)

    def resume(self, places: Numbers, stamps: Numbers, alive: npt.NDArray[np.bool_]) -> None:
        """Begin with rows whose vectors and texts are there."""
        self.places.extend(places)
        self.stamps.extend(stamps)
        self._alive.extend(alive)
        self._squares = _Squares(len(alive), Growing(np.float32))
        in_order = _ascends(places[:0], places[alive])
        self.view = View(self, len(alive), self._alive[:], int(np.count_nonzero(alive)), in_order)

    def _fill(self, rows: list[int], batch: Rows) -> None:
        columns = (batch.ids, batch.documents, batch.metadatas, batch.uris)
        for late, texts in zip(self.texts.late, columns, strict=True):
            for row, text in zip(rows, texts, strict=True):
                late[row] = text
        self._ids.keep(batch.ids, rows)

    def _publish(self, dead: RowNumbers, length: int, count: int, in_order: bool) -> None:
        if len(dead):
            # Views hold slices of the old array, so the dead are marked in a copy.
            alive = Growing(np.bool_)
            alive.extend(self._alive[:])
            alive[:][dead] = False
            self._alive = alive
        self.view = replace(self.view, length=length, alive=self._alive[:length], count=count, in_order=in_order)

    # -- derived from the rows when they are needed ------------------------------------------------------------------

    def squares(self, first: int, last: int) -> npt.NDArray[np.float32]:
        """The squared lengths of the vectors in the rows from `first` up to `last`."""
        known = self._squares
        if first < known.start:
            known = self._measure_all()
        return known.values[first - known.start : last - known.start]

    def _measure_all(self) -> _Squares:
        # What was restored is measured when it is first wanted: that reads every vector.
        with self._deriving:
            known = self._squares
            if known.start:
                values = Growing(np.float32)
                values.reserve(known.start + len(known.values))
                for first in range(0, known.start, _ROWS_AT_ONCE):
                    values.extend(squares(self.vectors.block(first, min(first + _ROWS_AT_ONCE, known.start))))
                values.extend(known.values[:])
                self._squares = _Squares(0, values)
            return self._squares

    # -- metadata columns --------------------------------------------------------------------------------------------

    def columns(self, keys: Iterable[str], length: int) -> dict[str, Column]:
        """Those keys as columns of at least `length` rows, built or brought up to date now."""
        wanted = set(keys)
        with self._deriving:
            columns = {key: self._columns.setdefault(key, Column()) for key in wanted}
            start = min((len(column) for column in columns.values()), default=length)
            for first in range(start, length, _ROWS_AT_ONCE):
                self._extend(columns, first, min(first + _ROWS_AT_ONCE, length))
            return columns

    def _extend(self, columns: dict[str, Column], first: int, last: int) -> None:
        metadatas = [metadata or {} for metadata in self.metadatas(np.arange(first, last))]
        for key, column in columns.items():
            if len(column) < last:
                column.extend([metadata.get(key, MISSING) for metadata in metadatas[len(column) - first :]])

    @property
    def nbytes(self) -> int:
        arrays = (self.places, self.stamps, self.vectors, self._squares.values, self._alive)
        columns = sum(column.nbytes for column in self._columns.values())
        return sum(array.nbytes for array in arrays) + columns + self.words.nbytes + self.signatures.nbytes


_NO_ROWS: Final = np.empty(0, dtype=np.intp)
_ROWS_AT_ONCE: Final = 10_000
"""How many decoded metadata dicts are held at a time while columns are built."""


@frozen(eq=False)
class _Squares:
    """Squared lengths of the vectors in the rows from `start` on."""

    start: int
    values: Growing[np.float32]


class _Finder:
    """Which row has a stamp; the last one, where an update of other columns copied a vector."""

    def __init__(self, stamps: Numbers) -> None:
        self._order = np.argsort(stamps, kind="stable")
        self._sorted = stamps[self._order]

    def find(self, stamps: Numbers) -> RowNumbers:
        missing = int(np.count_nonzero(~np.isin(stamps, self._sorted)))
        if missing:
            raise CorruptionError(f"The vectors of {missing} records are missing.")
        at = np.searchsorted(self._sorted, stamps, side="right") - 1
        return self._order[at]


def _blank(count: int) -> tuple[Sequence[str | None], ...]:
    """The texts of rows that no record has."""
    return [""] * count, [None] * count, [None] * count, [None] * count


def _ascends(last: Numbers, places: Numbers) -> bool:
    every = np.concatenate([last, places])
    return bool((every[1:] > every[:-1]).all())
