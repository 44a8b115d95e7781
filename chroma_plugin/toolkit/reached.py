"""What graphs answered, together with the rows that no graph covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chroma_plugin.toolkit.candidates import NEVER
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.graph import Graph
from chroma_plugin.toolkit.scores import Vector
from chroma_plugin.toolkit.vectors import RowNumbers
from chroma_plugin.types import Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """For each query the qualifying rows that were reached, in the order of what their scores seem to be."""

    rows: npt.NDArray[np.intp]
    """Shape (q, n)."""
    values: Matrix
    """Shape (q, n), highest first; NEVER, at the end, of what does not qualify."""
    loose: Sequence[RowNumbers]
    """For each query the nearest of the rows that no graph covers: these are certain."""
    longest: float
    """The length of the longest vector in the graphs."""

    @classmethod
    def of(
        cls,
        answers: Sequence[tuple[npt.NDArray[np.intp], Matrix]],
        among: Mask,
        loose: Sequence[RowNumbers],
        graphs: Sequence[Graph],
    ) -> Reached:
        longest = max(graph.square for graph in graphs) ** 0.5
        [(rows, values), *others] = answers
        if others:
            rows = np.concatenate([rows for rows, _ in answers], axis=1)
            values = np.concatenate([values for _, values in answers], axis=1)
        fit = (rows >= 0) & among[rows]
        if others or not fit.all():
            values = np.where(fit, values, NEVER)
            order = np.argsort(-values, axis=1, kind="stable")
            rows, values = np.take_along_axis(rows, order, 1), np.take_along_axis(values, order, 1)
        return cls(rows, values, loose, longest)

    def fewest(self) -> int:
        """How many the graphs found for each query, at least."""
        return int(np.count_nonzero(self.values > NEVER / 2, axis=1).min())

    def nearest(self, number: int, count: int) -> RowNumbers:
        """The rows that seem nearest, so many of the graphs', and all loose ones."""
        return self._with_loose(number, self.values[number, :count] > NEVER / 2)

    def above(self, number: int, bound: np.float32) -> RowNumbers:
        return self._with_loose(number, self.values[number] >= bound)

    def certainly(self, number: int, bound: np.float32) -> RowNumbers:
        raise AssertionError("A graph is not asked where nothing may be missed.")

    def scores(self, number: int, rows: RowNumbers) -> Vector:
        found = self.values[number, : len(rows)].copy()
        found[len(rows) - len(self.loose[number]) :] = np.nan
        return found

    def _with_loose(self, number: int, wanted: Mask) -> RowNumbers:
        rows, loose = self.rows[number, : len(wanted)][wanted], self.loose[number]
        return np.concatenate([rows, loose]) if len(loose) else rows
