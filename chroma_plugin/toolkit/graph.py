"""An HNSW graph over rows that never change: built once, searched by any number of threads, thrown away.

hnswlib must not be searched while it is added to. So a graph is never added to (new rows wait in the table and are
searched by other means until the next graph takes them in), and nothing is ever deleted from it (dead rows are dropped
from the answer). It measures in the subspace where the vectors lie, in half of the memory or less, if there is one that
small; what it finds is measured again.

Source: Malkov, Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small
World graphs", 2016.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import math
import threading
import warnings
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.distances import squares
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.point_index import Index
from chroma_plugin.toolkit.projection import Projection, unit
from chroma_plugin.types import Matrix, Metric

logger = logging.getLogger("chroma_plugin")

_ALIKE_OUTSIDE: Final = np.float32(0.6)
"""The cosine that is expected between what a query and a vector near to it have outside of the subspace. Of the ten
nearest docstrings so many are among the forty that seem nearest in 128 coordinates, with 0: .981; 0.4: .990; 0.6: .993;
0.8: .993; 1: .990. What is measured is 0.4; but who is as near as the nearest is more alike than the usual neighbour.
"""

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
    projection: Projection
    """The subspace in which the index measures."""
    square: float
    """That of the longest vector; 1 for cosine. For cosine and ip it is that of every point."""
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
        if near is None:
            return None
        labels, away, squared = near
        lengths: npt.NDArray[np.float32] = np.sqrt(squared)
        if settings.metric is Metric.COSINE:
            scores = (1 - away) * lengths
        elif settings.metric is Metric.IP:
            # Both are as long as the longest vector: so the distance tells the inner product.
            scores = (np.float32(self.square) - away / 2) * (lengths / self._length)
        else:
            scores = squared - away
        return self._shown[labels], scores, self._beside(labels)

    def near(
        self, queries: Matrix, k: int, settings: GraphSettings
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
        """The labels, how far the index says they are, and the squared lengths of what stands for the queries, of shape
        (q, 1).
        """
        points, squared = self._asked(queries, settings.metric)
        squared = squared[:, None]
        if settings.metric is not Metric.L2:
            lengths = np.sqrt(squared)
            points *= self._length / np.where(lengths > 0, lengths, 1)
        found = self.labels(points, k, settings)
        return None if found is None else (*found, squared)

    def nearest(self, query: npt.NDArray[np.float32], k: int, settings: GraphSettings) -> npt.NDArray[np.intp] | None:
        """The rows that `search` finds for one query, hidden ones among them, for who does not ask for their scores."""
        point, length = self._asked_for_one(query, settings.metric)
        if settings.metric is not Metric.L2 and length:
            point *= self._length / length
        found = self.labels(point, k, settings)
        if found is None:
            return None
        rows = self._shown[found[0][0]]
        return np.concatenate([rows[rows >= 0], self._beside(found[0])]) if len(self.hidden) else rows

    @property
    def _length(self) -> np.float32:
        """How long queries are made for cosine and ip, where that changes nothing in the order: as long as all points,
        or else the distances would differ in digits that float32 does not have.
        """
        return np.float32(math.sqrt(self.square) or 1)

    def labels(
        self, points: npt.NDArray[np.float32], k: int, settings: GraphSettings
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]] | None:
        """The labels, and how far the index says they are from the points."""
        k = min(k, len(self))
        return self.index.search(points, k, max(settings.ef_search, k))

    def _asked(self, queries: Matrix, metric: Metric) -> tuple[Matrix, npt.NDArray[np.float32]]:
        """What stands for queries in the index, and its squared lengths. What a query and a vector have outside
        of the subspace is known by its lengths alone; near ones point the same way there, too, on the whole.
        """
        points = self.projection.apply(queries)
        points[:, -1] = 0
        squared = squares(points)
        if metric is not Metric.IP:  # where the last coordinate of points is no such length
            outside = np.maximum(squares(queries) - squared, 0) * _ALIKE_OUTSIDE**2
            points[:, -1] = np.sqrt(outside)
            squared += outside
        return points, squared

    def _asked_for_one(self, query: npt.NDArray[np.float32], metric: Metric) -> tuple[npt.NDArray[np.float32], float]:
        """The same for one query, and its length: numpy takes longer to begin than to compute so little."""
        point = self.projection.apply(query[None])[0]
        point[-1] = 0
        squared = float(np.vdot(point, point))
        if metric is not Metric.IP:
            outside = max(float(np.vdot(query, query)) - squared, 0.0) * float(_ALIKE_OUTSIDE) ** 2
            point[-1] = math.sqrt(outside)
            squared += outside
        return point, math.sqrt(squared)

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


def points_of(embeddings: Matrix, metric: Metric, projection: Projection, square: float) -> Matrix:
    """What stands for the embeddings in the index: their coordinates in the subspace, the last but for one more.

    The one more brings the points to the length of the embeddings, so that distances from a query in the subspace are
    right but for what both have outside of it. For cosine and ip it brings all to one length: a graph over the inner
    product finds little, and this turns it into a distance with the same order: Bachrach et al., "Speeding Up the
    Xbox Recommender System Using a Euclidean Transformation for Inner-Product Spaces", 2014. It takes the place of a
    coordinate because hnswlib is quick where their number is a multiple of 16.
    """
    if metric is Metric.COSINE:
        embeddings = unit(embeddings)[0]
    points = projection.apply(embeddings)
    wanted = squares(embeddings) if metric is Metric.L2 else np.float32(square)
    points[:, -1] = np.sqrt(np.maximum(wanted - squares(points[:, :-1]), 0))
    return points
