"""The nearest rows of a view: the plans of `planner`, carried out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin import distances
from chroma_plugin.toolkit.candidates import largest, smallest
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.graph import GraphSettings
from chroma_plugin.toolkit.planner import Plan, Task, seeming
from chroma_plugin.toolkit.reached import Reached
from chroma_plugin.toolkit.scanning import Scanner
from chroma_plugin.toolkit.scores import Seen, score_of
from chroma_plugin.toolkit.steps import SILENT, Steps
from chroma_plugin.toolkit.table import View
from chroma_plugin.toolkit.vectors import RowNumbers
from chroma_plugin.types import Matrix, Metric

Vector = npt.NDArray[np.float32]
Found = tuple[RowNumbers, Vector]
"""Rows, nearest first, and their distances."""

_BLOCK: Final = 16 << 20
"""How many float32 scores a sweep holds at a time: 64 MB."""
_SCANNED_AT_ONCE: Final = 16
"""Queries whose codes are multiplied together: each row of codes is then read once for all of them."""
_MANY: Final = 64
"""Queries from which threads are worth starting."""
_SURE: Final = 3.0
"""How many standard deviations of the error of scores a row may be behind and is measured all the same: at 3, one of
a thousand neighbours is missed at the most; among docstrings none of 10,000 was."""
_SHARE: Final = 0.2
"""When more of all rows have to be measured, a sweep does it."""


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
    steps: Steps = SILENT

    @property
    def task(self) -> Task:
        return Task(self.view, self.qualifying, self.k, self.settings.ef_search, self.exact)

    def find(self, queries: Matrix) -> list[Found]:
        """One answer per query: min(k, qualifying) rows each."""
        if not self.qualifying:
            return [_NOTHING for _ in queries]
        plan = self.task.plan()
        if self.steps is not SILENT:
            self.steps.note(**self.task.told())
        if plan is Plan.GRAPH:
            return self._by_graphs(queries)
        if plan is Plan.SCAN:
            return self._by_sketches(queries)
        return self._measure_all(queries, np.flatnonzero(self.among) if plan is Plan.GATHER else None)

    def _threads(self) -> int:
        return self.settings.num_threads or os.cpu_count() or 1

    # -- every vector ------------------------------------------------------------------------------------------------

    def _measure_all(self, queries: Matrix, rows: RowNumbers | None) -> list[Found]:
        """Measure the given rows, or, when None, all rows in place."""
        candidates = self._block(0) if rows is None else self._gathered(rows)
        excluded = ~self.among if rows is None and self.qualifying < self.view.length else None
        self.steps.note(measured=self.view.length if rows is None else len(rows))
        found = [
            self._ranked(query, near if rows is None else rows[near])
            for query, near in zip(queries, candidates.near(queries, self.k, excluded), strict=True)
        ]
        self.steps.done("measure")
        return found

    def _block(self, first: int) -> _Candidates:
        """All rows from that one on, in place."""
        table, length = self.view.table, self.view.length
        return _Candidates(table.vectors.block(first, length), table.squares(first, length), self.settings.metric)

    def _gathered(self, rows: RowNumbers) -> _Candidates:
        embeddings = self.view.table.vectors.take(rows)
        return _Candidates(embeddings, distances.squares(embeddings), self.settings.metric)

    def _ranked(self, query: Vector, rows: RowNumbers) -> Found:
        """The k nearest of those rows that qualify."""
        rows = rows[self.among[rows]]
        return self._best(rows, self._measured(query, rows))

    def _measured(self, query: Vector, rows: RowNumbers) -> Vector:
        return distances.one(query, self.view.table.vectors.take(rows), self.settings.metric)

    def _best(self, rows: RowNumbers, measured: Vector) -> Found:
        """The k nearest, ties in the order of insertion."""
        order = np.lexsort((self.view.table.places[: self.view.length][rows], measured))[: self.k]
        return rows[order], measured[order]

    # -- sketches ----------------------------------------------------------------------------------------------------

    def _by_sketches(self, queries: Matrix) -> list[Found]:
        scanner = Scanner(self.view, self.settings.metric, None if self.qualifying == self.view.length else self.among)
        step = max(1, min(_SCANNED_AT_ONCE, _BLOCK // self.view.length))
        blocks = [queries[start : start + step] for start in range(0, len(queries), step)]
        if len(queries) < _MANY or self._threads() == 1:
            return [found for block in blocks for found in self._scanned(scanner, block)]
        with ThreadPoolExecutor(self._threads()) as pool:
            return [found for block in pool.map(lambda block: self._scanned(scanner, block), blocks) for found in block]

    def _scanned(self, scanner: Scanner, queries: Matrix) -> list[Found]:
        scored = scanner.score(queries)
        self.steps.done("scan")
        near = largest(scored.values, seeming(self.k))
        self.steps.done("choose")
        return self._completed(queries, near, scored)

    # -- from what seems near to what is -----------------------------------------------------------------------------

    def _completed(self, queries: Matrix, near: Sequence[RowNumbers], seen: Seen) -> list[Found]:
        """Measure the rows that seem nearest, and then those that may be nearer than the k-th of them."""
        counts = [len(rows) for rows in near]
        asked = queries if len(queries) == 1 else np.repeat(queries, counts, axis=0)
        measured = np.split(self._measured(asked, np.concatenate(near)), np.cumsum(counts)[:-1])
        self.steps.done("measure")
        found = []
        for number, (query, rows, away) in enumerate(zip(queries, near, measured, strict=True)):
            more = self._missing(query, seen, number, rows, away)
            self.steps.note(measured=len(rows) if more is None else len(more))
            found.append(self._best(rows, away) if more is None else self._measure(query, more))
        self.steps.done("complete")
        return found

    def _measure(self, query: Vector, rows: RowNumbers) -> Found:
        if len(rows) > _SHARE * self.view.length:
            return self._measure_all(query[None], None)[0]
        return self._best(rows, self._measured(query, rows))

    def _missing(self, query: Vector, seen: Seen, number: int, near: RowNumbers, measured: Vector) -> RowNumbers | None:
        """All rows that have to be measured, when `near` are not all of them."""
        if len(near) >= self.qualifying:
            return None
        right, rounding = score_of(self.settings.metric, query, measured, seen.longest)
        least = np.partition(right, len(right) - self.k)[len(right) - self.k] - rounding
        if self.exact:
            return seen.certainly(number, least)
        scores = seen.scores(number, near)
        rough = np.isfinite(scores)
        errors = (scores - right)[rough]
        reach = least - np.float32(_SURE) * np.sqrt(errors @ errors / max(len(errors), 1))
        return None if scores[rough].min(initial=np.inf) <= reach else seen.above(number, reach)

    # -- graphs ------------------------------------------------------------------------------------------------------

    def _by_graphs(self, queries: Matrix) -> list[Found]:
        view = self.view
        asked = [graph.search(queries, self.task.wanted(), self.settings) for graph in view.graphs]
        answers = [answer for answer in asked if answer is not None]
        self.steps.done("graph")
        if len(answers) < len(asked):
            return self._without_graphs(queries)
        seen = Reached.of(answers, self.among, self._near_loose(queries), view.graphs)
        covered = int(np.count_nonzero(self.among[: view.covered]))
        if seen.fewest() < min(self.k, covered):
            return self._without_graphs(queries)
        near = [seen.nearest(number, seeming(self.k)) for number in range(len(queries))]
        self.steps.done("choose")
        return self._completed(queries, near, seen)

    def _without_graphs(self, queries: Matrix) -> list[Found]:
        self.steps.note(fallback="the graphs gave too few that qualify")
        return self._by_sketches(queries) if self.view.sketches else self._measure_all(queries, None)

    def _near_loose(self, queries: Matrix) -> list[RowNumbers]:
        """For each query the nearest of the rows that no graph covers."""
        covered = self.view.covered
        if covered == self.view.length:
            return [_NOTHING[0]] * len(queries)
        near = self._block(covered).near(queries, self.k, ~self.among[covered:])
        return [rows + covered for rows in near]


_NOTHING: Found = (np.empty(0, dtype=np.intp), np.empty(0, dtype=np.float32))

_ROUNDING: Final = 1e-6
"""The error of a float32 inner product, relative to the two lengths: some eps * sqrt(dimension)."""

_LONGEST: Final = float(np.finfo(np.float32).max) / 8
"""The square of a length up to which all that is added and multiplied here fits into a float32."""


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
            if self._overflow(block):
                every = np.arange(len(self.embeddings)) if excluded is None else np.flatnonzero(~excluded)
                yield from [every] * len(block)
                continue
            scores = self._scores(block)
            if excluded is not None:
                scores[:, excluded] = np.inf
            slacks = self._slack(block)
            for row_scores, slack in zip(scores, slacks, strict=True):
                yield smallest(row_scores, k, slack)

    def _overflow(self, queries: Matrix) -> bool:
        """Whether products of so long vectors may leave the range of float32, and then tell nothing."""
        longest = max(self.squares.max(initial=0), distances.squares(queries).max(initial=0))
        return bool(longest > _LONGEST)

    def _scores(self, queries: Matrix) -> Matrix:
        """What orders the candidates as their distances do, up to rounding. Shape (q, n)."""
        products = distances.products(queries, self.embeddings)
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
