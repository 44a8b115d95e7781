"""An HNSW graph over rows that never change: built once, searched by any number of threads, thrown away.

hnswlib must not be searched while it is added to. So a graph is never added to (new rows wait in the table and are
searched by other means until the next graph takes them in), and nothing is ever deleted from it (dead rows are dropped
from the answer). It measures in the subspace where the vectors lie, if there is one of half of the dimensions or less;
what it finds is measured again. What searches it, when it is built, is an `Index` (`point_index`).

Source: Malkov, Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small
World graphs", 2016.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import threading
import warnings
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.distances import Vector, is_finite
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.point_index import CompiledIndex, Index, Near
from chroma_plugin.toolkit.subspace import Subspace
from chroma_plugin.toolkit.vectors import Vectors
from chroma_plugin.types import Matrix, Metric

logger = logging.getLogger("chroma_plugin")

_asking: Final = threading.Lock()


class ExactSearchWarning(UserWarning):
    """A graph would be worth having, and hnswlib is not installed."""


@frozen
class GraphSettings:
    """How to build and search, by Chroma's names."""

    metric: Metric
    max_neighbors: int = 16
    ef_construction: int = 100
    ef_search: int = 100
    num_threads: int = 0
    """0: as many as the machine has cores."""


def installed() -> bool:
    """Whether hnswlib is installed."""
    return importlib.util.find_spec("hnswlib") is not None


def available() -> bool:
    """Whether there can be graphs. Asked when one is wanted: if hnswlib is missing then, a warning says so, once."""
    with _asking:  # a writer and the background may ask at the same moment
        return _available()


