"""What keeps a local store quick: graphs over its rows, built and loaded beside its reads and writes, and no dead rows.

Everything here is derived from the records and can be thrown away.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import numpy as np

from chroma_plugin.errors import CorruptionError
from chroma_plugin.toolkit import graph as graphs
from chroma_plugin.toolkit import settling
from chroma_plugin.toolkit.background import Background
from chroma_plugin.toolkit.graph import Graph
from chroma_plugin.toolkit.journal import Journal
from chroma_plugin.toolkit.planner import GRAPH_FROM, TAIL_FROM
from chroma_plugin.toolkit.table import View

if TYPE_CHECKING:
    from chroma_plugin.toolkit.local import LocalStore

logger = logging.getLogger("chroma_plugin")

_DEAD_SHARE: Final = 0.3
"""Dead rows cost every sweep and every graph; above this share they are dropped."""
_DEAD_FROM: Final = 1_000
_QUIET: Final = 0.2
"""Seconds without a write before a graph is begun: a bulk load is indexed once, not in pieces."""
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
        self._closed = False
        self._loaded = False
        self._damaged = 0

    # -- deciding ----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """After a write: have done in the background what has become worth doing."""
        view = self._store.view
        if _wants_compaction(view) or self._wants_settling() or (_wants_graph(view) and graphs.available()):
            self._background.submit(self._tend)

    def _tend(self) -> None:
        self._wait_for_quiet()
        with self._tending:
            if self._stopping():
                return
            if _wants_compaction(self._store.view):
                self.compact_now()
            self.settle_now()
            if _wants_graph(self._store.view) and graphs.available():
                self._build()

    def _wait_for_quiet(self) -> None:
        waited = 0.0
        before = None
        while waited < _PATIENCE and before is not self._store.view and not self._stopping():
            before = self._store.view
            self._background.pause(_QUIET)
            waited += _QUIET

    def _stopping(self) -> bool:
        return self._closed or self._background.stopping()

    # -- graphs ------------------------------------------------------------------------------------------------------

    def index_now(self) -> None:
        """Cover every row by a graph and wait for it, unless there are so few that a sweep is better."""
        with self._tending:
            view = self._store.view
            if view.count >= GRAPH_FROM and len(view.loose()) and graphs.available():
                self._build()

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
            built = graphs.build(table.vectors, rows, stamps, self._store.settings, self._stopping)
            if built is None:
                return
            kept.append(replace(built, name=uuid4().hex))
            self._save(kept[-1])
        view.table.vectors.release()
        self._publish(tuple(kept), view.length)
        self._remove([graph for graph in view.graphs if graph not in kept])

    def _publish(self, kept: tuple[Graph, ...], covered: int) -> None:
        with self._store.writing:
            self._store.publish(replace(self._store.view, graphs=kept, covered=covered))

    # -- files -------------------------------------------------------------------------------------------------------

    def greatest_stamp(self) -> int:
        """The greatest stamp that an index file may name; none of them is given again."""
        return max((graphs.last_stamp(path) for path in self._files("*.json")), default=-1)

    def open(self) -> None:
        """Load in the background what was saved, see whether something is to be done, and look for damage."""
        self._background.submit(self._open)

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

    def _load(self) -> None:
        with self._tending:
            if self._loaded:
                return
            self._loaded = True
            if not self._files() or not graphs.available():
                return
            view = self._store.view
            table, stamps = view.table, view.table.stamps[: view.length]
            names = [path.with_suffix("") for path in self._files("*.json")]
            loaded = [graphs.load(name, table.dimension, self._store.settings) for name in names]
            found = [graph.with_rows_of(stamps) for graph in loaded if graph is not None]
            covered = ~view.alive
            for graph in found:
                covered[graph.rows[graph.rows >= 0]] = True
            # Rows stand in the order they were written, so that what the graphs don't know is at the end.
            self._publish(tuple(found), len(stamps) if covered.all() else int(np.argmin(covered)))
            self._damaged = len(names) - len(found)
            self._forget_files_but(found)

    def _save(self, graph: Graph) -> None:
        if self._directory is not None and self._writable:
            self._directory.mkdir(parents=True, exist_ok=True)
            graphs.save(graph, self._directory / graph.name, self._store.settings)

    def _remove(self, unused: Sequence[Graph]) -> None:
        if self._directory is not None and self._writable:
            for graph in unused:
                graphs.remove(self._directory / graph.name)

    def _forget_files_but(self, found: Sequence[Graph]) -> None:
        names = {graph.name for graph in found}
        for path in self._files() if self._writable else []:
            if path.name.partition(".")[0] not in names:
                path.unlink(missing_ok=True)

    # -- dead rows and settled vectors -------------------------------------------------------------------------------

    def compact_now(self) -> None:
        """A table of the live rows alone takes the place of the present one; what the graphs cover stays in front."""
        view = self._store.view
        view.table.texts.keep_up(view.table.documents, view.length)  # before writers have to wait
        with self._tending, self._store.writing:
            view = self._store.view
            if view.count == view.length:
                return
            rows = np.flatnonzero(view.alive)
            front = int(np.count_nonzero(view.alive[: view.covered]))
            rows = np.concatenate([view.sorted(rows[:front]), view.sorted(rows[front:])])
            table = settling.moved(view, rows, self._journal)
            table.texts = view.table.texts.moved(rows, view.length)
            kept = tuple(graph.with_rows_of(table.stamps[:]) for graph in view.graphs)
            self._store.publish(replace(table.view, graphs=kept, covered=front))

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
            "index": "hnsw" if view.graphs else "exact",
            "hnswlib": graphs.installed(),
            "indexed": int(np.count_nonzero(view.alive[: view.covered])),
            "unindexed": len(view.loose()),
            "damaged_indexes": self._damaged,
            "memory_bytes": view.table.nbytes,
        }

    def close(self) -> None:
        self._closed = True
        with self._tending:
            pass  # whatever was going on has stopped


def _wants_compaction(view: View) -> bool:
    return view.length - view.count > max(_DEAD_FROM, _DEAD_SHARE * view.length)


def _wants_graph(view: View) -> bool:
    return view.length - view.covered >= (TAIL_FROM if view.graphs else GRAPH_FROM)


def _is_worth_keeping(graph: Graph, view: View, loose: int) -> bool:
    rows = graph.rows[graph.rows >= 0]
    live = int(np.count_nonzero(view.alive[rows]))
    return live > 4 * loose and live > (1 - _DEAD_SHARE) * len(graph)
