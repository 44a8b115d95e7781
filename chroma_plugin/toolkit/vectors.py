"""Where the vectors of a table are: in memory here, in a file that is mapped in `vector_file`."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from chroma_plugin.distances import RowNumbers, among
from chroma_plugin.toolkit.growing import Growing
from chroma_plugin.types import Matrix, Metric

__all__ = ["NO_STAMPS", "MemoryVectors", "RowNumbers", "Vectors"]

NO_STAMPS: Final = np.empty(0, dtype=np.int64)


class Vectors(Protocol):
    """Rows of float32, appended at the end by one writer, read by any number."""

    def __len__(self) -> int: ...

    def stage(self, embeddings: Matrix) -> None:
        """Write rows behind the end, where nobody sees them; what can fail, fails here. A second `stage` before
        `publish` writes over the first.
        """

    def publish(self, count: int) -> None:
        """Let the end include so many of the staged rows."""

    def block(self, first: int, last: int) -> Matrix:
        """The rows from `first` up to `last`, not copied and not to be changed."""

    def take(self, rows: RowNumbers) -> Matrix:
        """A copy of those rows, in this order."""

    def measured(self, queries: Matrix, rows: RowNumbers, metric: Metric) -> Matrix:
        """The distances of those rows from a query, or of as many from each of some (`distances.among`)."""

    def sound(self) -> Matrix | int | None:
        """All, for who reads a few rows: a matrix, or a file that begins with them; None while some may be damaged for
        all that is known.
        """

    def must_be_whole(self) -> None:
        """Raises CorruptionError when a file has become shorter than what was written. Who reads mapped memory there
        ends with it.
        """

    def unclaimed(self) -> npt.NDArray[np.int64]:
        """The stamps of rows behind the end that the next process may find: the write they were for has failed."""

    def release(self) -> None:
        """Nobody needs all of them soon: memory that can be had again from a file may be given back."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory that only this holds."""


class MemoryVectors:
    """Vectors in memory."""

    def __init__(self, dimension: int) -> None:
        self._rows = Growing(np.float32, dimension)

    def __len__(self) -> int:
        return len(self._rows)

    def stage(self, embeddings: Matrix) -> None:
        self._rows.stage(embeddings)

    def publish(self, count: int) -> None:
        self._rows.publish(count)

    def block(self, first: int, last: int) -> Matrix:
        return self._rows[first:last]

    def take(self, rows: RowNumbers) -> Matrix:
        return self._rows[:].take(rows, axis=0)

    def measured(self, queries: Matrix, rows: RowNumbers, metric: Metric) -> Matrix:
        return among(queries, self._rows[:], rows, metric)

    def sound(self) -> Matrix | int | None:
        return self._rows[:]

    def must_be_whole(self) -> None:
        pass

    def unclaimed(self) -> npt.NDArray[np.int64]:
        return NO_STAMPS

    def release(self) -> None:
        pass

    @property
    def nbytes(self) -> int:
        return self._rows.nbytes
