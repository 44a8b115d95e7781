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
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.toolkit.blocks import Blocks
from chroma_plugin.toolkit.files import discard, naming
from chroma_plugin.toolkit.vectors import RowNumbers

Lengths = npt.NDArray[np.int32]
"""Bytes of each text of each row, shape (rows, columns); -1 for None."""

_BLOCK: Final = 64 << 10
_FEW: Final = 24
"""Rows that are read quicker one by one than by arrays."""
_ROWS_AT_ONCE: Final = 20_000


class TextFile:
    """Rows of texts, in UTF-8. Written by `append`, before anybody reads it or with nobody reading beyond its end."""

    def __init__(self, path: Path, lengths: Lengths, checksums: Sequence[int]) -> None:
        self.path: Final = path
        self.lengths = np.ascontiguousarray(lengths)
        self._columns = lengths.shape[1]
        starts = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(np.maximum(lengths, 0).sum(axis=1), out=starts[1:])
        self._starts = starts
        # A look at one number is five times as quick through these.
        self._start_of, self._length_of = memoryview(starts.data), memoryview(self.lengths.reshape(-1).data)
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
        return int(self._starts[-1])

    def take(self, rows: RowNumbers, columns: Sequence[int]) -> list[list[bytes | None]]:
        """For each of the columns the texts of those rows."""
        if len(rows) <= _FEW:
            texts = [self.row(row) for row in rows.tolist()]
            return [[row[column] for row in texts] for column in columns]
        lengths = self.lengths[rows]
        sizes = np.maximum(lengths, 0)
        ends = np.cumsum(sizes, axis=1, dtype=np.int64) + self._starts[rows][:, None]
        if not self.blocks.sound:
            self.blocks.look_at(_touched(ends[:, 0] - sizes[:, 0], ends[:, -1]))
        return [self._texts(ends[:, column], lengths[:, column]) for column in columns]

    def row(self, row: int) -> list[bytes | None]:
        """All texts of a row."""
        place, texts, data = self._start_of[row], [], self._map  # type: int, list[bytes | None], bytes | mmap.mmap
        if not self.blocks.sound:
            self.blocks.look_between(place, self._start_of[row + 1])
        for length in self._length_of[row * self._columns : (row + 1) * self._columns]:
            if length < 0:
                texts.append(None)
            else:
                texts.append(data[place : place + length])
                place += length
        return texts

    def _texts(self, ends: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32]) -> list[bytes | None]:
        data = self._map
        return [
            data[end - length : end] if length >= 0 else None
            for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
        ]

    def holding(self, text: bytes, column: int) -> list[int]:
        """The rows whose text in that column holds this one, in their order. One search through the whole file takes
        less than one in each text, unless most hold it.
        """
        if not text:
            return np.flatnonzero(self.lengths[:, column] >= 0).tolist()
        self.blocks.look_between(0, self.size)
        found: list[int] = []
        place = self._map.find(text)
        while place >= 0:
            row = bisect_right(self._start_of, place) - 1
            if self._is_inside(place, place + len(text), row, column):
                found.append(row)
                place = self._start_of[row + 1] - 1
            place = self._map.find(text, place + 1)
        return found

    def _is_inside(self, first: int, last: int, row: int, column: int) -> bool:
        lengths = self._length_of[row * self._columns : row * self._columns + column + 1]
        start = self._start_of[row] + sum(length for length in lengths[:-1] if length > 0)
        return start <= first and last <= start + max(lengths[-1], 0)


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
    with naming(path):
        if path.is_dir():
            discard(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            os.ftruncate(descriptor, size)
            for first in range(0, len(texts[0]), _ROWS_AT_ONCE):
                encoded = [_encoded(column[first : first + _ROWS_AT_ONCE]) for column in texts]
                lengths.append(np.array([[_length(text) for text in column] for column in encoded], dtype=np.int32).T)
                size = _write(
                    descriptor, b"".join(text or b"" for row in zip(*encoded, strict=True) for text in row), size
                )
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
