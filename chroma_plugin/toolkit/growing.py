"""An array that grows at its end while readers keep looking at what it was."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

_Scalar = TypeVar("_Scalar", bound=np.generic)


class Growing(Generic[_Scalar]):
    """Rows appended in amortised constant time.

    A slice that was taken before stays right: rows are written once, beyond every slice that exists, and a larger
    buffer is a new one.
    """

    def __init__(self, dtype: type[_Scalar], width: int | None = None) -> None:
        self._shape = () if width is None else (width,)
        self._buffer: npt.NDArray[_Scalar] = np.empty((0, *self._shape), dtype=dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, rows: slice) -> npt.NDArray[_Scalar]:
        return self._buffer[: self._length][rows]

    @property
    def nbytes(self) -> int:
        return self._buffer.nbytes

    def reserve(self, count: int) -> None:
        """Make room for `count` more rows, so that `extend` can't fail for want of memory."""
        needed = self._length + count
        if needed > len(self._buffer):
            # A quarter of slack bounds both the copies and the memory that lies idle.
            larger = np.empty((max(needed, len(self._buffer) * 5 // 4, 16), *self._shape), dtype=self._buffer.dtype)
            larger[: self._length] = self._buffer[: self._length]
            self._buffer = larger

    def stage(self, rows: Any) -> None:
        """Write the rows of an array-like behind the end, where nobody sees them yet."""
        self.reserve(len(rows))
        self._buffer[self._length : self._length + len(rows)] = rows

    def publish(self, count: int) -> None:
        """Let the end include so many of the staged rows."""
        self._length += count

    def extend(self, rows: Any) -> None:
        """Append the rows of an array-like."""
        self.stage(rows)
        self.publish(len(rows))

    def fill(self, value: Any, count: int) -> None:
        """Append one value `count` times."""
        self.reserve(count)
        self._buffer[self._length : self._length + count] = value
        self._length += count
