"""The nearest rows of a view: the three plans of `planner`, carried out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chroma_plugin import distances
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.graph import GraphSettings
from chroma_plugin.toolkit.planner import Plan, choose
from chroma_plugin.toolkit.table import View
from chroma_plugin.toolkit.vectors import RowNumbers
from chroma_plugin.types import Matrix, Metric

_BLOCK = 16 << 20
"""How many float32 scores a sweep holds at a time: 64 MB."""

Vector = npt.NDArray[np.float32]
Found = tuple[RowNumbers, Vector]
"""Rows, nearest first, and their distances."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """A search over one view."""

    view: View
    settings: GraphSettings
    k: int
    among: Mask
    """The rows that qualify, shape (view.length,)."""
    qualifying: int
    """How many those are."""
    exact: bool = False

    def find(self, queries: Matrix) -> list[Found]:
        """One answer per query: min(k, qualifying) rows each."""
        if not self.qualifying:
            return [_NOTHING for _ in queries]
        plan = choose(self.view, self.qualifying, self.k, exact=self.exact)
        if plan is Plan.GRAPH:
            return self._by_graphs(queries)
        return self._measure_all(queries, np.flatnonzero(self.among) if plan is Plan.GATHER else None)

    # -- exact -------------------------------------------------------------------------------------------------------

    def _measure_all(self, queries: Matrix, rows: RowNumbers | None) -> list[Found]:
        """Measure the given rows, or, when None, all rows in place."""
        candidates = self._block(0) if rows is None else self._gathered(rows)
        excluded = ~self.among if rows is None and self.qualifying < self.view.length else None
        return [
            self._ranked(query, near if rows is None else rows[near])
            for query, near in zip(queries, candidates.near(queries, self.k, excluded), strict=True)
        ]

    def _block(self, first: int) -> _Candidates:
        """All rows from that one on, in place."""
        table, length = self.view.table, self.view.length
        return _Candidates(table.vectors.block(first, length), table.squares(first, length), self.settings.metric)

    def _gathered(self, rows: RowNumbers) -> _Candidates:
        embeddings = self.view.table.vectors.take(rows)
        return _Candidates(embeddings, distances.squares(embeddings), self.settings.metric)

    def _ranked(self, query: Vector, rows: RowNumbers) -> Found:
        """The k nearest of those rows by the distance itself, ties in the order of insertion."""
        rows = rows[self.among[rows]]
        table = self.view.table
        measured = distances.one(query, table.vectors.take(rows), self.settings.metric)
        order = np.lexsort((table.places[: self.view.length][rows], measured))[: self.k]
        return rows[order], measured[order]

    # -- approximate -------------------------------------------------------------------------------------------------

    def _by_graphs(self, queries: Matrix) -> list[Found]:
        view = self.view
        covered = int(np.count_nonzero(self.among[: view.covered]))
        # Of a graph's labels only some are alive and qualify: ask for so many more that k of them should be left.
        labels = sum(len(graph) for graph in view.graphs)
        wanted = int(self.k * labels / max(covered, 1) * 1.2) + 8
        asked = [graph.search(queries, wanted, self.settings) for graph in view.graphs]
        answers = [answer for answer in asked if answer is not None]
        if len(answers) < len(asked):
            return self._measure_all(queries, None)
        found: list[Found] = []
        for number, (query, loose) in enumerate(zip(queries, self._near_loose(queries), strict=True)):
            near = np.concatenate([answer[number] for answer in answers])
            near = near[near >= 0]
            near = near[self.among[near]]
            if len(near) < min(self.k, covered):
                found += self._measure_all(query[None], None)
            else:
                found.append(self._ranked(query, np.concatenate([near, loose])))
        return found

    def _near_loose(self, queries: Matrix) -> Iterator[RowNumbers]:
        """For each query the nearest of the rows that no graph covers."""
        excluded = ~self.among[self.view.covered :]
        for near in self._block(self.view.covered).near(queries, self.k, excluded):
            yield near + self.view.covered


_NOTHING: Found = (np.empty(0, dtype=np.intp), np.empty(0, dtype=np.float32))

_FEW = 4
"""Queries up to which a matrix product is no quicker than one after the other."""

_ROUNDING = 1e-6
"""The error of a float32 inner product, relative to the two lengths: some eps * sqrt(dimension)."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Embeddings to be measured against queries by matrix products."""

    embeddings: Matrix
    squares: Vector
    metric: Metric

    def near(self, queries: Matrix, k: int, excluded: Mask | None = None) -> Iterator[RowNumbers]:
        """For each query the k nearest, and all that rounding may have put just behind them, in no order."""
        step = max(1, _BLOCK // max(len(self.embeddings), 1))
        for start in range(0, len(queries), step):
            block = queries[start : start + step]
            scores = self._scores(block)
            if excluded is not None:
                scores[:, excluded] = np.inf
            slacks = self._slack(block)
            for row_scores, slack in zip(scores, slacks, strict=True):
                yield _smallest(row_scores, k, slack)

    def _scores(self, queries: Matrix) -> Matrix:
        """What orders the candidates as their distances do, up to rounding. Shape (q, n)."""
        products = _products(queries, self.embeddings)
        if self.metric is Metric.L2:
            return self.squares - np.float32(2) * products
        if self.metric is Metric.COSINE:
            lengths = np.sqrt(self.squares)
            products = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
        return -products

    def _slack(self, queries: Matrix) -> list[float]:
        lengths = np.sqrt(distances.squares(queries)).tolist()
        longest = 1.0 if self.metric is Metric.COSINE else float(np.sqrt(self.squares.max(initial=0)))
        return [_ROUNDING * longest * (2 * length + longest) for length in lengths]


def _products(queries: Matrix, embeddings: Matrix) -> Matrix:
    """The inner products, of shape (q, n)."""
    if len(queries) <= _FEW and hasattr(np, "vecdot"):  # numpy >= 2.0
        # Bound by memory, so more threads gain nothing; those of BLAS, under several of Python, wait for each other
        # (2,000 rows, 6 threads on two cores: 0.08 ms a query against 3).
        few: Matrix = np.vecdot(embeddings[None], queries[:, None])
        return few
    return queries @ embeddings.T


def _smallest(scores: Vector, k: int, slack: float) -> RowNumbers:
    if len(scores) <= k:
        return np.arange(len(scores))
    bound = np.partition(scores, k - 1)[k - 1]
    return np.flatnonzero(scores <= bound + slack)
