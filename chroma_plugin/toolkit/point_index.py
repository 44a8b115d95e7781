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
from chroma_plugin.distances import squares
from chroma_plugin.toolkit import bare_graph
from chroma_plugin.toolkit.bare_graph import Bytes, Parts
from chroma_plugin.types import Matrix, Metric

if compiled.IS_THERE:
    from chroma_plugin.compiled._native import Links

Near = tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]
"""Labels, nearest first, and how far they seem to be: 1 - the inner product for cosine, else squared. Of shape
(q, k) both.
"""


class Index(Protocol):
    """Points with labels. Searched by any number of threads."""

    def search(self, points: npt.NDArray[np.float32], k: int, ef: int) -> Near | None:
        """The k nearest to each point, of ef candidates; None when fewer are found. In the caller's thread alone."""

    def parts(self) -> Parts | None:
        """What can be saved; None when it is of no known form."""


class HnswlibIndex:
    """A hnswlib.Index. Nothing must search it while it is added to."""

    def __init__(self, kept: int, metric: Metric) -> None:
        import hnswlib

        # Among points of length 1 the inner product gives the same order in less time. Of shorter ones 1 less the
        # product would be 1.
        self._index: Any = hnswlib.Index(space="ip" if metric is Metric.COSINE else "l2", dim=kept)
        self._metric = metric

    def reserve(self, count: int, max_neighbors: int, ef_construction: int) -> None:
        """Begin a new one for so many points."""
        self._index.init_index(count, M=max_neighbors, ef_construction=ef_construction)

    def add(self, points: Matrix, labels: npt.NDArray[np.intp], threads: int) -> None:
        """``threads``: as many as there are cores, if -1."""
        self._index.add_items(points, labels, num_threads=threads)

    def search(self, points: npt.NDArray[np.float32], k: int, ef: int) -> Near | None:
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
        return CompiledIndex(parts, lambda piece: points[piece], self._metric)


class CompiledIndex:
    """The links of a graph, and its points, rounded."""

    def __init__(self, parts: Parts, points: Callable[[slice], Matrix], metric: Metric) -> None:
        """``points`` gives those of nodes. Raises ValueError for links that lead nowhere."""
        self._parts = parts
        self._squared = metric is not Metric.COSINE
        rounded = np.concatenate([_rounded(points(piece)) for piece in bare_graph.pieces(parts.count)])
        most, above = parts.most
        self._links = Links(parts.nodes, parts.rest, rounded, parts.count, parts.entry, most, above, parts.levels)

    def search(self, points: npt.NDArray[np.float32], k: int, ef: int) -> Near | None:
        queries = points.size // points.shape[-1]
        labels, away = np.empty((queries, k), dtype=np.intp), np.empty((queries, k), dtype=np.float32)
        return (labels, away) if self._links.search(points, k, ef, self._squared, labels, away) else None

    def parts(self) -> Parts | None:
        return self._parts


def restored(parts: Parts, points: Callable[[slice], Matrix], kept: int, metric: Metric) -> Index:
    """What was saved; ``points`` gives those of nodes."""
    if compiled.IS_THERE:
        return CompiledIndex(parts, points, metric)
    index = HnswlibIndex(kept, metric)
    index.restore(parts, points)
    return index


def _rounded(points: Matrix) -> Bytes:
    """Of each point what its step is worth, its squared length, and its coordinates in steps, as bytes."""
    steps = np.abs(points).max(axis=1) / np.float32(127)
    steps[steps == 0] = 1
    head = np.stack([steps, squares(points)], axis=1).astype("<f4")
    coordinates = np.rint(points / steps[:, None]).astype(np.int8)
    return np.concatenate([head.view(np.uint8), coordinates.view(np.uint8)], axis=1)
