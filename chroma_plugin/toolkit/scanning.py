"""All rows of a view scored by their sketches, and by their vectors where there is no sketch yet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chroma_plugin import distances
from chroma_plugin.toolkit.candidates import NEVER, Scores, above, rounded
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.scores import Vector
from chroma_plugin.toolkit.sketch import Asked, Sketch
from chroma_plugin.toolkit.table import View
from chroma_plugin.toolkit.vectors import RowNumbers
from chroma_plugin.types import Matrix, Metric


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The scores of all rows of a view for some queries, as their sketches tell them."""

    values: Scores
    """Shape (q, n), one for each row, and NEVER up to a multiple of 64."""
    scanner: Scanner
    asked: tuple[Asked, ...]

    @property
    def longest(self) -> float:
        return self.scanner.longest

    def scores(self, number: int, rows: RowNumbers) -> Vector:
        return np.where(rows < self.scanner.view.sketched, self.values[number, rows], np.float32(np.nan))

    def above(self, number: int, bound: np.float32) -> RowNumbers:
        return above(self.values[number], bound)

    def certainly(self, number: int, bound: np.float32) -> RowNumbers:
        highest = self.values[number].copy()
        for sketch, asked in zip(self.scanner.view.sketches, self.asked, strict=True):
            highest[sketch.first : sketch.last] += self.scanner.stretched(sketch.errors(asked, number), sketch)
        return above(highest, bound)


@dataclass(frozen=True)
class Scanner:
    view: View
    metric: Metric
    among: Mask | None
    """The rows that qualify, shape (view.length,); None when all do."""

    def score(self, queries: Matrix) -> Scored:
        """The scores of few queries at a time, or they fill the memory."""
        view = self.view
        asked = tuple(sketch.asked(queries) for sketch in view.sketches)
        values = np.empty((len(queries), rounded(view.length)), dtype=np.float32)
        for sketch, each in zip(view.sketches, asked, strict=True):
            self._write(values[:, sketch.first : sketch.last], sketch, each)
        if view.sketched < view.length:
            values[:, view.sketched : view.length] = self._loose(queries)
        values[:, view.length :] = NEVER
        if self._ceiling is not None:
            np.minimum(values[:, : view.length], self._ceiling, out=values[:, : view.length])
        return Scored(values, self, asked)

    def _write(self, part: Scores, sketch: Sketch, asked: Asked) -> None:
        """From products of codes to scores."""
        units = asked.widths * np.float32(sketch.step if self.metric is not Metric.L2 else 2 * sketch.step)
        np.multiply(sketch.products(asked), units[:, None], out=part, dtype=np.float32, casting="unsafe")
        if self.metric is Metric.L2:
            part -= sketch.lengths
        if self.metric is not Metric.COSINE:
            part *= sketch.lengths

    def stretched(self, errors: Vector, sketch: Sketch) -> Vector:
        """Bounds on the errors of scores, from those of products with directions."""
        if self.metric is Metric.COSINE:
            return errors
        if self.metric is Metric.IP:
            return errors * sketch.lengths
        return errors * sketch.lengths * 2

    def _loose(self, queries: Matrix) -> Matrix:
        first, last = self.view.sketched, self.view.length
        table = self.view.table
        products = distances.products(queries, table.vectors.block(first, last))
        if self.metric is Metric.L2:
            return 2 * products - table.squares(first, last)
        if self.metric is Metric.COSINE:
            lengths = np.sqrt(table.squares(first, last))
            return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
        return products

    @cached_property
    def _ceiling(self) -> Vector | None:
        """-NEVER where a row qualifies, NEVER where it does not."""
        if self.among is None:
            return None
        ceiling = self.among.astype(np.float32)
        ceiling -= np.float32(0.5)
        ceiling *= np.float32(-2) * NEVER
        return ceiling

    @cached_property
    def longest(self) -> float:
        """The length of the longest vector."""
        loose = np.sqrt(self.view.table.squares(self.view.sketched, self.view.length)).max(initial=0)
        return max([float(loose), *(sketch.longest for sketch in self.view.sketches)])
