"""The rows that graphs reach, scored as the graphs see them, and the rows that no graph covers, by their vectors."""

from __future__ import annotations

from typing import Final

import numpy as np

from chroma_plugin import distances
from chroma_plugin.distances import Vector
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.candidates import NEVER, Scores, picked
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.graph import GraphSettings
from chroma_plugin.toolkit.scores import LONGEST, Seen, computed, rounding
from chroma_plugin.toolkit.table import View
from chroma_plugin.toolkit.vectors import RowNumbers
from chroma_plugin.types import Matrix

_FEW: Final = 16
"""Rows that may be as near but for rounding, beside the k nearest."""


@frozen(eq=False)
class Reacher:
    view: View
    settings: GraphSettings
    among: Mask
    """The rows that qualify, shape (view.length,)."""
    k: int
    wanted: int
    """How many a graph is asked for."""

    def measured(self, query: Vector) -> tuple[RowNumbers, Vector] | None:
        """All rows that may be among the k nearest to one query, and their distances, if there is one graph and all
        rows qualify; else None.
        """
        view, vectors = self.view, self.view.table.vectors
        if len(view.graphs) != 1 or not self._all_qualify or not self._are_short:
            return None
        near = view.graphs[0].measured(query, self.k, self.wanted, vectors, self.settings)
        if near is None or view.covered == view.length:
            return near
        loose = self._nearest_loose(query[None])
        if loose is None:
            return None
        (rows, away), behind = near, loose[0][0] + view.covered
        covered = rows < view.covered
        measured = vectors.measured(query, behind, self.settings.metric)
        return np.concatenate([rows[covered], behind]), np.concatenate([away[covered], measured])

    def _nearest_loose(self, queries: Matrix) -> tuple[RowNumbers, Scores] | None:
        """Of the rows that no graph covers those that may be among the k nearest to a query, numbered from the first of
        them on, shape (q, few), and the scores of all, shape (q, loose); None when they are not few.
        """
        table, metric, k = self.view.table, self.settings.metric, self.k
        first, last = self.view.covered, self.view.length
        scores = computed(queries, table.vectors.block(first, last), table.squares(first, last), metric)
        if not self._all_qualify:
            scores = np.where(self.among[first:last], scores, NEVER)
        if last - first <= k:
            return np.arange(last - first)[None].repeat(len(queries), axis=0), scores
        off = rounding(metric, np.sqrt(distances.squares(queries)), np.float32(self.view.longest_loose))
        fit = scores >= (np.partition(scores, -k, axis=1)[:, -k] - 2 * off)[:, None]
        if len(queries) == 1:
            near = np.flatnonzero(fit[0])[None]
        else:
            few = int(np.count_nonzero(fit, axis=1).max())
            near = np.argpartition(scores, -few, axis=1)[:, -few:]
        return (near, scores) if near.shape[1] <= _FEW + k else None

    @property
    def _are_short(self) -> bool:
        """Whether scores can be computed."""
        return max(self.view.longest, self.view.longest_loose) <= LONGEST

    @property
    def _all_qualify(self) -> bool:
        """Whether every row qualifies, and whatever a graph gives is one of them."""
        return self.view.is_whole and self.among is self.view.alive

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
        if not self._are_short:
            return None
        reached = Seen(values, values.shape[1], view.longest, rows, fit is None)
        return self._with_loose(queries, self._with_beside(queries, reached, beside[beside < view.covered]))

    def _fit(self, rows: RowNumbers) -> Mask | None:
        """Which of those rows qualify; None when all do."""
        covers_all = self.view.covered == self.view.length
        if covers_all and self._all_qualify and not any(len(graph.hidden) for graph in self.view.graphs):
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
        near = self._nearest_loose(queries)
        if near is not None:
            return self._joined(reached, near[0] + first, picked(near[1], near[0]), self.view.longest_loose)
        table = self.view.table
        embeddings, squares = table.vectors.block(first, last), table.squares(first, last)
        return self._with(queries, reached, np.arange(first, last), embeddings, squares, self.view.longest_loose)

    def _with(
        self,
        queries: Matrix,
        reached: Seen,
        rows: RowNumbers,
        embeddings: Matrix,
        squares: Vector,
        longest: float,
    ) -> Seen:
        values = np.where(self.among[rows], computed(queries, embeddings, squares, self.settings.metric), NEVER)
        return self._joined(reached, rows[None].repeat(len(queries), axis=0), values, longest)

    @staticmethod
    def _joined(reached: Seen, rows: RowNumbers, scores: Scores, longest: float) -> Seen:
        assert reached.rows is not None
        return Seen(
            np.concatenate([reached.values, scores], axis=1),
            reached.rough,
            max(reached.longest, longest),
            np.concatenate([reached.rows, rows], axis=1),
        )
