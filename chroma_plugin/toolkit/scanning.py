"""Rows of a view scored by their sketches, and by their vectors where there is no sketch yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chroma_plugin import distances
from chroma_plugin.toolkit.candidates import NEVER, Scores, rounded
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.scores import Seen, Vector, ceiling, computed
from chroma_plugin.toolkit.sketch import Asked, Sketch
from chroma_plugin.toolkit.table import View
from chroma_plugin.toolkit.vectors import RowNumbers
from chroma_plugin.types import Matrix, Metric


@dataclass(frozen=True)
class Scanner:
    metric: Metric
    sketches: Sequence[Sketch]
    """One behind the other, from column 0."""
    loose: Matrix
    """The vectors behind them."""
    squares: Vector
    """Of their lengths."""
    among: Mask | None = None
    """The columns that qualify; None when all do."""
    rows: RowNumbers | None = None
    """The row in each column, as in `Seen`."""

    @cached_property
    def _sketched(self) -> int:
        return self.sketches[-1].last if self.sketches else 0

    def __len__(self) -> int:
        return self._sketched + len(self.loose)

    def see(self, queries: Matrix) -> Seen:
        """The scores of few queries at a time, or they fill the memory."""
        asked = [sketch.asked(queries) for sketch in self.sketches]
        values = np.empty((len(queries), rounded(len(self))), dtype=np.float32)
        for sketch, each in zip(self.sketches, asked, strict=True):
            self._write(values[:, sketch.first : sketch.last], sketch, each)
        if len(self.loose):
            values[:, self._sketched : len(self)] = computed(queries, self.loose, self.squares, self.metric)
        values[:, len(self) :] = NEVER
        if self._ceiling is not None:
            np.minimum(values[:, : len(self)], self._ceiling, out=values[:, : len(self)])
        return Seen(values, self._sketched, self._longest, self.rows, bounds=lambda number: self._bounds(asked, number))

    def _write(self, part: Scores, sketch: Sketch, asked: Asked) -> None:
        """From products of codes to scores."""
        units = asked.widths * np.float32(sketch.step if self.metric is not Metric.L2 else 2 * sketch.step)
        np.multiply(sketch.products(asked), units[:, None], out=part, dtype=np.float32, casting="unsafe")
        if self.metric is Metric.L2:
            part -= sketch.lengths
        if self.metric is not Metric.COSINE:
            part *= sketch.lengths

    def _bounds(self, asked: list[Asked], number: int) -> Vector:
        bounds = np.zeros(rounded(len(self)), dtype=np.float32)
        for sketch, each in zip(self.sketches, asked, strict=True):
            bounds[sketch.first : sketch.last] = self._stretched(sketch.errors(each, number), sketch)
        return bounds

    def _stretched(self, errors: Vector, sketch: Sketch) -> Vector:
        """Bounds on the errors of scores, from those of products with directions."""
        if self.metric is Metric.COSINE:
            return errors
        if self.metric is Metric.IP:
            return errors * sketch.lengths
        return errors * sketch.lengths * 2

    @cached_property
    def _ceiling(self) -> Vector | None:
        return None if self.among is None else ceiling(self.among)

    @cached_property
    def _longest(self) -> float:
        loose = np.sqrt(self.squares).max(initial=0)
        return max([float(loose), *(sketch.longest for sketch in self.sketches)])


def all_rows(view: View, metric: Metric, among: Mask | None) -> Scanner:
    """A scanner of all rows, in place."""
    loose = view.table.vectors.block(view.sketched, view.length)
    return Scanner(metric, view.sketches, loose, view.table.squares(view.sketched, view.length), among)


def few_rows(view: View, metric: Metric, rows: RowNumbers) -> Scanner:
    """A scanner of those rows, which ascend, and which are gathered."""
    ends = np.searchsorted(rows, [sketch.last for sketch in view.sketches]).tolist()
    parts = zip(view.sketches, [0, *ends], ends, strict=False)
    sketches = [sketch.picked(rows[first:end], first) for sketch, first, end in parts if first < end]
    loose = view.table.vectors.take(rows[ends[-1] :])
    # Columns that are there to make the number a round one stand for a row, too, though they never qualify.
    filled = np.concatenate([rows, np.repeat(rows[-1:], rounded(len(rows)) - len(rows))])
    return Scanner(metric, sketches, loose, distances.squares(loose), rows=filled)
