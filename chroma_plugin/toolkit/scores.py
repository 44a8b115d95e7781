"""How near a row is, as a number that is higher the nearer it is, and may be known roughly.

For cosine it is q.u, with u the direction of the row's vector x; for ip q.x; for l2 2 q.x - |x|^2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin import distances
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.candidates import NEVER, Scores, above, picked
from chroma_plugin.toolkit.vectors import RowNumbers
from chroma_plugin.types import Matrix, Metric

Vector = npt.NDArray[np.float32]

LONGEST: Final = 1e18
"""The scores of longer vectors may be beyond NEVER, or beyond float32."""
_ROUNDING: Final = 4e-6
"""The error of a float32 inner product, relative to the two lengths."""


@frozen(eq=False)
class Seen:
    """What is known of the rows, for some queries, before any is measured."""

    values: Scores
    """What their scores seem to be, shape (q, n); NEVER for what does not qualify."""
    rough: int
    """The scores in the first so many columns are rough, those in the others right up to rounding."""
    longest: float
    """No vector is longer."""
    rows: npt.NDArray[np.intp] | None = None
    """The row in each column, of shape (q, n) or (n,); None: column i is row i."""
    all_fit: bool = False
    """Whether every score is known to be one of a row that qualifies."""
    bounds: Callable[[int], Vector | np.float32] = lambda number: np.float32(0)
    """How much higher the scores for a query may be than they seem, shape (n,). Only what may be asked to be exact has
    to know.
    """

    def rows_in(self, columns: RowNumbers) -> RowNumbers:
        """The rows in those columns, of shape (q, m)."""
        if self.rows is None:
            return columns
        return self.rows[columns] if self.rows.ndim == 1 else picked(self.rows, columns)

    def all_rows(self) -> RowNumbers:
        """The rows in all columns, of shape (q, n)."""
        rows = np.arange(self.values.shape[1]) if self.rows is None else self.rows
        return rows if rows.ndim == 2 else np.broadcast_to(rows, self.values.shape)

    def above(self, number: int, bound: np.float32) -> RowNumbers:
        """The rows whose scores for that query seem to be no less than the bound."""
        return self._rows_of_one(number, above(self.values[number], bound))

    def certainly(self, number: int, bound: np.float32) -> RowNumbers:
        """The rows whose scores for that query may be no less than the bound."""
        return self._rows_of_one(number, above(self.values[number] + self.bounds(number), bound))

    def _rows_of_one(self, number: int, columns: RowNumbers) -> RowNumbers:
        if self.rows is None:
            return columns
        return (self.rows if self.rows.ndim == 1 else self.rows[number])[columns]


def computed(queries: Matrix, embeddings: Matrix, squares: Vector, metric: Metric) -> Scores:
    """The scores of embeddings, right up to rounding, of shape (q, n)."""
    products = distances.products(queries, embeddings)
    if metric is Metric.L2:
        products *= 2
        products -= squares
    elif metric is Metric.COSINE:
        lengths = np.sqrt(squares)
        np.divide(products, lengths, out=products, where=lengths > 0)
    return products


def ceiling(among: npt.NDArray[np.bool_]) -> Vector:
    """-NEVER where a row qualifies, NEVER where it does not: scores that are no higher tell both."""
    highest = among.astype(np.float32)
    highest -= np.float32(0.5)
    highest *= np.float32(-2) * NEVER
    return highest


def scores_of(metric: Metric, queries: Matrix, measured: Matrix, longest: float) -> tuple[Scores, Vector]:
    """The scores that belong to distances of shape (q, n), and for each query what rounding may have done to them."""
    squares = distances.squares(queries)[:, None]
    lengths = np.sqrt(squares)
    off: Vector = rounding(metric, lengths[:, 0], np.float32(longest))
    if metric is Metric.COSINE:
        return (1 - measured) * lengths, off
    if metric is Metric.IP:
        return 1 - measured, off
    return squares - measured, off


def rounding(metric: Metric, lengths: Any, longest: Any) -> Any:
    """What rounding may have done to scores for queries of those lengths."""
    if metric is Metric.COSINE:
        return lengths * _ROUNDING
    return lengths * (longest * _ROUNDING) if metric is Metric.IP else (lengths + longest) ** 2 * (4 * _ROUNDING)
