"""What `module.c` makes. Arrays are contiguous, and of the type and size that each says; otherwise: ValueError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

_Floats = npt.NDArray[np.float32]
_Numbers = npt.NDArray[np.intp]

def measure(
    metric: str, queries: _Floats, dimension: int, vectors: _Floats | int, rows: _Numbers | None, distances: _Floats, /
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
        k: int,
        ef: int,
        rows_of_labels: _Numbers,
        vectors: _Floats | int,
        labels: _Numbers,
        rows: _Numbers,
        distances: _Floats,
        /,
    ) -> int | None: ...

@final
class TextRows:
    def __new__(cls, data: Buffer, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32], /) -> TextRows: ...
    def encoded(self, rows: _Numbers, columns: Sequence[int], /) -> list[list[bytes | None]]: ...
    def decoded(self, rows: _Numbers, columns: Sequence[int], /) -> list[list[str | None]]: ...
    def json(self, rows: _Numbers, column: int, /) -> bytes: ...

@final
class IdRows:
    def __new__(
        cls,
        hashes: npt.NDArray[np.uint32],
        rows: npt.NDArray[np.uint32],
        keys: npt.NDArray[np.uint64],
        data: Buffer,
        starts: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
        /,
    ) -> IdRows: ...
    def find(
        self,
        ids: Sequence[str],
        alive: npt.NDArray[np.bool_],
        looked_at: npt.NDArray[np.bool_],
        block: int,
        rows: _Numbers,
        /,
    ) -> list[int] | None: ...
