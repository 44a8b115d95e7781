"""How near a row is, as a number that is higher the nearer it is, and may be known roughly.

For cosine it is q.u, with u the direction of the row's vector x; for ip q.x; for l2 2 q.x - |x|^2.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from chroma_plugin.toolkit.vectors import RowNumbers
from chroma_plugin.types import Metric

Vector = npt.NDArray[np.float32]

_ROUNDING: Final = 4e-6
"""The error of a float32 inner product, relative to the two lengths."""


class Seen(Protocol):
    """What is roughly known of the rows, for some queries."""

    @property
    def longest(self) -> float:
        """No vector is longer."""

    def scores(self, number: int, rows: RowNumbers) -> Vector:
        """What the scores of those rows seem to be for that query; nan where they are not rough but right."""

    def above(self, number: int, bound: np.float32) -> RowNumbers:
        """The qualifying rows whose scores seem to be no less than the bound."""

    def certainly(self, number: int, bound: np.float32) -> RowNumbers:
        """The qualifying rows whose scores may be no less than the bound."""


def score_of(metric: Metric, query: Vector, distances: Vector, longest: float) -> tuple[Vector, np.float32]:
    """The scores that belong to distances, and what rounding may have done to scores like them."""
    square = np.float32(query @ query)
    length = np.sqrt(square)
    if metric is Metric.COSINE:
        return (1 - distances) * length, np.float32(_ROUNDING * length)
    if metric is Metric.IP:
        return 1 - distances, np.float32(_ROUNDING * length * longest)
    return square - distances, np.float32(4 * _ROUNDING * (length + longest) ** 2)
