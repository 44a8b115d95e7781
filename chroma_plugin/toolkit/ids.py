"""Which row has an id: a dict for what is in memory, sorted hashes for what stands in a file."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.id_hashes import Hashes, IdHash
from chroma_plugin.toolkit.vectors import RowNumbers


@frozen(eq=False)
class SortedIds:
    """The ids of rows in a file, by hash. Whether a row really has the id, and is alive, is seen by looking there."""

    hashes: Hashes
    """Ascending."""
    rows: npt.NDArray[np.uint32]
    """The row of each hash."""
    hash: IdHash

    def candidates(self, ids: Sequence[str]) -> Iterator[RowNumbers]:
        """For each id a row that has its hash, or -1: nearly always the only one. Then the next ones, as long as there
        may be any.
        """
        wanted, end = self.hash.many(ids), len(self.hashes)
        places = self.hashes.searchsorted(wanted)
        while (same := places < end).any():
            same &= self.hashes.take(places, mode="clip") == wanted
            yield np.where(same, self.rows.take(places, mode="clip").astype(np.intp), -1)
            places = np.where(same, places + 1, end)

    def candidates_of_one(self, id: str) -> Iterator[int]:
        """The rows that have the hash of the id."""
        wanted = self.hash.one(id)
        known = self.hashes.data
        place = bisect_left(known, wanted)
        while place < len(known) and known[place] == wanted:
            yield int(self.rows[place])
            place += 1


_FEW: Final = 7
"""Ids that are found quicker one by one than by arrays."""


def sorted_ids(ids: Sequence[str], rows: RowNumbers, secret: bytes) -> SortedIds:
    """Of those rows."""
    hash = IdHash(secret)
    own = hash.many(ids)
    order = np.argsort(own, kind="stable")
    return SortedIds(own[order], rows[order].astype(np.uint32), hash)


IsOf = Callable[[int, str], bool]
"""Whether a row is alive and has the id."""
AreOf = Callable[[RowNumbers, Sequence[str]], npt.NDArray[np.bool_]]
"""The same of many rows, each with the id that stands in its place."""


_MANY: Final = 10_000
"""More ids than these are not kept in mind."""
_NOTHING: Final[tuple[list[str], RowNumbers]] = [], np.empty(0, dtype=np.intp)


class Ids:
    """Rows by id. The caller keeps writers and readers apart."""

    def __init__(self, early: SortedIds | None, is_of: IsOf, are_of: AreOf) -> None:
        self._early, self._is_of, self._are_of = early, is_of, are_of
        self._late: dict[str, int] = {}
        self._asked = _NOTHING

    def rows_of(self, ids: Sequence[str]) -> RowNumbers:
        """The row of each id; -1 for one that is not known."""
        if not _FEW < len(ids) <= _MANY:
            return self._rows_of(ids)
        # A write asks two or three times for the same: what is there, what it replaces.
        asked, rows = self._asked
        if asked != ids:
            rows = self._rows_of(ids)
            rows.flags.writeable = False
            self._asked = [*ids], rows
        return rows

    def _rows_of(self, ids: Sequence[str]) -> RowNumbers:
        late, early = self._late, self._early
        if early is not None and (not late or late.keys().isdisjoint(ids)):
            return self._early_rows(early, ids)
        rows = np.array([late.get(id, -1) for id in ids], dtype=np.intp)
        if early is not None:
            missing = np.flatnonzero(rows < 0)
            rows[missing] = self._early_rows(early, [ids[at] for at in missing.tolist()])
        return rows

    def _early_rows(self, early: SortedIds, ids: Sequence[str]) -> RowNumbers:
        if len(ids) <= _FEW:
            return np.array([self._early_row(early, id) for id in ids], dtype=np.intp)
        rows = np.full(len(ids), -1, dtype=np.intp)
        for candidates in early.candidates(ids):
            tried = ((rows < 0) & (candidates >= 0)).nonzero()[0]
            whose = ids if len(tried) == len(ids) else [ids[at] for at in tried.tolist()]
            found = tried[self._are_of(candidates[tried], whose)]
            rows[found] = candidates[found]
            if len(found) == len(ids):
                break
        return rows

    def _early_row(self, early: SortedIds, id: str) -> int:
        for row in early.candidates_of_one(id):
            if self._is_of(row, id):
                return row
        return -1

    def keep(self, ids: Iterable[str], rows: Iterable[int]) -> None:
        self._asked = _NOTHING
        self._late.update(zip(ids, rows, strict=True))

    def forget(self, ids: Iterable[str]) -> None:
        """Of rows in the file it is enough that they are dead."""
        self._asked = _NOTHING
        for id in ids:
            self._late.pop(id, None)
