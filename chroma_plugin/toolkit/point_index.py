"""What finds the points of a graph that are near to others: hnswlib, or what is compiled for a graph that is finished.

hnswlib builds every graph, and can search it. What is compiled finds the same in half of the time and holds a third of
the bytes, because it rounds the points: each coordinate to a byte, by a step that is the point's own. Whatever a graph
finds is measured again with the vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from chroma_plugin import compiled
from chroma_plugin.toolkit import bare_graph
from chroma_plugin.toolkit.bare_graph import Parts
from chroma_plugin.toolkit.subspace import Subspace
from chroma_plugin.types import Matrix, Metric

if compiled.IS_THERE:
    from chroma_plugin.compiled._native import Links

Labels = npt.NDArray[np.intp]
Near = tuple[Labels, npt.NDArray[np.float32]]
"""For each query labels, nearest first, and what their scores seem to be (see `scores`), of shape (q, k) both."""


class Index(Protocol):
    """Points with labels. Searched by any number of threads."""

    def near(self, queries: Matrix, k: int, ef: int) -> Near | None:
        """The k nearest to each query, of ef candidates; None when fewer are found. In the caller's thread alone."""

    def parts(self) -> Parts | None:
        """What can be saved; None when it is of no known form."""


class HnswlibIndex:
    """A hnswlib.Index. Nothing must search it while it is added to."""

    def __init__(self, space: Subspace) -> None:
        import hnswlib

        # Among points of length 1 the inner product gives the same order in less time. Of shorter ones 1 less the
        # product would be 1.
        name = "ip" if space.metric is Metric.COSINE else "l2"
        self._index: Any = hnswlib.Index(space=name, dim=space.projection.kept)
        self._space = space

    def reserve(self, count: int, max_neighbors: int, ef_construction: int) -> None:
        """Begin a new one for so many points."""
        self._index.init_index(count, M=max_neighbors, ef_construction=ef_construction)

    def add(self, points: Matrix, labels: Labels, threads: int) -> None:
        """``threads``: as many as there are cores, if -1."""
        self._index.add_items(points, labels, num_threads=threads)

    def near(self, queries: Matrix, k: int, ef: int) -> Near | None:
        points, lengths = self._space.asked(queries)
        found = self._search(points, k, ef)
        return None if found is None else (found[0], self._space.scores(found[1], lengths))

    def near_to_points(self, points: Matrix, k: int, ef: int) -> Labels | None:
        """The labels of the k points nearest to each point."""
        found = self._search(points, k, ef)
        return None if found is None else found[0]

    def _search(self, points: Matrix, k: int, ef: int) -> tuple[Labels, npt.NDArray[np.float32]] | None:
        self._index.set_ef(ef)
        try:
            labels, away = self._index.knn_query(points, k=k, num_threads=1)
        except RuntimeError:
            # Among many equal vectors parts of a graph may be cut off from each other.
            return None
        return labels.view(np.intp), away

    def parts(self) -> Parts | None:
        found = bare_graph.stripped(self._index)
        return None if found is None else found[0]

    def restore(self, parts: Parts, points: Callable[[slice], Matrix]) -> None:
        """Have what was saved; ``points`` gives those of nodes."""
        bare_graph.restore(self._index, parts, points)

    def finished(self) -> Index:
        """What searches it from now on, when nothing is added any more."""
        found = bare_graph.stripped(self._index) if compiled.IS_THERE else None
        if found is None:
            return self
        parts, points = found
        return CompiledIndex(parts, lambda piece: points[piece], self._space)


class CompiledIndex:
    """The links of a graph, and its points, rounded."""

    def __init__(self, parts: Parts, points: Callable[[slice], Matrix], space: Subspace) -> None:
        """``points`` gives those of nodes. Raises ValueError for links that lead nowhere."""
        self._parts = parts
        numbers = (parts.count, parts.entry, *parts.most, parts.levels)
        basis, metric = space.projection.basis, space.metric.value[0]
        self._links = Links(parts.nodes, parts.rest, *numbers, metric, basis, basis.shape[1], space.alike)
        for piece in bare_graph.pieces(parts.count):
            self._links.place(piece.start, np.ascontiguousarray(points(piece)))

    def near(self, queries: Matrix, k: int, ef: int) -> Near | None:
        labels, scores = np.empty((len(queries), k), dtype=np.intp), np.empty((len(queries), k), dtype=np.float32)
        return (labels, scores) if self._links.near(queries, k, ef, labels, scores) else None

    def measured(
        self,
        query: npt.NDArray[np.float32],
        k: int,
        candidates: int,
        ef: int,
        rows: npt.NDArray[np.intp],
        vectors: Matrix | int,
    ) -> tuple[Labels, npt.NDArray[np.intp], npt.NDArray[np.float32]] | None:
        """The labels of so many points nearest to a query; of those that have a row the rows that may be among the k
        nearest, and the distances of their vectors, which are in a matrix or in an open file. ``rows`` are those of all
        labels. None when fewer are found.
        """
        labels, found = np.empty(candidates, dtype=np.intp), np.empty(candidates, dtype=np.intp)
        away = np.empty(candidates, dtype=np.float32)
        count = self._links.measured(query, min(k, candidates), ef, rows, vectors, labels, found, away)
        return None if count is None else (labels, found[:count], away[:count])

    def parts(self) -> Parts | None:
        return self._parts


def restored(parts: Parts, points: Callable[[slice], Matrix], space: Subspace) -> Index:
    """What was saved; ``points`` gives those of nodes."""
    if compiled.IS_THERE:
        return CompiledIndex(parts, points, space)
    index = HnswlibIndex(space)
    index.restore(parts, points)
    return index
