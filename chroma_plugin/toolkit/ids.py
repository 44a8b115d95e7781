"""Which row has an id: a dict for what is in memory, sorted hashes for what stands in a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

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

    def candidates(self, ids: Sequence[str]) -> list[Sequence[int]]:
        """For each id the rows that have its hash: nearly always one or none."""
        wanted = hashes(ids)
        firsts = np.searchsorted(self.hashes, wanted, side="left")
        lasts = np.searchsorted(self.hashes, wanted, side="right")
        rows = self.rows
        return [
            rows[first:last].tolist() if first < last else ()
            for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
        ]


def hashes(ids: Iterable[str]) -> Hashes:
    """Hard to make collide, unlike a CRC: an id may come from anybody."""
    digests = [hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=4).digest() for id in ids]
    return np.frombuffer(b"".join(digests), dtype="<u4")


def sorted_ids(ids: Sequence[str], rows: npt.NDArray[np.intp]) -> SortedIds:
    """Of those rows."""
    own = hashes(ids)
    order = np.argsort(own, kind="stable")
    return SortedIds(own[order], rows[order].astype(np.uint32))


class Ids:
    """Rows by id. The caller keeps writers and readers apart."""

    def __init__(self, early: SortedIds | None = None, has: Callable[[int, str], bool] | None = None) -> None:
        self._early, self._has = early, has
        self._late: dict[str, int] = {}

    def rows_of(self, ids: Iterable[str]) -> list[int]:
        """The row of each id; -1 for one that is not known."""
        late = self._late
        if self._early is None:
            return [late.get(id, -1) for id in ids]
        ids = list(ids)
        rows = [late.get(id, -1) for id in ids]
        missing = [at for at, row in enumerate(rows) if row < 0]
        for at, candidates in zip(missing, self._early.candidates([ids[at] for at in missing]), strict=True):
            rows[at] = next((row for row in candidates if self._has and self._has(row, ids[at])), -1)
        return rows

    def keep(self, ids: Iterable[str], rows: Iterable[int]) -> None:
        self._late.update(zip(ids, rows, strict=True))

    def forget(self, ids: Iterable[str]) -> None:
        """Of rows in the file it is enough that they are dead."""
        for id in ids:
            self._late.pop(id, None)
