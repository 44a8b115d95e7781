"""What keeps a local store quick: sketches of its rows and graphs over them, made and loaded beside its reads and
writes, and no dead rows.

Everything here is derived from the records and can be thrown away.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import numpy as np

from chroma_plugin import compiled
from chroma_plugin.errors import CorruptionError
from chroma_plugin.toolkit import graph as graphs
from chroma_plugin.toolkit import graph_building, graph_file, settling
from chroma_plugin.toolkit import sketch as sketches
from chroma_plugin.toolkit.aside import Aside
from chroma_plugin.toolkit.background import Background
from chroma_plugin.toolkit.files import discard, naming
from chroma_plugin.toolkit.graph import Graph
from chroma_plugin.toolkit.journal import Journal
from chroma_plugin.toolkit.planner import SKETCH_FROM, SKETCH_TAIL, TAIL_FROM, graph_from
from chroma_plugin.toolkit.projection import fit_for_graph
from chroma_plugin.toolkit.sketch import Sketch
from chroma_plugin.toolkit.table import Table, View

if TYPE_CHECKING:
    from chroma_plugin.toolkit.local import LocalStore

logger = logging.getLogger("chroma_plugin")

_DEAD_SHARE: Final = 0.3
"""Dead rows cost every sweep and every graph; above this share they are dropped."""
_DEAD_FROM: Final = 1_000
_QUIET: Final = 0.2
"""Seconds without a write before a graph is begun: a bulk load is indexed once, not in pieces."""
_RETURNING: Final = 1e-6
"""Seconds for each row without a graph: so long may the call that wrote them still take, to report and to clear up.
What its caller does next is not to meet the work in the background as it begins.
"""
_PATIENCE: Final = 10.0
"""Seconds after which a graph is begun even if writes go on."""


class Upkeep:
    """Looks after one store."""

    def __init__(self, store: LocalStore, journal: Journal, background: Background) -> None:
        self._store = store
        self._journal = journal
        self._directory = journal.graph_directory()
        self._writable = journal.writable()
        self._background = background
        self._tending = threading.RLock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._closed = False
        self._sketches_loaded = False
        self._graphs_loaded = False
        self._damaged = 0

    # -- deciding ----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """After a write: have done in the background what has become worth doing."""
        view = self._store.view
        if _wants_compaction(view) or self._wants_settling() or _wants_sketch(view) or _wants_graph(view):
            self._background.submit(self._tend)

    def _tend(self) -> None:
        self._wait_for_quiet()
        with self._tending:
            if self._stopping():
                return
            if _wants_compaction(self._store.view):
                self.compact_now()
            self.settle_now()
            self._look_closer()

    def _look_closer(self) -> None:
        if _wants_sketch(self._store.view):
            self._sketch()
        if _wants_graph(self._store.view):
            self._build()

    def _wait_for_quiet(self) -> None:
        waited = 0.0
        before = None
        while waited < _PATIENCE and before is not self._store.view and not self._stopping():
            before = self._store.view
            quiet = max(_QUIET, _RETURNING * (before.length - before.covered))
            self._background.pause(quiet)
            waited += quiet

    def _stopping(self) -> bool:
        return self._closed or self._background.stopping()

    def index_now(self) -> None:
        """Cover the rows by sketches and graphs and wait for it, all but so few that a sweep of them is better."""
        self._load()  # or what was saved and is not loaded yet would be made again
        with self._awaited(), self._tending:
            view = self._store.view
            if sketches.available() and view.length >= SKETCH_FROM and view.sketched < view.length:
                self._sketch()
            if view.count >= graph_from() and _wants_graph(view):
                self._build()

    @contextmanager
    def _awaited(self) -> Iterator[None]:
        """Somebody waits for what is built, also for what the background has begun."""
        with self._counting:
            self._waiting += 1
        try:
            yield
        finally:
            with self._counting:
                self._waiting -= 1

    # -- sketches ----------------------------------------------------------------------------------------------------

    def _sketch(self) -> None:
        """One sketch of the rows that have none and of the sketches before them that are no longer than these: so a
        row is sketched again only as often as the number of rows doubles.
        """
        view = self._store.view
        kept, first = list(view.sketches), view.sketched
        while kept and len(kept[-1]) <= view.length - first:
            first = kept.pop().first
        projection = kept[0].projection if kept else None
        made = sketches.build(view.table.vectors, first, view.length, projection, uuid4().hex)
        view.table.vectors.release()
        if made is None:
            return
        if self._directory is not None and self._writable:
            _make(self._directory)
            made = sketches.save(made, self._directory / f"{made.name}.sketch", view.table.stamps[: view.length])
        self._publish(sketches=(*kept, made))
        self._remove([f"{sketch.name}.sketch" for sketch in view.sketches if sketch not in kept])

    def load_sketches(self) -> None:
        """Have what was saved, now: it takes less time than a search without it."""
        if self._sketches_loaded:
            return
        with self._tending:
            if not self._sketches_loaded:
                self._load_sketches()
            self._sketches_loaded = True

    def _load_sketches(self) -> None:
        if not sketches.available():
            return
        view = self._store.view
        stamps = view.table.stamps[: view.length]
        paths = self._files("*.sketch")
        loaded = [sketches.load(path, view.table.dimension, stamps) for path in paths]
        found: list[Sketch] = []
        for sketch in sorted((each for each in loaded if each is not None), key=lambda each: each.first):
            if sketch.first == (found[-1].last if found else 0):
                found.append(sketch)
        self._damaged += loaded.count(None)
        self._publish(sketches=tuple(found))
        self._forget("*.sketch", {sketch.name for sketch in found})

    # -- graphs ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        """One graph over the loose rows and over the graphs that are small beside them or full of dead rows."""
        view = self._store.view
        loose = view.loose()
        kept = [graph for graph in view.graphs if _is_worth_keeping(graph, view, len(loose))]
        taken = [graph.rows for graph in view.graphs if graph not in kept]
        rows = np.unique(np.concatenate([loose, *taken]))
        rows = rows[rows >= 0]
        rows = rows[view.alive[rows]]
        if len(rows):
            table = view.table
            stamps = table.stamps[: view.length][rows]
            projection = fit_for_graph(table.vectors, view.length)
            aside = Aside(lambda: self._waiting > 0)
            settings = self._store.settings
            built = graph_building.build(table.vectors, rows, stamps, settings, projection, self._stopping, aside.run)
            if built is None:
                return
            kept.append(replace(built, name=uuid4().hex))
            self._save(kept[-1])
        view.table.vectors.release()
        self._publish(graphs=tuple(kept), covered=view.length)
        self._remove([f"{graph.name}.graph" for graph in view.graphs if graph not in kept])

    def _publish(self, **changes: Any) -> None:
        with self._store.writing:
            self._store.publish(replace(self._store.view, **changes))

    # -- files -------------------------------------------------------------------------------------------------------

    def greatest_stamp(self) -> int:
        """The greatest stamp that an index file may name; none of them is given again."""
        named = [graph_file.last_stamp(path) for path in self._files("*.graph")]
        named += [sketches.last_stamp(path) for path in self._files("*.sketch")]
        return max(named, default=-1)

    def open(self) -> None:
        """Load in the background what was saved, see whether something is to be done, and look for damage."""
        self._background.submit(self._open)

    def _load(self) -> None:
        self.load_sketches()
        self._load_graphs()

    def _open(self) -> None:
        self._load()
        self.look()
        try:
            for _ in settling.checks(self._store.view):
                if self._stopping():
                    return
        except CorruptionError as error:
            logger.error("%s", error)  # whoever reads there gets it, too

    def _files(self, pattern: str = "*") -> list[Path]:
        if self._directory is None or not self._directory.is_dir():
            return []
        return sorted(self._directory.glob(pattern))

    def _load_graphs(self) -> None:
        with self._tending:
            if self._graphs_loaded:
                return
            self._graphs_loaded = True
            paths = self._files("*.graph")
            if not paths or not graphs.available():
                return
            view = self._store.view
            stamps = view.table.stamps[: view.length]
            loaded = [graph_file.load(path, view.table.vectors, stamps, self._store.settings) for path in paths]
            view.table.vectors.release()
            found = _without_taken([graph for graph in loaded if graph is not None], view)
            covered = ~view.alive
            for graph in found:
                covered[graph.rows[graph.rows >= 0]] = True
            # Rows stand in the order they were written, so that what the graphs don't know is at the end.
            self._publish(graphs=tuple(found), covered=len(stamps) if covered.all() else int(np.argmin(covered)))
            self._damaged += loaded.count(None)
            self._forget("*.graph", {graph.name for graph in found})

    def _save(self, graph: Graph) -> None:
        if self._directory is not None and self._writable:
            _make(self._directory)
            graph_file.save(graph, self._directory / f"{graph.name}.graph", self._store.settings)

    def _remove(self, names: Sequence[str]) -> None:
        if self._directory is not None and self._writable:
            for name in names:
                with suppress(OSError):  # it does no harm, and the next opening tries again
                    discard(self._directory / name)

    def _forget(self, pattern: str, known: set[str]) -> None:
        """Delete the files of that kind that are of no use."""
        self._remove([path.name for path in self._files(pattern) if path.stem not in known])

    # -- dead rows and settled vectors -------------------------------------------------------------------------------

    def compact_now(self) -> None:
        """A table of the live rows alone takes the place of the present one; what the graphs cover stays in front."""
        view = self._store.view
        view.table.words.keep_up(view.table.documents, view.length)  # before writers have to wait
        with self._tending:
            with self._store.writing:
                view = self._store.view
                if view.count == view.length or self._closed:
                    return
                table = self._compacted(view)
            self._remove([f"{sketch.name}.sketch" for sketch in view.sketches])
            settling.let_go(table, self._journal)

    def _compacted(self, view: View) -> Table:
        rows = np.flatnonzero(view.alive)
        front = int(np.count_nonzero(view.alive[: view.covered]))
        rows = np.concatenate([view.sorted(rows[:front]), view.sorted(rows[front:])])
        table = settling.moved(view, rows, self._journal)
        table.words = view.table.words.moved(rows, view.length)
        kept = tuple(graph.with_rows_of(table.stamps[:]) for graph in view.graphs)
        self._store.publish(replace(table.view, graphs=kept, covered=front))
        return table

    def finish(self) -> None:
        """Before the journal is closed: what the background had no time for. Who opens, writes and closes again and
        again would leave more dead rows each time.
        """
        view = self._store.view
        if self._journal.mark() is None and settling.is_settled(view) and _wants_compaction(view):
            self.compact_now()
        self.settle_now()

    def settle_now(self) -> None:
        """Put the vectors that the journal keeps into their file, if they are many."""
        with self._tending:
            if self._wants_settling():
                settling.settle(self._store, self._journal)

    def _wants_settling(self) -> bool:
        return settling.possible(self._journal) and settling.wanted(self._store.view)

    # -- the rest ----------------------------------------------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        self._load()
        view = self._store.view
        return {
            "index": "hnsw" if view.graphs else "sketch" if view.sketches else "exact",
            "hnswlib": graphs.installed(),
            "compiled": compiled.IS_THERE,
            "indexed": int(np.count_nonzero(view.alive[: view.covered])),
            "unindexed": len(view.loose()),
            "damaged_indexes": self._damaged,
            "sketched": view.sketched,
            "memory_bytes": view.table.nbytes + sum(sketch.nbytes for sketch in view.sketches),
        }

    def close(self) -> None:
        self._closed = True
        with self._tending:
            pass  # whatever was going on has stopped

    def reopen(self) -> None:
        self._closed = False


def _make(directory: Path) -> None:
    with naming(directory):
        directory.mkdir(parents=True, exist_ok=True)


def _wants_compaction(view: View) -> bool:
    return view.length - view.count > max(_DEAD_FROM, _DEAD_SHARE * view.length)


def _wants_sketch(view: View) -> bool:
    loose = view.length - view.sketched
    return loose >= (SKETCH_TAIL if view.sketches else SKETCH_FROM) and sketches.available()


def _wants_graph(view: View) -> bool:
    loose = view.length - view.covered
    return loose >= (TAIL_FROM if view.graphs else graph_from()) and graphs.available()


def _without_taken(found: Sequence[Graph], view: View) -> list[Graph]:
    """Not those that a larger one took in, and whose files were left when the process ended: each row is found once."""
    kept: list[Graph] = []
    taken = np.zeros(view.length, dtype=np.bool_)
    for graph in sorted(found, key=len, reverse=True):
        rows = graph.rows[graph.rows >= 0]
        if not taken[rows].any():
            taken[rows] = True
            kept.append(graph)
    return kept


def _is_worth_keeping(graph: Graph, view: View, loose: int) -> bool:
    rows = graph.rows[graph.rows >= 0]
    live = int(np.count_nonzero(view.alive[rows]))
    return live > 4 * loose and live > (1 - _DEAD_SHARE) * len(graph)
