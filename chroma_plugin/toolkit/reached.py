"""The rows that graphs reach, scored as the graphs see them, and the rows that no graph covers, by their vectors."""

from __future__ import annotations

import numpy as np

from chroma_plugin import distances
from chroma_plugin.distances import Vector
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.candidates import NEVER
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.graph import GraphSettings
from chroma_plugin.toolkit.scores import LONGEST, Seen, computed
from chroma_plugin.toolkit.table import View
from chroma_plugin.toolkit.vectors import RowNumbers
from chroma_plugin.types import Matrix


@frozen(eq=False)
class Reacher:
    view: View
    settings: GraphSettings
    among: Mask
    """The rows that qualify, shape (view.length,)."""
    wanted: int
    """How many a graph is asked for."""

    def rows(self, query: Vector) -> RowNumbers | None:
        """All rows that are to be measured for one query, if they are those that the only graph reaches, all of which
        qualify; else None.
        """
        view = self.view
        if len(view.graphs) == 1 and self._reaches_all and view.longest <= LONGEST:
            return view.graphs[0].nearest(query, self.wanted, self.settings)
        return None

    @property
    def _reaches_all(self) -> bool:
        """Whether whatever a graph gives qualifies, and nothing else does."""
        return self.view.is_covered and self.among is self.view.alive

    def see(self, queries: Matrix) -> Seen | None:
        """None when a graph gives too few."""
        view = self.view
        answers = [graph.search(queries, self.wanted, self.settings) for graph in view.graphs]
        found = [answer for answer in answers if answer is not None]
        if len(found) < len(answers):
            return None
        [(rows, values, beside), *others] = found
        if others:
            rows = np.concatenate([rows for rows, _, _ in found], axis=1)
            values = np.concatenate([values for _, values, _ in found], axis=1)
            beside = np.concatenate([beside for _, _, beside in found])
        fit = self._fit(rows)
        if fit is not None:
            values = np.where(fit, values, NEVER)
        if not view.longest <= LONGEST:
            return None
        reached = Seen(values, values.shape[1], view.longest, rows, fit is None)
        return self._with_loose(queries, self._with_beside(queries, reached, beside[beside < view.covered]))

    def _fit(self, rows: RowNumbers) -> Mask | None:
        """Which of those rows qualify; None when all do."""
        if self._reaches_all and not any(len(graph.hidden) for graph in self.view.graphs):
            return None
        # A graph may know later versions of what counts as covered by none: those are among the loose.
        fit: Mask = (rows >= 0) & (rows < self.view.covered) & self.among[rows]
        return None if fit.all() else fit

    def _with_beside(self, queries: Matrix, reached: Seen, rows: RowNumbers) -> Seen:
        """And rows that stand in a graph though nothing in it leads to them."""
        if not len(rows):
            return reached
        embeddings = self.view.table.vectors.take(rows)
        squares = distances.squares(embeddings)
        return self._with(queries, reached, rows, embeddings, squares, float(np.sqrt(squares.max())))

    def _with_loose(self, queries: Matrix, reached: Seen) -> Seen:
        """And those that no graph covers."""
        first, last = self.view.covered, self.view.length
        if first == last:
            return reached
        table = self.view.table
        squares = table.squares(first, last)
        longest = float(np.sqrt(squares.max()))
        return self._with(queries, reached, np.arange(first, last), table.vectors.block(first, last), squares, longest)

    def _with(
        self,
        queries: Matrix,
        reached: Seen,
        rows: RowNumbers,
        embeddings: Matrix,
        squares: Vector,
        longest: float,
    ) -> Seen:
        assert reached.rows is not None
        values = np.where(self.among[rows], computed(queries, embeddings, squares, self.settings.metric), NEVER)
        return Seen(
            np.concatenate([reached.values, values], axis=1),
            reached.rough,
            max(reached.longest, longest),
            np.concatenate([reached.rows, rows[None].repeat(len(queries), axis=0)], axis=1),
        )
