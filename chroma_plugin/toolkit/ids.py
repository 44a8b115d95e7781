"""Which row has an id: a dict for what is in memory, sorted hashes for what stands in a file."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class SortedIds:
    """The ids of rows in a file, by hash. Whether a row really has the id, and is alive, is seen by looking there."""

    hashes: Hashes
    """Ascending."""
    rows: npt.NDArray[np.uint32]
    """The row of each hash."""

    def candidates(self, ids: Sequence[str]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The rows that have the hashes of the ids, nearly always one or none of each; and before them, which of the
        ids each row is a candidate for.
        """
        wanted = hashes(ids)
        firsts = np.searchsorted(self.hashes, wanted, side="left")
        counts = np.searchsorted(self.hashes, wanted, side="right") - firsts
        which = np.repeat(np.arange(len(ids)), counts)
        places = np.arange(len(which)) + np.repeat(firsts - np.cumsum(counts) + counts, counts)
        return which, self.rows[places].astype(np.intp)

    def candidates_of_one(self, id: str) -> Iterator[int]:
        """The rows that have the hash of the id."""
        [wanted] = hashes((id,)).tolist()
        known = self.hashes.data
        place = bisect_left(known, wanted)
        while place < len(known) and known[place] == wanted:
            yield int(self.rows[place])
            place += 1


_FEW: Final = 16
"""Ids that are found quicker one by one than by arrays."""


def hashes(ids: Iterable[str]) -> Hashes:
    """Hard to make collide, unlike a CRC: an id may come from anybody."""
    digests = [hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=4).digest() for id in ids]
    return np.frombuffer(b"".join(digests), dtype="<u4")


def sorted_ids(ids: Sequence[str], rows: npt.NDArray[np.intp]) -> SortedIds:
    """Of those rows."""
    own = hashes(ids)
    order = np.argsort(own, kind="stable")
    return SortedIds(own[order], rows[order].astype(np.uint32))


IsOf = Callable[[int, str], bool]
"""Whether a row is alive and has the id."""
AreOf = Callable[[npt.NDArray[np.intp], Sequence[str]], Sequence[bool]]
"""The same of many rows, each with the id that stands in its place."""


class Ids:
    """Rows by id. The caller keeps writers and readers apart."""

    def __init__(self, early: SortedIds | None, is_of: IsOf, are_of: AreOf) -> None:
        self._early, self._is_of, self._are_of = early, is_of, are_of
        self._late: dict[str, int] = {}

    def rows_of(self, ids: Iterable[str]) -> list[int]:
        """The row of each id; -1 for one that is not known."""
        late = self._late
        if self._early is None:
            return [late.get(id, -1) for id in ids]
        ids = list(ids)
        rows = [late.get(id, -1) for id in ids]
        missing = [at for at, row in enumerate(rows) if row < 0]
        if len(missing) <= _FEW:
            for at in missing:
                rows[at] = next(
                    (row for row in self._early.candidates_of_one(ids[at]) if self._is_of(row, ids[at])), -1
                )
        else:
            which, candidates = self._early.candidates([ids[at] for at in missing])
            asked = [missing[at] for at in which.tolist()]
            are = self._are_of(candidates, [ids[at] for at in asked])
            for at, row, is_it in zip(asked, candidates.tolist(), are, strict=True):
                if is_it:
                    rows[at] = row
        return rows

    def keep(self, ids: Iterable[str], rows: Iterable[int]) -> None:
        self._late.update(zip(ids, rows, strict=True))

    def forget(self, ids: Iterable[str]) -> None:
        """Of rows in the file it is enough that they are dead."""
        for id in ids:
            self._late.pop(id, None)
