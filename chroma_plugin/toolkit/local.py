"""A collection served from arrays in memory, its truth in a journal, its large searches from HNSW graphs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence, Set
from contextlib import AbstractContextManager
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np

from chroma_plugin.backend import CollectionStore, Pushdown
from chroma_plugin.filters.ast import Expr
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit import settling
from chroma_plugin.toolkit.background import Background
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.graph import GraphSettings
from chroma_plugin.toolkit.journal import Journal, Patch
from chroma_plugin.toolkit.places import Places
from chroma_plugin.toolkit.scores import Vector
from chroma_plugin.toolkit.searching import Found, Nearest
from chroma_plugin.toolkit.steps import SILENT, Steps
from chroma_plugin.toolkit.table import Numbers, Rows, Table, View, as_json
from chroma_plugin.toolkit.texts import Kind
from chroma_plugin.toolkit.upkeep import Upkeep
from chroma_plugin.toolkit.vectors import RowNumbers
from chroma_plugin.types import CollectionInfo, Field, Hits, Ranked, Records, Scan, Search, TextSearch

_BATCH = 10_000
"""Records in one batch of a scan."""
_SMALL: Final = 4
"""Queries in a request that takes fractions of a millisecond."""


class LocalStore(CollectionStore):
    """Reads look at a `View` and need no lock. A write goes to the journal, then into the table, then becomes
    visible.
    """

    def __init__(self, info: CollectionInfo, journal: Journal, background: Background) -> None:
        self._journal = journal
        self._settings = graph_settings(info)
        self._writing = threading.RLock()
        # Guards the moment in which a change becomes visible: ids are looked up in a dict that has no views.
        self._publishing = threading.Lock()
        self._table = settling.restored(journal, info.dimension)
        self._places = Places()
        self._upkeep = Upkeep(self, journal, background)
        self._next = 1 + max(int(numbers[:].max(initial=-1)) for numbers in (self._table.stamps, self._table.places))
        self._knows_files = False
        self._upkeep.open()

    def configure(self, info: CollectionInfo) -> None:
        self._settings = graph_settings(info)

    @property
    def settings(self) -> GraphSettings:
        return self._settings

    @property
    def view(self) -> View:
        """What is there now."""
        return self._table.view

    # -- writing -----------------------------------------------------------------------------------------------------

    def put(self, records: Records) -> None:
        if not len(records):
            return
        with self._writing:
            step = self.step((), records)
            step.write()
            step.publish()
        self.look()

    def step(self, deleted: Sequence[str], written: Records | None) -> Step:
        """A change that is ready to be made: those ids deleted, then those records put. The caller is `writing`, and
        makes it before any other.
        """
        if written is None or not len(written):
            gone = self._table.find(list(dict.fromkeys(deleted)))
            return Step(self, self._table, deleted, gone, None, straight=False)
        table = self._table_for(written)
        replaced = table.rows_of(written.ids)
        rows = self._rows(table, written, replaced, forgotten=set(deleted))
        old = replaced[replaced >= 0]
        if deleted:
            old = np.union1d(old, table.find(deleted))
        straight = settling.goes_straight(table, rows, self._journal)
        table.prepare(rows)
        return Step(self, table, deleted, old, rows, straight)

    def look(self) -> None:
        """After a change, when nobody is kept from writing any more."""
        self._upkeep.look()

    def insert(self, records: Records) -> Sequence[str]:
        with self._writing:
            rows = self._table.rows_of(records.ids)
            known = [records.ids[at] for at in np.flatnonzero(rows >= 0).tolist()]
            if known:
                records = records.take(np.flatnonzero(rows < 0).tolist())
            self.put(records)
            return known

    def update(self, records: Records) -> None:
        if records.embeddings is not None:
            super().update(records)
            return
        with self._writing:
            table = self._table
            rows = table.find(records.ids)
            if not len(rows):
                return
            patch = Patch(table.places[:][rows], records.documents, as_json(records.metadatas), records.uris)
            new = _patched(table, records.ids, rows, patch)
            table.prepare(new)
            self._journal.patch(patch)
            with self._publishing:
                table.change((), new, rows)
        self._upkeep.look()

    def delete(self, ids: Sequence[str]) -> int:
        with self._writing:
            step = self.step(list(dict.fromkeys(ids)), None)
            if not len(step.old):
                return 0
            step.write()
            step.publish()
        self.look()
        return len(step.old)

    def delete_where(self, where: Expr) -> int:
        with self._writing:
            return super().delete_where(where)

    def _table_for(self, records: Records) -> Table:
        assert records.embeddings is not None
        dimension = records.embeddings.shape[1]
        if self._table.dimension != dimension:
            # The first record decides the dimension; the table is as empty as the one before.
            self.publish(Table(dimension).view)
        return self._table

    def _rows(self, table: Table, records: Records, old: RowNumbers, forgotten: Set[str]) -> Rows:
        """``old``: where those records are now; -1 for new ones."""
        assert records.embeddings is not None
        count = len(records)
        stamps = self._unused(count)
        places = stamps.copy()
        known = old >= 0
        if forgotten:
            known &= np.array([id not in forgotten for id in records.ids], dtype=np.bool_)
        if known.any():
            places[known] = table.places[:][old[known]]
        return Rows(
            ids=list(records.ids),
            places=places,
            stamps=stamps,
            embeddings=records.embeddings,
            documents=_column(records.documents, count),
            metadatas=_column(as_json(records.metadatas), count),
            uris=_column(records.uris, count),
        )

    def _unused(self, count: int) -> Numbers:
        """So many numbers that no record uses, and no index file names."""
        if not self._knows_files:  # to look into them takes a while, which who only reads is spared
            self._next = max(self._next, 1 + self._upkeep.greatest_stamp())
            self._knows_files = True
        first, self._next = self._next, self._next + count
        return np.arange(first, self._next, dtype=np.int64)

    # -- reading -----------------------------------------------------------------------------------------------------

    def takes(self, part: Expr) -> Pushdown:
        return Pushdown.EXACT

    def count(self, where: Expr | None = None) -> int:
        view = self.view
        return view.count if where is None else int(np.count_nonzero(_mask(view, where)))

    def scan(self, request: Scan) -> Iterator[Records]:
        view, rows, ids = self._select(request)
        end = len(rows) if request.limit is None else min(request.offset + request.limit, len(rows))
        for start in range(request.offset, end, _BATCH):
            part = slice(start, min(start + _BATCH, end))
            yield view.records(rows[part], request.fields, None if ids is None else ids[part])

    def _select(self, request: Scan) -> tuple[View, RowNumbers, Sequence[str] | None]:
        """One moment, the rows that match in it, and their ids if the request has just those."""
        view, rows = self._find(request.ids)
        if rows is None or request.ids is None:
            return view, view.sorted(np.flatnonzero(_mask(view, request.where))), None
        if request.where is not None:
            return view, rows[_mask(view, request.where)[rows]], None
        return view, rows, request.ids if len(rows) == len(request.ids) else None

    def _find(self, ids: Sequence[str] | None) -> tuple[View, RowNumbers | None]:
        """One moment, and the rows of the ids in it; None for the rows when no ids are given."""
        with self._publishing:
            return self.view, None if ids is None else self._table.find(ids)

    def search(self, request: Search) -> list[Hits]:
        if len(request.embeddings) > _SMALL or request.exact or request.where is not None or request.ids is not None:
            return self._search(request, SILENT)
        with self._places:
            return self._search(request, SILENT)

    def explain(self, request: Search) -> dict[str, Any]:
        steps = Steps()
        self._search(request, steps)
        return steps.told()

    def _search(self, request: Search, steps: Steps) -> list[Hits]:
        self._upkeep.load_sketches()
        view, rows = self._find(request.ids)
        among = self._among(view, rows, request.where)
        qualifying = view.count if among is view.alive else int(np.count_nonzero(among))
        steps.done("filter")
        nearest = Nearest(view, self._settings, request.k, among, qualifying, exact=request.exact, steps=steps)

        def read(found: list[Found]) -> list[Hits]:
            if request.max_distance is not None:
                found = [_within(near, distances, request.max_distance) for near, distances in found]
            hits = _hits(view, found, request.fields)
            steps.done("read records")
            return hits

        return nearest.find(np.ascontiguousarray(request.embeddings), read)

    def search_text(self, request: TextSearch) -> list[Ranked]:
        from chroma_plugin.toolkit.textsearch import BestTexts

        view, rows = self._find(request.ids)
        best = BestTexts(view, request.k, rows, request.where).find(request.queries)
        return [Ranked(view.records(found, request.fields), scores) for found, scores in best]

    @staticmethod
    def _among(view: View, rows: RowNumbers | None, where: Expr | None) -> Mask:
        among = _mask(view, where)
        if rows is not None:
            chosen = np.zeros(view.length, dtype=np.bool_)
            chosen[rows] = True
            among = among & chosen
        return among

    # -- upkeep ------------------------------------------------------------------------------------------------------

    def optimize(self) -> None:
        self._upkeep.index_now()

    def compact(self) -> None:
        self._upkeep.compact_now()
        self._upkeep.look()

    def stats(self) -> dict[str, Any]:
        return self._upkeep.stats()

    def finish(self) -> str | None:
        """Before the journal is closed, after the last write: what is much goes where it is quickly read. Returns the
        mark of the table that was saved, None when none was.
        """
        self._upkeep.finish()
        return settling.finish(self, self._journal)

    def retire(self) -> None:
        """The collection goes: stop working for it, and wait until that has stopped."""
        self._upkeep.close()

    def resume(self) -> None:
        """It stays after all."""
        self._upkeep.reopen()

    def publish(self, view: View) -> None:
        """Put another picture of the same records in place: new graphs, or a table without its dead rows."""
        with self._publishing:
            view.table.view = view
            self._table = view.table

    @property
    def writing(self) -> AbstractContextManager[bool]:
        """Held while a change is made; what must not meet one holds it too."""
        return self._writing


@frozen(eq=False)
class Step:
    """A change of one store. Nothing is to happen between its two halves but the first halves of others."""

    store: LocalStore
    table: Table
    deleted: Sequence[str]
    old: RowNumbers
    """Rows that die."""
    rows: Rows | None
    straight: bool
    """The vectors do not go to the journal."""

    def write(self) -> None:
        """To the journal."""
        journal, places = self.store._journal, self.table.places[:][self.old]
        if self.rows is not None:
            journal.write(places, settling.settled_first(self.table, self.rows) if self.straight else self.rows)
        elif len(places):
            journal.remove(places)

    def publish(self) -> None:
        """To all readers, at once."""
        with self.store._publishing:
            self.table.change(self.deleted, self.rows, self.old)


def _patched(table: Table, ids: Sequence[str], rows: RowNumbers, patch: Patch) -> Rows:
    """New versions of those rows; the vectors, and with them the stamps, stay."""
    given = {Kind.DOCUMENT: patch.documents, Kind.METADATA: patch.metadatas, Kind.URI: patch.uris}
    kept = [kind for kind, texts in given.items() if texts is None]
    texts = given | dict(zip(kept, table.texts.take(rows, kept), strict=True))
    return Rows(
        ids=list(ids),
        places=patch.places,
        stamps=table.stamps[:][rows],
        embeddings=table.vectors.take(rows),
        documents=_column(texts[Kind.DOCUMENT], len(rows)),
        metadatas=_column(texts[Kind.METADATA], len(rows)),
        uris=_column(texts[Kind.URI], len(rows)),
    )


def graph_settings(info: CollectionInfo) -> GraphSettings:
    """What a collection's configuration says about its graphs."""
    hnsw = info.configuration.get("hnsw", {})
    names = ("max_neighbors", "ef_construction", "ef_search", "num_threads")
    return GraphSettings(info.metric, **{name: hnsw[name] for name in names if hnsw.get(name) is not None})


def _mask(view: View, where: Expr | None) -> Mask:
    """The rows that match."""
    if where is None:
        return view.alive
    from chroma_plugin.toolkit.masks import mask  # all that filters need: opening a store takes a tenth less without

    return mask(view, where)


def _within(rows: RowNumbers, distances: Vector, most: float) -> Found:
    near = distances <= most
    return rows[near], distances[near]


def _hits(view: View, found: Sequence[Found], fields: frozenset[Field]) -> list[Hits]:
    """The records of all answers are read together: what a read costs by itself is paid once."""
    if len(found) == 1:
        [(rows, distances)] = found
        return [Hits(view.records(rows, fields), distances)]
    records = view.records(np.concatenate([rows for rows, _ in found]), fields)
    places = pairwise(accumulate((len(rows) for rows, _ in found), initial=0))
    return [Hits(records.part(*place), distances) for place, (_, distances) in zip(places, found, strict=True)]


def _column(values: Sequence[str | None] | None, count: int) -> Sequence[str | None]:
    # A list, made before anything is written: a column that fails while it is read must leave nothing behind.
    return [None] * count if values is None else list(values)
