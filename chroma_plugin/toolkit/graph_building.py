"""Building a graph: its points in order, then links to those that nothing leads to, then a look at what it is worth."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.distances import Vector, squares
from chroma_plugin.toolkit.graph import Graph, GraphSettings
from chroma_plugin.toolkit.point_index import HnswlibIndex
from chroma_plugin.toolkit.projection import Projection
from chroma_plugin.toolkit.scores import computed
from chroma_plugin.toolkit.subspace import Subspace
from chroma_plugin.toolkit.vectors import Vectors
from chroma_plugin.types import Matrix, Metric

_LEADERS: Final = 8
"""Labels that lead to a hidden one."""
_SHORT: Final = 8
"""Candidates of a search that is to see only whether a point is reached."""
_VICINITY: Final = 200
_JUDGES: Final = 64
"""Points whose neighbours are looked for in a new graph, to see what it is worth."""
_NEAREST: Final = 10
_USUAL: Final = 100
"""Candidates that a search has unless somebody says otherwise."""
_SLICE: Final = 1000
"""Vectors added between two looks at whether to stop: some 0.2 s of work."""
_EACH: Final = 125
"""Vectors that a thread adds before the others are waited for: some 0.05 s of work."""


def build(
    vectors: Vectors,
    rows: npt.NDArray[np.intp],
    stamps: npt.NDArray[np.int64],
    settings: GraphSettings,
    projection: Projection,
    stop: Callable[[], bool],
    run: Callable[[Callable[[], object]], None],
) -> Graph | None:
    """A graph over the vectors in those rows, as they are in a subspace; None when `stop` said so on the way. ``run``
    is given what takes long in pieces, which keep no lock.
    """
    pieces = [slice(start, start + _SLICE) for start in range(0, len(rows), _SLICE)]
    at_once = _EACH * (settings.num_threads or os.cpu_count() or 1)
    square = 1.0
    if settings.metric is not Metric.COSINE:
        square = max(float(squares(vectors.take(rows[piece])).max()) for piece in pieces)
    space = Subspace(settings.metric, projection, square)
    index = HnswlibIndex(space)
    index.reserve(len(rows), settings.max_neighbors, settings.ef_construction)
    for piece in pieces:
        if stop():
            return None
        points = space.points(vectors.take(rows[piece]))
        for start in range(0, len(points), at_once):
            some = points[start : start + at_once]
            labels = np.arange(len(some)) + (piece.start + start)
            run(functools.partial(index.add, some, labels, settings.num_threads or -1))
    graph = _without_lost(Graph(index, space, rows, stamps), index, vectors, settings)
    graph = led(replace(graph, index=index.finished()), vectors, settings)
    return replace(graph, found=_share_found(graph, vectors, settings))


def _without_lost(graph: Graph, index: HnswlibIndex, vectors: Vectors, settings: GraphSettings) -> Graph:
    """The graph, with links to the points that nothing led to, and with those named that still nothing leads to."""
    lost = _lost(graph, index, np.arange(len(graph)), vectors, settings)
    if not len(lost):
        return graph
    # One in a thousand. Added again, they are linked with those that are near now, and nine of ten are reached. These
    # links take the place of others, so that those near them have to be looked for again.
    near = _vicinity(graph, index, lost, vectors, settings)
    index.add(graph.space.points(vectors.take(graph.rows[lost])), lost, 1)
    return replace(graph, hidden=_lost(graph, index, near, vectors, settings))


def led(graph: Graph, vectors: Vectors, settings: GraphSettings) -> Graph:
    """The graph, with those named that lead to hidden labels: what a short search for a hidden vector comes upon. So it
    is found by itself.
    """
    leaders = graph.hidden[:, None].repeat(_LEADERS, axis=1)
    there = np.flatnonzero(graph.rows[graph.hidden] >= 0)
    if len(there):
        short = replace(settings, ef_search=_LEADERS)
        near = graph.near(vectors.take(graph.rows[graph.hidden[there]]), _LEADERS, short)
        if near is not None:
            leaders[there, : near[0].shape[1]] = near[0]
    return replace(graph, leaders=leaders)


def _share_found(graph: Graph, vectors: Vectors, settings: GraphSettings) -> float:
    """See `Graph.found`."""
    judges = np.unique(np.linspace(0, len(graph) - 1, _JUDGES).astype(np.intp))
    queries = vectors.take(graph.rows[judges])
    k = min(_NEAREST, len(graph))
    usual = replace(settings, ef_search=max(settings.ef_search, _USUAL))
    came = [graph.search(query[None], settings.ef_search, usual) for query in queries]
    lowest = _kth_scores(queries, k, graph.rows, vectors, settings.metric)
    counts = [
        0 if near is None else _count_from(low, query, np.concatenate([near[0][0], near[2]]), vectors, settings.metric)
        for query, near, low in zip(queries, came, lowest, strict=True)
    ]
    return float(np.minimum(counts, k).mean()) / k


def _count_from(lowest: np.float32, query: Vector, rows: npt.NDArray[np.intp], vectors: Vectors, metric: Metric) -> int:
    """How many of the rows score as much, -1 left out."""
    return int(np.count_nonzero(_scores(query[None], vectors.take(rows[rows >= 0]), metric) >= lowest))


def _kth_scores(
    queries: Matrix, k: int, rows: npt.NDArray[np.intp], vectors: Vectors, metric: Metric
) -> npt.NDArray[np.float32]:
    """For each query the k-th highest score among those rows, less what rounding may have done to it."""
    best = np.empty((len(queries), 0), dtype=np.float32)
    for start in range(0, len(rows), _SLICE):
        scores = _scores(queries, vectors.take(rows[start : start + _SLICE]), metric)
        best = np.sort(np.concatenate([best, scores], axis=1), axis=1)[:, -k:]
    lowest: npt.NDArray[np.float32] = best[:, 0] - np.float32(1e-5) * np.abs(best).max(axis=1)
    return lowest


def _scores(queries: Matrix, embeddings: Matrix, metric: Metric) -> Matrix:
    return computed(queries, embeddings, squares(embeddings), metric)


def _labels_near(
    graph: Graph,
    index: HnswlibIndex,
    labels: npt.NDArray[np.intp],
    k: int,
    vectors: Vectors,
    settings: GraphSettings,
) -> npt.NDArray[np.intp] | None:
    """What a search comes upon that begins with the vectors of those labels, shape (labels, k): with the points that
    stand for them if the nearest to a vector need not be itself.
    """
    embeddings, ef = vectors.take(graph.rows[labels]), max(settings.ef_search, k)
    if settings.metric is Metric.IP:
        return index.near_to_points(graph.space.points(embeddings), k, ef)
    near = index.near(embeddings, k, ef)
    return None if near is None else near[0]


def _vicinity(
    graph: Graph, index: HnswlibIndex, labels: npt.NDArray[np.intp], vectors: Vectors, settings: GraphSettings
) -> npt.NDArray[np.intp]:
    """Those labels, and what is found near them."""
    near = _labels_near(graph, index, labels, min(max(_VICINITY, settings.ef_search), len(graph)), vectors, settings)
    return labels if near is None else np.union1d(labels, near)


def _lost(
    graph: Graph, index: HnswlibIndex, labels: npt.NDArray[np.intp], vectors: Vectors, settings: GraphSettings
) -> npt.NDArray[np.intp]:
    """Which of those labels their own vectors don't lead to. A short search finds nearly all; the others are searched
    for as they will be.
    """
    lost = labels
    for ef in (min(_SHORT, settings.ef_search), settings.ef_search):
        pieces = [lost[start : start + _SLICE] for start in range(0, len(lost), _SLICE)]
        found = [_not_found(graph, index, piece, vectors, replace(settings, ef_search=ef)) for piece in pieces]
        lost = np.concatenate([lost[:0], *found])
    return lost


def _not_found(
    graph: Graph, index: HnswlibIndex, labels: npt.NDArray[np.intp], vectors: Vectors, settings: GraphSettings
) -> npt.NDArray[np.intp]:
    near = _labels_near(graph, index, labels, min(settings.ef_search, len(graph)), vectors, settings)
    return labels if near is None else labels[(near != labels[:, None]).all(axis=1)]
