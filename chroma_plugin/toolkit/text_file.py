"""The texts of rows in a file that is mapped: read when they are wanted, not before.

The texts of a row stand one behind the other. Their lengths are kept elsewhere (`saved_table`), and in memory.
"""

from __future__ import annotations

import mmap
import os
import weakref
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, chain
from pathlib import Path
from typing import Final

import numpy as np

from chroma_plugin.filters.regex import Expression
from chroma_plugin.toolkit.blocks import Blocks
from chroma_plugin.toolkit.files import discard, naming, write_at
from chroma_plugin.toolkit.occurrences import occurrences
from chroma_plugin.toolkit.text_rows import Data, Lengths, Starts, text_rows
from chroma_plugin.toolkit.vectors import RowNumbers

_WAY_OUT: Final = "Close the store, delete this file, and open it again: it is made anew from the database."
_BLOCK: Final = 64 << 10
_WINDOW: Final = 64 << 10
"""Bytes of texts that an expression searches together."""
_BETWEEN: Final = b"\xff"
"""What stands between texts that are searched together: nothing that is UTF-8 matches it."""
_WORTH_A_THREAD: Final = 16
"""Windows that are searched in 2 ms."""
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
        self._map: Data = mmap.mmap(self._descriptor, self.size, access=mmap.ACCESS_READ) if self.size else b""
        self._rows = text_rows(*self.parts)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def size(self) -> int:
        return int(self._starts[-1])

    @property
    def parts(self) -> tuple[Data, Starts, Lengths]:
        """The bytes, where each row begins in them, how long its texts are."""
        return self._map, self._starts, self.lengths

    def encoded(self, rows: RowNumbers, columns: Sequence[int]) -> list[list[bytes | None]]:
        """For each of the columns the texts of those rows, in UTF-8."""
        return self._rows.encoded(self._looked_at(rows), columns)

    def decoded(self, rows: RowNumbers, columns: Sequence[int]) -> list[list[str | None]]:
        """The same as str."""
        return self._rows.decoded(self._looked_at(rows), columns)

    def json(self, rows: RowNumbers, column: int) -> bytes:
        """The texts of those rows, which are JSON, as one list."""
        return self._rows.json(self._looked_at(rows), column)

    def _looked_at(self, rows: RowNumbers) -> RowNumbers:
        """The same rows, in one piece; their texts are what was written."""
        rows = np.ascontiguousarray(rows, dtype=np.intp)
        if not self.blocks.sound:
            self.blocks.look_at(_touched(self._starts.take(rows), self._starts.take(rows + 1)))
        return rows

    def first(self, row: int) -> bytes | None:
        """The text of a row in the first column."""
        start, length = self._start_of[row], self._length_of[row * self._columns]
        if length < 0:
            return None
        if not self.blocks.sound:
            self.blocks.look_between(start, start + length)
        return self._map[start : start + length]

    def holding(self, text: bytes, column: int) -> RowNumbers:
        """The rows whose text in that column holds this one, ascending."""
        if not text:
            return np.flatnonzero(self.lengths[:, column] >= 0)
        self.blocks.look_between(0, self.size)
        places = occurrences(np.frombuffer(self._map, dtype=np.uint8), text)
        rows = np.searchsorted(self._starts, places, side="right") - 1
        firsts, lasts = self._bounds(rows, column)
        rows = rows[(firsts <= places) & (places + len(text) <= lasts)]
        return rows[np.diff(rows, prepend=-1) > 0]

    def matching(self, expression: Expression, column: int) -> RowNumbers:
        """The rows whose text in that column the expression matches, ascending. It must match there whatever stands
        around. One search through many rows takes less than one in each.
        """
        self.blocks.look_between(0, self.size)
        firsts, lasts = self._bounds(slice(len(self)), column)
        starts, ends = firsts.tolist(), lasts.tolist()
        windows = list(_windows(starts))

        def found(some: list[tuple[int, int]]) -> list[int]:
            return [row for window in some for row in self._matching_between(expression, *window, starts, ends)]

        # RE2 keeps no other thread waiting.
        each = max(_WORTH_A_THREAD, -(-len(windows) // (os.cpu_count() or 1)))
        parts = [windows[at : at + each] for at in range(0, len(windows), each)]
        if len(parts) < 2:
            lists = [found(part) for part in parts]
        else:
            with ThreadPoolExecutor(len(parts)) as pool:
                lists = list(pool.map(found, parts))
        rows: RowNumbers = np.array(list(chain.from_iterable(lists)), dtype=np.intp)
        with_text: RowNumbers = rows[self.lengths[rows, column] >= 0]
        return with_text

    def _matching_between(
        self, expression: Expression, row: int, beyond: int, starts: list[int], ends: list[int]
    ) -> Iterator[int]:
        data = self._map
        texts = [data[start:end] for start, end in zip(starts[row:beyond], ends[row:beyond], strict=True)]
        firsts = [0, *accumulate(len(text) + 1 for text in texts)]
        joined = _BETWEEN.join(texts)
        at = 0
        while at < len(texts) and (match := expression.search(joined, firsts[at])):
            at = bisect_right(firsts, match.span()[0])
            yield row + at - 1

    def _bounds(self, rows: RowNumbers | slice, column: int) -> tuple[RowNumbers, RowNumbers]:
        """Where the texts of those rows in that column begin and end."""
        lengths = [np.maximum(self.lengths[rows, before], 0) for before in range(column + 1)]
        ends = self._starts[rows] + sum(lengths)
        return ends - lengths[-1], ends


def _touched(starts: RowNumbers, ends: RowNumbers) -> RowNumbers:
    """The blocks of those ranges: most lie in one, some in two; long ones in many."""
    firsts, lasts = starts // _BLOCK, np.maximum(ends - 1, starts) // _BLOCK
    if (lasts - firsts <= 1).all():
        return np.concatenate([firsts, lasts])
    return np.concatenate([np.arange(first, last + 1) for first, last in zip(firsts, lasts, strict=True)])


def _windows(starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of rows that stand close together: the first, and the one behind the last."""
    row = 0
    while row < len(starts):
        beyond = bisect_right(starts, starts[row] + _WINDOW, row + 1)
        yield row, beyond
        row = beyond


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
                joined = b"".join(text or b"" for row in zip(*encoded, strict=True) for text in row)
                size = write_at(descriptor, memoryview(joined), size)
            os.fsync(descriptor)
            before = blocks or _blocks(path, descriptor, 0, [])
            checksums = before.on(descriptor).grown(size).checksums
        finally:
            os.close(descriptor)
    return TextFile(path, np.concatenate(lengths) if lengths else np.empty((0, len(texts)), np.int32), checksums)


def _encoded(texts: Sequence[str | None]) -> list[bytes | None]:
    return [None if text is None else _utf8(text) for text in texts]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _length(text: bytes | None) -> int:
    return -1 if text is None else len(text)


def _blocks(path: Path, descriptor: int, size: int, checksums: Sequence[int]) -> Blocks:
    return Blocks(path, descriptor, _BLOCK, size, checksums, _WAY_OUT)
