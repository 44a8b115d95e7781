"""The nearest rows of a view: the plans of `planner`, carried out."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Final, TypeVar

import numpy as np

from chroma_plugin import compiled, distances
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.candidates import NEVER, Scores, largest, picked
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.graph import GraphSettings
from chroma_plugin.toolkit.planner import TOGETHER, Plan, Task, seeming
from chroma_plugin.toolkit.reached import Reacher
from chroma_plugin.toolkit.scanning import Scanner, all_rows, few_rows
from chroma_plugin.toolkit.scores import LONGEST, Seen, Vector, ceiling, computed, scores_of
from chroma_plugin.toolkit.steps import SILENT, Steps
from chroma_plugin.toolkit.table import View
from chroma_plugin.toolkit.vectors import RowNumbers
from chroma_plugin.types import Matrix

_T = TypeVar("_T")
Found = tuple[RowNumbers, Vector]
"""Rows, nearest first, and their distances."""

_BLOCK: Final = 4 << 20
"""How many float32 numbers are made at a time for a block of queries: 16 MB."""
_TOGETHER: Final = 64
"""Queries in a block at most."""
_MANY: Final = 64
"""Queries from which threads are worth starting."""
_SURE: Final = 3.0
"""How many standard deviations of the error of scores a row may be behind and is measured all the same: at 3, one of
a thousand neighbours is missed at the most; among docstrings none of 10,000 was."""
_FEW: Final = 256
"""Rows that are all measured for a query that comes alone: to choose among them would take as long."""
_MEASURED_BY_GRAPHS: Final = 4_096 if compiled.IS_THERE else _FEW
"""Candidates of a graph, for a query that comes alone, of which what is compiled measures those that may be nearest."""
_FEW_TOGETHER: Final = 96
"""The same for many queries, where choosing costs less."""
_SHARE: Final = 0.2
"""When more of all rows have to be measured, they are measured in place, with all others."""
_ROWS_AT_ONCE: Final = 8_192


@frozen(eq=False)
class Way:
    """How a block of queries is answered."""

    answer: Callable[[Matrix], list[Found]]
    numbers: int = 0
    """How many float32 are made for each query."""
    together: int = _TOGETHER
    """Queries in a block at most."""
    order: Callable[[Matrix], RowNumbers] | None = None
    """In which of many queries those stand near to each other that look at the same things."""


@frozen(eq=False)
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

    def task(self, queries: int) -> Task:
        return Task(self.view, self.qualifying, self.k, self.settings.ef_search, self.exact, queries)

    def find(self, queries: Matrix, then: Callable[[list[Found]], list[_T]]) -> list[_T]:
        """One answer per query: min(k, qualifying) rows each; and what is made of them, for few queries at a time, by
        the thread that has found them.
        """
        if not self.qualifying:
            return then([_NOTHING for _ in queries])
        way = self._way(queries)
        if way.order is None or len(queries) < _MANY:
            return self._in_blocks(queries, way, lambda block: then(way.answer(block)))
        order = way.order(queries)
        answers = self._in_blocks(queries[order], way, lambda block: then(way.answer(block)))
        return [answers[place] for place in order.argsort().tolist()]

    def _way(self, queries: Matrix) -> Way:
        task = self.task(len(queries))
        if self.steps is not SILENT:
            self.steps.note(**task.told())
        if not np.vdot(queries, queries) <= LONGEST**2 and distances.squares(queries).max() > LONGEST**2:
            return Way(self._all_measured_for_each)
        return self.by(task.plan(), task)

    def by(self, plan: Plan, task: Task) -> Way:
        """The way of that plan."""
        if plan is Plan.GRAPH:
            return self._by_graphs(task)
        if plan is Plan.PICK:
            return self._by_sketches(few_rows(self.view, self.settings.metric, np.flatnonzero(self.among)))
        if plan is Plan.SCAN:
            return self._by_sketches(self._scanner())
        return self._by_vectors(task, np.flatnonzero(self.among) if plan is Plan.GATHER else None)

    # -- the plans: what is seen of the rows -------------------------------------------------------------------------

    def _by_vectors(self, task: Task, rows: RowNumbers | None) -> Way:
        """Look at the vectors in the given rows, or, when None, at all in place."""
        if rows is not None and len(rows) <= _FEW and task.queries < TOGETHER:
            return Way(lambda block: self._few_measured(block, rows))
        table, length = self.view.table, self.view.length
        embeddings = table.vectors.block(0, length) if rows is None else table.vectors.take(rows)
        squares = table.squares(0, length) if rows is None else distances.squares(embeddings)
        highest = ceiling(self.among) if rows is None and self.qualifying < length else None
        longest = float(np.sqrt(squares.max()))
        self.steps.note(measured=len(embeddings))
        if not longest <= LONGEST:
            return Way(self._all_measured_for_each)

        def answer(block: Matrix) -> list[Found]:
            values = computed(block, embeddings, squares, self.settings.metric)
            if highest is not None:
                np.minimum(values, highest, out=values)
            self.steps.done("measure")
            return self._measured_where_near(block, Seen(values, 0, longest, rows))

        return Way(answer, len(embeddings))

    def _scanner(self) -> Scanner:
        return all_rows(self.view, self.settings.metric, None if self.qualifying == self.view.length else self.among)

    def _by_sketches(self, scanner: Scanner) -> Way:
        def answer(block: Matrix) -> list[Found]:
            seen = scanner.see(block)
            self.steps.done("scan")
            return self._measured_where_near(block, seen)

        return Way(answer, len(scanner), TOGETHER)

    def _by_graphs(self, task: Task) -> Way:
        view, wanted = self.view, task.wanted()
        reacher = Reacher(view, self.settings, self.among, self.k, wanted)

        def answer(block: Matrix) -> list[Found]:
            if len(block) == 1 and wanted <= _MEASURED_BY_GRAPHS and (near := reacher.measured(block[0])) is not None:
                self.steps.note(measured=len(near[0]))
                self.steps.done("graph")
                return [self._best(*near)]
            seen = reacher.see(block)
            self.steps.done("graph")
            if seen is None or not self._all_reach(seen):
                self.steps.note(fallback="the graphs gave too few that qualify")
                way = self.by(Plan.SCAN if view.sketches else Plan.SWEEP, task)
                return self._in_blocks(block, way, way.answer)
            return self._measured_where_near(block, seen)

        return Way(answer, wanted + view.length - view.covered, order=view.graphs[0].space.projection.alike)

    def _all_reach(self, seen: Seen) -> bool:
        """Whether the graphs found as many that qualify as are wanted and there, for every query."""
        if seen.all_fit:
            return True
        qualify = seen.values[:, : seen.rough] > NEVER / 2
        there = int(np.count_nonzero(self.among[: self.view.covered]))
        return int(np.count_nonzero(qualify, axis=1).min()) >= min(self.k, there)

    def _in_blocks(self, queries: Matrix, way: Way, answer: Callable[[Matrix], list[_T]]) -> list[_T]:
        """The answers for all queries, from those for few at a time."""
        step = self._step(way)
        if len(queries) <= step:
            return answer(queries)
        blocks = [queries[start : start + step] for start in range(0, len(queries), step)]
        threads = self.settings.num_threads or os.cpu_count() or 1
        if len(queries) < _MANY or threads == 1:
            return [*chain(*map(answer, blocks))]
        with ThreadPoolExecutor(threads) as pool:
            return [*chain(*pool.map(answer, blocks))]

    def _step(self, way: Way) -> int:
        """Queries in a block."""
        numbers = max(way.numbers, seeming(self.k) * self.view.table.dimension)
        return max(1, min(way.together, _BLOCK // numbers))

    # -- from what seems near to what is -----------------------------------------------------------------------------

    def _measured_where_near(self, queries: Matrix, seen: Seen) -> list[Found]:
        """Measure the rows that seem nearest, and then those that may be nearer than the k-th of them."""
        if seen.values.shape[1] <= (_FEW if len(queries) < TOGETHER else _FEW_TOGETHER):
            return self._all_seen_measured(queries, seen)
        columns = largest(seen.values, seeming(self.k) if seen.rough else self.k + 1)
        rows, scores = seen.rows_in(columns), picked(seen.values, columns)
        self.steps.done("choose")
        measured = self._measured(queries, rows)
        self.steps.done("measure")
        fit = _unless_all(scores > NEVER / 2)
        found = self._found(rows, measured, fit)
        if rows.shape[1] < seen.values.shape[1]:
            reach = self._reach(queries, seen, _unless_all(columns < seen.rough), fit, scores, measured)
            # Asked to be exact, look at all that the bounds of rough scores do not rule out.
            lowest = NEVER / 2 if self.exact and seen.rough else np.maximum(reach, NEVER / 2)
            for number in np.flatnonzero(scores.min(axis=1) > lowest).tolist():
                found[number] = self._looked_closer(queries[number], seen, number, reach[number])
        self.steps.done("complete")
        return found

    def _all_seen_measured(self, queries: Matrix, seen: Seen) -> list[Found]:
        rows = seen.all_rows()
        if seen.all_fit:
            if len(queries) == 1:
                return self._few_measured(queries, rows[0])
            rows = np.sort(rows, axis=1)
        measured = self._measured(queries, rows)
        self.steps.done("measure")
        return self._found(rows, measured, None if seen.all_fit else _unless_all(seen.values > NEVER / 2))

    def _found(self, rows: RowNumbers, measured: Matrix, fit: Mask | None) -> list[Found]:
        """Of each query the k nearest that fit; None: all do."""
        if fit is None:
            return list(zip(*self._best(rows, measured), strict=True))
        near, away = self._best(rows, np.where(fit, measured, np.inf))
        counts = np.count_nonzero(fit, axis=1).tolist()
        return [(each[:count], far[:count]) for each, far, count in zip(near, away, counts, strict=True)]

    def _reach(
        self, queries: Matrix, seen: Seen, rough: Mask | None, fit: Mask | None, scores: Scores, measured: Matrix
    ) -> Vector:
        """For each query how low the score of a row may seem that is one of the k nearest all the same."""
        right, rounding = scores_of(self.settings.metric, queries, measured, seen.longest)
        if fit is not None:
            right = np.where(fit, right, -np.inf)
            rough = fit if rough is None else rough & fit
        reach: Vector = np.partition(right, -self.k, axis=1)[:, -self.k] - rounding
        if not self.exact and seen.rough:
            errors = scores - right
            count: Any = errors.shape[1]
            if rough is not None:
                errors, count = np.where(rough, errors, 0), np.maximum(np.count_nonzero(rough, axis=1), 1)
            reach = reach - np.float32(_SURE) * np.sqrt(distances.squares(errors) / count).astype(np.float32)
        return reach

    def _looked_closer(self, query: Vector, seen: Seen, number: int, reach: np.float32) -> Found:
        rows = seen.certainly(number, reach) if self.exact else seen.above(number, reach)
        if seen.rough:
            self.steps.note(measured=len(rows))
        return self._all_measured(query, rows)

    def _few_measured(self, queries: Matrix, rows: RowNumbers) -> list[Found]:
        rows = np.sort(rows)  # memory is read quicker in its order
        self.steps.note(measured=len(rows))
        found = [self._best(rows, self._measured(query, rows)) for query in queries]
        self.steps.done("measure")
        return found

    def _all_measured_for_each(self, queries: Matrix) -> list[Found]:
        """What no score is known of."""
        rows = np.flatnonzero(self.among)
        return [self._all_measured(query, rows) for query in queries]

    def _all_measured(self, query: Vector, rows: RowNumbers) -> Found:
        """The k nearest of those rows."""
        if len(rows) <= _SHARE * self.view.length:
            return self._best(rows, self._measured(query, rows))
        vectors, length = self.view.table.vectors, self.view.length
        starts = range(0, length, _ROWS_AT_ONCE)
        blocks = [vectors.block(start, min(start + _ROWS_AT_ONCE, length)) for start in starts]
        return self._best(
            rows, np.concatenate([distances.one(query, block, self.settings.metric) for block in blocks])[rows]
        )

    def _measured(self, queries: Matrix, rows: RowNumbers) -> Matrix:
        # A graph says -1 where a record is gone or hidden; whatever is measured there, its score says that it is none.
        return self.view.table.vectors.measured(queries, np.maximum(rows, 0), self.settings.metric)

    def _best(self, rows: RowNumbers, measured: Matrix) -> Found:
        """Of each query the k nearest, ties in the order of insertion."""
        places = rows if self.view.in_order else self.view.table.places[: self.view.length][rows]
        order = np.lexsort((places, measured))[..., : self.k]
        if rows.ndim == 1:
            return rows.take(order), measured.take(order)
        return picked(rows, order), picked(measured, order)


def _unless_all(which: Mask) -> Mask | None:
    """None when it is all of them: most are, and nothing has to be left out then."""
    return None if which.all() else which


_NOTHING: Found = (np.empty(0, dtype=np.intp), np.empty(0, dtype=np.float32))
