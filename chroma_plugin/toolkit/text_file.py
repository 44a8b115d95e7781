"""The texts of rows in a file that is mapped: read when they are wanted, not before.

The texts of a row stand one behind the other. Their lengths are kept elsewhere (`saved_table`), and in memory.
"""

from __future__ import annotations

import mmap
import os
import weakref
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import AnyStr, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.toolkit.blocks import Blocks
from chroma_plugin.toolkit.vectors import RowNumbers

Lengths = npt.NDArray[np.int32]
"""Bytes of each text of each row, shape (rows, columns); -1 for None."""

_BLOCK: Final = 64 << 10
_AT_ONCE: Final = 1 << 20
"""Bytes that are searched in one piece."""
_ROWS_AT_ONCE: Final = 20_000


class TextFile:
    """Rows of texts, in UTF-8. Written by `append`, before anybody reads it or with nobody reading beyond its end."""

    def __init__(self, path: Path, lengths: Lengths, checksums: Sequence[int]) -> None:
        self.path: Final = path
        self.lengths = lengths
        self._ends = np.cumsum(np.maximum(lengths, 0).sum(axis=1, dtype=np.int64))
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor).atexit = False
        self.blocks = _blocks(path, self._descriptor, self.size, checksums)
        if os.fstat(self._descriptor).st_size < self.size:
            raise ValueError(f"{path} is shorter than it has to be")
        self._map = mmap.mmap(self._descriptor, self.size, access=mmap.ACCESS_READ) if self.size else b""

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def size(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def take(self, rows: RowNumbers, columns: Sequence[int]) -> list[list[bytes | None]]:
        """For each of the columns the texts of those rows."""
        lengths = self.lengths[rows]
        sizes = np.maximum(lengths, 0)
        ends = np.cumsum(sizes, axis=1, dtype=np.int64)
        ends += (self._ends[rows] - ends[:, -1])[:, None]
        if not self.blocks.sound:
            self.blocks.look_at(_touched(ends[:, 0] - sizes[:, 0], ends[:, -1]))
        return [self._texts(ends[:, column], lengths[:, column]) for column in columns]

    def _texts(self, ends: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32]) -> list[bytes | None]:
        data = self._map
        return [
            data[end - length : end] if length >= 0 else None
            for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
        ]

    def holding(self, text: bytes, column: int) -> list[int]:
        """The rows whose text in that column holds this one, in their order."""
        if not text:
            return np.flatnonzero(self.lengths[:, column] >= 0).tolist()
        self.blocks.look_between(0, self.size)
        found: list[int] = []
        first = 0
        while first < len(self):
            last = max(first + 1, int(np.searchsorted(self._ends, self._start(first) + _AT_ONCE)))
            found += self._holding(text, column, first, min(last, len(self)))
            first = last
        return found

    def _holding(self, text: bytes, column: int, first: int, last: int) -> list[int]:
        start, sizes = self._start(first), np.maximum(self.lengths[first:last], 0)
        begins = self._ends[first:last] - sizes[:, column:].sum(axis=1) - start
        data = self._map[start : int(self._ends[last - 1])]
        rows = rows_holding(data, text, begins.tolist(), (begins + sizes[:, column]).tolist())
        return [first + row for row in rows]

    def _start(self, row: int) -> int:
        return int(self._ends[row - 1]) if row else 0

    def release(self) -> None:
        """Memory that can be had again from the file may be given back."""
        if isinstance(self._map, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


def rows_holding(whole: AnyStr, text: AnyStr, begins: Sequence[int], ends: Sequence[int]) -> list[int]:
    """Of texts that stand in a long one, from `begins` up to `ends`, those that hold this one. One search through all
    of them takes less than one in each, unless most hold it.
    """
    found = []
    place = whole.find(text)
    while place >= 0:
        row = bisect_right(begins, place) - 1
        if row >= 0 and place + len(text) <= ends[row]:
            found.append(row)
        if row + 1 == len(begins):
            break
        place = whole.find(text, begins[row + 1])
    return found


def _touched(starts: RowNumbers, ends: RowNumbers) -> RowNumbers:
    """The blocks of those ranges: most lie in one, some in two; long ones in many."""
    firsts, lasts = starts // _BLOCK, np.maximum(ends - 1, starts) // _BLOCK
    if (lasts - firsts <= 1).all():
        return np.concatenate([firsts, lasts])
    return np.concatenate([np.arange(first, last + 1) for first, last in zip(firsts, lasts, strict=True)])


def append(path: Path, texts: Sequence[Sequence[str | None]], known: TextFile | None) -> TextFile:
    """Write rows behind those that are known, on disk when it returns. ``texts`` has one sequence for each column."""
    lengths = [known.lengths] if known else []
    size = known.size if known else 0
    blocks = known.blocks if known else None
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.ftruncate(descriptor, size)
        for first in range(0, len(texts[0]), _ROWS_AT_ONCE):
            encoded = [_encoded(column[first : first + _ROWS_AT_ONCE]) for column in texts]
            lengths.append(np.array([[_length(text) for text in column] for column in encoded], dtype=np.int32).T)
            size = _write(descriptor, b"".join(text or b"" for row in zip(*encoded, strict=True) for text in row), size)
        os.fsync(descriptor)
        before = blocks or _blocks(path, descriptor, 0, [])
        checksums = before.on(descriptor).grown(size).checksums
    finally:
        os.close(descriptor)
    return TextFile(path, np.concatenate(lengths) if lengths else np.empty((0, len(texts)), np.int32), checksums)


def _encoded(texts: Sequence[str | None]) -> list[bytes | None]:
    return [None if text is None else text.encode("utf-8", "surrogatepass") for text in texts]


def _length(text: bytes | None) -> int:
    return -1 if text is None else len(text)


def _write(descriptor: int, data: bytes, place: int) -> int:
    """Returns the place behind it."""
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, place)
        left, place = left[written:], place + written
    return place


def _blocks(path: Path, descriptor: int, size: int, checksums: Sequence[int]) -> Blocks:
    way_out = "Close the store, delete this file, and open it again: it is made anew from the database."
    return Blocks(path, descriptor, _BLOCK, size, checksums, way_out)
