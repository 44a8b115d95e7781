"""Texts of some rows, cut out of the bytes in which they stand, one behind the other and row after row.

What is compiled asks for the memory of the next rows while it reads one. Without it every text is a slice.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from chroma_plugin import compiled
from chroma_plugin.toolkit.vectors import RowNumbers

if compiled.IS_THERE:
    from chroma_plugin.compiled import _native

Data = bytes | mmap.mmap
Starts = npt.NDArray[np.int64]
"""Where each row begins, and where the last one ends."""
Lengths = npt.NDArray[np.int32]
"""Bytes of each text of each row, shape (rows, columns); -1 for None."""


class TextRows(Protocol):
    """Raises ValueError for rows and columns that are not there."""

    def encoded(self, rows: RowNumbers, columns: Sequence[int], /) -> list[list[bytes | None]]:
        """For each of the columns the texts of those rows, in UTF-8."""

    def decoded(self, rows: RowNumbers, columns: Sequence[int], /) -> list[list[str | None]]:
        """The same as str."""

    def json(self, rows: RowNumbers, column: int, /) -> bytes:
        """The texts of those rows, which are JSON, as one list."""


class SlicedTextRows:
    """Without a compiler."""

    def __init__(self, data: Data, starts: Starts, lengths: Lengths) -> None:
        self._data, self._starts, self._lengths = data, starts, lengths

    def encoded(self, rows: RowNumbers, columns: Sequence[int], /) -> list[list[bytes | None]]:
        last = max(columns, default=0) + 1
        starts, lengths = self._starts.take(rows), self._lengths.take(rows, axis=0)[:, :last]
        if len(rows) <= _FEW:
            texts = self._row_by_row(starts.tolist(), lengths.tolist())
            return [[row[column] for row in texts] for column in columns]
        ends = starts[:, None] + np.maximum(lengths, 0).cumsum(axis=1)
        return [self._texts(ends[:, column], lengths[:, column]) for column in columns]

    def decoded(self, rows: RowNumbers, columns: Sequence[int], /) -> list[list[str | None]]:
        return [
            [None if text is None else text.decode("utf-8", "surrogatepass") for text in texts]
            for texts in self.encoded(rows, columns)
        ]

    def json(self, rows: RowNumbers, column: int, /) -> bytes:
        [texts] = self.encoded(rows, (column,))
        return b"[" + b",".join([b"null" if text is None else text for text in texts]) + b"]"

    def _row_by_row(self, starts: list[int], lengths: list[list[int]]) -> list[list[bytes | None]]:
        """The texts of some rows, one row after the other."""
        data, rows = self._data, []
        for place, own in zip(starts, lengths, strict=True):
            texts: list[bytes | None] = []
            for length in own:
                if length < 0:
                    texts.append(None)
                else:
                    texts.append(data[place : place + length])
                    place += length
            rows.append(texts)
        return rows

    def _texts(self, ends: Starts, lengths: Lengths) -> list[bytes | None]:
        there = (lengths >= 0).nonzero()[0]
        if len(there) == len(lengths):
            return [*self._cut(ends - lengths, ends)]
        texts: list[bytes | None] = [None] * len(lengths)
        for row, text in zip(there.tolist(), self._cut((ends - lengths)[there], ends[there]), strict=True):
            texts[row] = text
        return texts

    def _cut(self, starts: Starts, ends: Starts) -> list[bytes]:
        data = self._data
        return [data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


_FEW: Final = 10
"""Rows that are read quicker one by one than by arrays."""


def text_rows(data: Data, starts: Starts, lengths: Lengths) -> TextRows:
    """The texts in that data."""
    return (_native.TextRows if compiled.IS_THERE else SlicedTextRows)(data, starts, lengths)
