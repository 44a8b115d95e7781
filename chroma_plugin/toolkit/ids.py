"""Which row has an id: a dict for what is in memory, sorted hashes for what stands in a file."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.toolkit.id_hashes import Hashes, IdHash


@dataclass(frozen=True, slots=True, eq=False)
class SortedIds:
    """The ids of rows in a file, by hash. Whether a row really has the id, and is alive, is seen by looking there."""

    hashes: Hashes
    """Ascending."""
    rows: npt.NDArray[np.uint32]
    """The row of each hash."""
    hash: IdHash

    def candidates(self, ids: Sequence[str]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The rows that have the hashes of the ids, nearly always one or none of each; and before them, which of the
        ids each row is a candidate for.
        """
        wanted = self.hash.many(ids)
        firsts = np.searchsorted(self.hashes, wanted, side="left")
        counts = np.searchsorted(self.hashes, wanted, side="right") - firsts
        which = np.repeat(np.arange(len(ids)), counts)
        places = np.arange(len(which)) + np.repeat(firsts - np.cumsum(counts) + counts, counts)
        return which, self.rows[places].astype(np.intp)

    def candidates_of_one(self, id: str) -> Iterator[int]:
        """The rows that have the hash of the id."""
        wanted = self.hash.one(id)
        known = self.hashes.data
        place = bisect_left(known, wanted)
        while place < len(known) and known[place] == wanted:
            yield int(self.rows[place])
            place += 1


_FEW: Final = 16
"""Ids that are found quicker one by one than by arrays."""


def sorted_ids(ids: Sequence[str], rows: npt.NDArray[np.intp], secret: bytes) -> SortedIds:
    """Of those rows."""
    hash = IdHash(secret)
    own = hash.many(ids)
    order = np.argsort(own, kind="stable")
    return SortedIds(own[order], rows[order].astype(np.uint32), hash)


IsOf = Callable[[int, str], bool]
"""Whether a row is alive and has the id."""
AreOf = Callable[[npt.NDArray[np.intp], Sequence[str]], npt.NDArray[np.bool_]]
"""The same of many rows, each with the id that stands in its place."""


class Ids:
    """Rows by id. The caller keeps writers and readers apart."""

    def __init__(self, early: SortedIds | None, is_of: IsOf, are_of: AreOf) -> None:
        self._early, self._is_of, self._are_of = early, is_of, are_of
        self._late: dict[str, int] = {}

    def rows_of(self, ids: Sequence[str]) -> npt.NDArray[np.intp]:
        """The row of each id; -1 for one that is not known."""
        late, early = self._late, self._early
        if early is not None and not late:
            return self._early_rows(early, ids)
        rows = np.array([late.get(id, -1) for id in ids], dtype=np.intp)
        if early is not None:
            missing = np.flatnonzero(rows < 0)
            rows[missing] = self._early_rows(early, [ids[at] for at in missing.tolist()])
        return rows

    def _early_rows(self, early: SortedIds, ids: Sequence[str]) -> npt.NDArray[np.intp]:
        if len(ids) <= _FEW:
            return np.array([self._early_row(early, id) for id in ids], dtype=np.intp)
        which, candidates = early.candidates(ids)
        are = self._are_of(candidates, [ids[at] for at in which.tolist()])
        rows = np.full(len(ids), -1, dtype=np.intp)
        rows[which[are]] = candidates[are]
        return rows

    def _early_row(self, early: SortedIds, id: str) -> int:
        for row in early.candidates_of_one(id):
            if self._is_of(row, id):
                return row
        return -1

    def keep(self, ids: Iterable[str], rows: Iterable[int]) -> None:
        self._late.update(zip(ids, rows, strict=True))

    def forget(self, ids: Iterable[str]) -> None:
        """Of rows in the file it is enough that they are dead."""
        for id in ids:
            self._late.pop(id, None)
