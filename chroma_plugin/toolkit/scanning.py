"""All rows of a view scored by their sketches, and by their vectors where there is no sketch yet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chroma_plugin.toolkit.candidates import NEVER, Scores, rounded
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.scores import Seen, Vector, ceiling, computed
from chroma_plugin.toolkit.sketch import Asked, Sketch
from chroma_plugin.toolkit.table import View
from chroma_plugin.types import Matrix, Metric


@dataclass(frozen=True)
class Scanner:
    view: View
    metric: Metric
    among: Mask | None
    """The rows that qualify, shape (view.length,); None when all do."""

    def see(self, queries: Matrix) -> Seen:
        """The scores of few queries at a time, or they fill the memory."""
        view = self.view
        asked = [sketch.asked(queries) for sketch in view.sketches]
        values = np.empty((len(queries), rounded(view.length)), dtype=np.float32)
        for sketch, each in zip(view.sketches, asked, strict=True):
            self._write(values[:, sketch.first : sketch.last], sketch, each)
        if view.sketched < view.length:
            values[:, view.sketched : view.length] = self._loose(queries)
        values[:, view.length :] = NEVER
        if self._ceiling is not None:
            np.minimum(values[:, : view.length], self._ceiling, out=values[:, : view.length])
        return Seen(values, view.sketched, self._longest, bounds=lambda number: self._bounds(asked, number))

    def _write(self, part: Scores, sketch: Sketch, asked: Asked) -> None:
        """From products of codes to scores."""
        units = asked.widths * np.float32(sketch.step if self.metric is not Metric.L2 else 2 * sketch.step)
        np.multiply(sketch.products(asked), units[:, None], out=part, dtype=np.float32, casting="unsafe")
        if self.metric is Metric.L2:
            part -= sketch.lengths
        if self.metric is not Metric.COSINE:
            part *= sketch.lengths

    def _bounds(self, asked: list[Asked], number: int) -> Vector:
        bounds = np.zeros(rounded(self.view.length), dtype=np.float32)
        for sketch, each in zip(self.view.sketches, asked, strict=True):
            bounds[sketch.first : sketch.last] = self._stretched(sketch.errors(each, number), sketch)
        return bounds

    def _stretched(self, errors: Vector, sketch: Sketch) -> Vector:
        """Bounds on the errors of scores, from those of products with directions."""
        if self.metric is Metric.COSINE:
            return errors
        if self.metric is Metric.IP:
            return errors * sketch.lengths
        return errors * sketch.lengths * 2

    def _loose(self, queries: Matrix) -> Scores:
        first, last = self.view.sketched, self.view.length
        table = self.view.table
        return computed(queries, table.vectors.block(first, last), table.squares(first, last), self.metric)

    @cached_property
    def _ceiling(self) -> Vector | None:
        return None if self.among is None else ceiling(self.among)

    @cached_property
    def _longest(self) -> float:
        loose = np.sqrt(self.view.table.squares(self.view.sketched, self.view.length)).max(initial=0)
        return max([float(loose), *(sketch.longest for sketch in self.view.sketches)])
