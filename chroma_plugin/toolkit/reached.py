"""The rows that graphs reach, scored as the graphs see them, and the rows that no graph covers, by their vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chroma_plugin.toolkit.candidates import NEVER
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.graph import GraphSettings
from chroma_plugin.toolkit.scores import LONGEST, Seen, computed
from chroma_plugin.toolkit.table import View
from chroma_plugin.types import Matrix


@dataclass(frozen=True, slots=True)
class Reacher:
    view: View
    settings: GraphSettings
    among: Mask
    """The rows that qualify, shape (view.length,)."""
    wanted: int
    """How many a graph is asked for."""

    def see(self, queries: Matrix) -> Seen | None:
        """None when a graph gives too few."""
        view = self.view
        answers = [graph.search(queries, self.wanted, self.settings) for graph in view.graphs]
        found = [answer for answer in answers if answer is not None]
        if len(found) < len(answers):
            return None
        rows = np.concatenate([rows for rows, _ in found], axis=1)
        values = np.concatenate([values for _, values in found], axis=1)
        # A graph may know later versions of what counts as covered by none: those are among the loose.
        fit = (rows >= 0) & (rows < view.covered) & self.among[rows]
        values = np.where(fit, values, NEVER)
        longest = max(graph.square for graph in view.graphs) ** 0.5
        if not longest <= LONGEST:
            return None
        return self._with_loose(queries, Seen(values, values.shape[1], longest, rows))

    def _with_loose(self, queries: Matrix, reached: Seen) -> Seen:
        first, last = self.view.covered, self.view.length
        if first == last:
            return reached
        assert reached.rows is not None
        table = self.view.table
        squares = table.squares(first, last)
        values = computed(queries, table.vectors.block(first, last), squares, self.settings.metric)
        values[:, ~self.among[first:]] = NEVER
        rows = np.broadcast_to(np.arange(first, last), values.shape)
        return Seen(
            np.concatenate([reached.values, values], axis=1),
            reached.rough,
            max(reached.longest, float(np.sqrt(squares.max()))),
            np.concatenate([reached.rows, rows], axis=1),
        )