@functools.cache
def _available() -> bool:
    if installed():
        return True
    notice = ExactSearchWarning(
        "hnswlib is not installed: searches in large collections are exact and take longer. It needs a C++ "
        "compiler: pip install 'chroma-plugin[hnsw]'"
    )
    try:
        warnings.warn(notice, stacklevel=3)
    except ExactSearchWarning:
        # Where warnings are errors: this may be a write that is on disk already, which must not fail any more.
        logger.warning("%s", notice)
    return False


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph, and the rows of a table that its labels stand for."""

    index: Index
    """Its labels are 0 to len(stamps)."""
    space: Subspace
    """In which the index measures."""
    rows: npt.NDArray[np.intp]
    """The row of each label; -1 when there is none any more."""
    stamps: npt.NDArray[np.int64]
    """The stamp of each label's vector: what finds its row again after the table was read anew."""
    name: str = ""
    """What its files are called."""
    hidden: npt.NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    """The labels that not even a search for their own vectors reaches: nothing in the graph leads to them."""
    found: float = 1.0
    """Of the ten nearest to some of its own points, the share that a search came upon. Among vectors without any
    structure, random numbers, say, it is a half or less.
    """
    leaders: npt.NDArray[np.intp] = field(default_factory=lambda: np.empty((0, 0), dtype=np.intp))
    """For each hidden label some that lie near it and are reached, shape (hidden, some): whoever comes upon one of them
    measures the hidden one, too.
    """

    @functools.cached_property
    def _shown(self) -> npt.NDArray[np.intp]:
        """The rows, without those of hidden labels: a search may come upon one all the same."""
        if not len(self.hidden):
            return self.rows
        shown = self.rows.copy()
        shown[self.hidden] = -1
        return shown

    @functools.cached_property
    def _followers(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The hidden labels, ordered by those that lead to them, themselves among these; and for each label where those
        begin that it leads to. They end where those of the next one begin.
        """
        leading = np.concatenate([self.leaders, self.hidden[:, None]], axis=1)
        order = np.argsort(leading, axis=None, kind="stable")
        starts = np.searchsorted(leading.reshape(-1)[order], np.arange(len(self) + 1))
        return self.hidden.repeat(leading.shape[1])[order], starts

    def _beside(self, labels: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """The rows of the hidden labels that any of these leads to."""
        if not len(self.hidden):
            return self.hidden
        followers, starts = self._followers
        firsts, lasts = starts.take(labels), starts.take(labels + 1)
        led = firsts < lasts
        runs = zip(firsts[led].tolist(), lasts[led].tolist(), strict=True)
        beside = np.unique(np.concatenate([self.hidden[:0], *(followers[slice(*run)] for run in runs)]))
        rows: npt.NDArray[np.intp] = self.rows[beside]
        return rows[rows >= 0]

    @functools.cached_property
    def is_whole(self) -> bool:
        """Whether a record is behind every label."""
        return bool((self.rows >= 0).all())

    def __len__(self) -> int:
        return len(self.stamps)

    def search(
        self, queries: Matrix, k: int, settings: GraphSettings
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32], npt.NDArray[np.intp]] | None:
        """About the k nearest rows to each query, of shape (q, k), -1 where the record is gone or hidden; what their
        scores seem to be (see `scores`); and the hidden rows that may be near to any of the queries. None when the
        graph reaches fewer than k. In the caller's thread alone, which need not be the only one.
        """
        near = self.near(queries, k, settings)
        return None if near is None else (self._shown[near[0]], near[1], self._beside(near[0]))

    def near(self, queries: Matrix, k: int, settings: GraphSettings) -> Near | None:
        """The labels, and what their scores seem to be."""
        k = min(k, len(self))
        return self.index.near(queries, k, max(settings.ef_search, k))

    def measured(
        self, query: Vector, k: int, candidates: int, vectors: Vectors, settings: GraphSettings
    ) -> tuple[npt.NDArray[np.intp], Vector] | None:
        """Of the rows that `search` finds for one query those that may be among the k nearest, hidden ones among them,
        and their distances.
        """
        found = self._measured_at_once(query, k, min(candidates, len(self)), vectors, settings)
        if found is not None and is_finite(found[2]):
            return self._with_beside(query, *found, vectors, settings.metric)
        near = self.near(query[None], candidates, settings)
        if near is None:
            return None
        rows = self._shown[near[0][0]]
        rows = np.concatenate([rows[rows >= 0], self._beside(near[0])])
        return rows, vectors.measured(query, rows, settings.metric)

    def _measured_at_once(
        self, query: Vector, k: int, candidates: int, vectors: Vectors, settings: GraphSettings
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Vector] | None:
        """The labels of all, and of those that are not hidden the rows and distances; None where that can't be."""
        place = vectors.sound()
        if place is None or not isinstance(self.index, CompiledIndex):
            return None
        ef = max(settings.ef_search, candidates)
        try:
            return self.index.measured(query, k, candidates, ef, self._shown, place)
        except ValueError:
            vectors.must_be_whole()
            raise

    def _with_beside(
        self,
        query: Vector,
        labels: npt.NDArray[np.intp],
        rows: npt.NDArray[np.intp],
        away: Vector,
        vectors: Vectors,
        metric: Metric,
    ) -> tuple[npt.NDArray[np.intp], Vector]:
        """And the hidden rows to which those labels lead that are about as near as the rows."""
        beside = self._beside(labels[: 2 * len(rows)])
        if not len(beside):
            return rows, away
        return np.concatenate([rows, beside]), np.concatenate([away, vectors.measured(query, beside, metric)])

    def with_rows_of(self, stamps: npt.NDArray[np.int64]) -> Graph:
        """The same graph over a table whose row i has the stamp ``stamps[i]``."""
        return replace(self, rows=rows_of_stamps(self.stamps, stamps))


def rows_of_stamps(wanted: npt.NDArray[np.int64], stamps: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Where those are in a table whose row i has the stamp ``stamps[i]``; -1: nowhere."""
    order = np.argsort(stamps, kind="stable")
    if not len(order):
        return np.full(len(wanted), -1, dtype=np.intp)
    near = np.minimum(np.searchsorted(stamps[order], wanted), len(order) - 1)
    return np.where(stamps[order][near] == wanted, order[near], -1).astype(np.intp)
