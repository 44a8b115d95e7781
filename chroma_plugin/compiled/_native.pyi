"""What `module.c` makes. Arrays are contiguous, and of the type and size that each says; otherwise: ValueError."""

from __future__ import annotations

from typing import final

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float32]
_Numbers = npt.NDArray[np.intp]

def measure(
    metric: str, queries: _Floats, dimension: int, matrix: _Floats, rows: _Numbers | None, distances: _Floats, /
) -> None: ...

@final
class Links:
    def __new__(
        cls,
        nodes: npt.NDArray[np.uint8],
        higher: npt.NDArray[np.uint8],
        count: int,
        entry: int,
        most: int,
        most_above: int,
        levels: int,
        metric: str,
        basis: _Floats,
        dimension: int,
        alike: float,
        /,
    ) -> Links: ...
    def place(self, first: int, points: _Floats, /) -> None: ...
    def near(self, queries: _Floats, k: int, ef: int, labels: _Numbers, scores: _Floats, /) -> bool: ...
    def measured(
        self,
        query: _Floats,
        ef: int,
        rows_of_labels: _Numbers,
        matrix: _Floats,
        labels: _Numbers,
        rows: _Numbers,
        distances: _Floats,
        /,
    ) -> int | None: ...
