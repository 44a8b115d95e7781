"""Which row of a file has an id, by hash. Whether a row really has the id, and is alive, is seen by looking there."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import eq
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin import compiled
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.id_hashes import Hashes, IdHash
from chroma_plugin.toolkit.text_file import TextFile
from chroma_plugin.toolkit.vectors import RowNumbers

if compiled.IS_THERE:
    from chroma_plugin.compiled import _native

HashedRows = npt.NDArray[np.uint32]
"""The row of each hash."""


class SortedIds:
    """The ids of rows in a file; they stand in its first column."""

    def __init__(self, hashes: Hashes, rows: HashedRows, hash: IdHash, texts: TextFile) -> None:
        """``hashes`` ascend."""
        self._hashes, self._rows, self._hash, self._texts = hashes, rows, hash, texts

    def rows_of(self, ids: Sequence[str], alive: Mask) -> RowNumbers:
        """The row of each id that is alive; -1 for an id that none has."""
        if len(ids) <= _FEW:
            return np.array([self._row_of(id, alive) for id in ids], dtype=np.intp)
        rows = np.full(len(ids), -1, dtype=np.intp)
        for candidates in self._candidates(ids):
            tried = ((rows < 0) & (candidates >= 0)).nonzero()[0]
            whose = ids if len(tried) == len(ids) else [ids[at] for at in tried.tolist()]
            found = tried[self._have(candidates[tried], whose) & alive.take(candidates[tried])]
            rows[found] = candidates[found]
            if len(found) == len(ids):
                break
        return rows

    def _candidates(self, ids: Sequence[str]) -> Iterator[RowNumbers]:
        """For each id a row that has its hash, or -1: nearly always the only one. Then the next ones, as long as there
        may be any.
        """
        wanted, end = self._hash.many(ids), len(self._hashes)
        places = self._hashes.searchsorted(wanted)
        while (same := places < end).any():
            same &= self._hashes.take(places, mode="clip") == wanted
            yield np.where(same, self._rows.take(places, mode="clip").astype(np.intp), -1)
            places = np.where(same, places + 1, end)

    def _have(self, rows: RowNumbers, ids: Sequence[str]) -> Mask:
        """Which of those rows have the id that is in their place."""
        [own] = self._texts.decoded(rows, (0,))
        if own == [*ids]:  # as nearly always
            return np.ones(len(rows), dtype=np.bool_)
        return np.array(list(map(eq, own, ids)), dtype=np.bool_)

    def _row_of(self, id: str, alive: Mask) -> int:
        text = id.encode("utf-8", "surrogatepass")
        for row in self._candidates_of_one(id):
            if alive[row] and self._texts.first(row) == text:
                return row
        return -1

    def _candidates_of_one(self, id: str) -> Iterator[int]:
        """The rows that have the hash of the id."""
        wanted = self._hash.one(id)
        known = self._hashes.data
        place = bisect_left(known, wanted)
        while place < len(known) and known[place] == wanted:
            yield int(self._rows[place])
            place += 1


_FEW: Final = 7
"""Ids that are found quicker one by one than by arrays."""


class CompiledIds(SortedIds):
    """The same, and quicker, where a compiler was at hand."""

    def __init__(self, hashes: Hashes, rows: HashedRows, hash: IdHash, texts: TextFile) -> None:
        super().__init__(hashes, rows, hash, texts)
        self._index = _native.IdRows(hashes, rows, hash.keys, *texts.parts)

    def rows_of(self, ids: Sequence[str], alive: Mask) -> RowNumbers:
        blocks, rows = self._texts.blocks, np.empty(len(ids), dtype=np.intp)
        while unseen := self._index.find(ids, alive, blocks.checked, blocks.block, rows):
            blocks.look_at(np.array(unseen))
        # Long ids are hashed here, and so are those that are no Unicode.
        return super().rows_of(ids, alive) if unseen is None else rows


def sorted_ids(hashes: Hashes, rows: HashedRows, hash: IdHash, texts: TextFile) -> SortedIds:
    """Those of that file."""
    return (CompiledIds if compiled.IS_THERE else SortedIds)(hashes, rows, hash, texts)


def hashed(ids: Sequence[str], rows: RowNumbers, hash: IdHash) -> tuple[Hashes, HashedRows]:
    """The hashes of the ids of those rows, ascending, and the row of each."""
    own = hash.many(ids)
    order = np.argsort(own, kind="stable")
    return own[order], rows[order].astype(np.uint32)
