"""Which row has an id: a dict for what is in memory, sorted hashes for what stands in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.sorted_ids import SortedIds
from chroma_plugin.toolkit.vectors import RowNumbers

_FEW: Final = 7
_MANY: Final = 10_000
"""So few ids, and more than so many, are not kept in mind."""
_NOTHING: Final[tuple[list[str], RowNumbers]] = [], np.empty(0, dtype=np.intp)


class Ids:
    """Rows by id. The caller keeps writers and readers apart."""

    def __init__(self, early: SortedIds | None, alive: Callable[[], Mask]) -> None:
        """``alive`` tells which rows are."""
        self._early, self._alive = early, alive
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
            return early.rows_of(ids, self._alive())
        rows = np.array([late.get(id, -1) for id in ids], dtype=np.intp)
        if early is not None:
            missing = np.flatnonzero(rows < 0)
            rows[missing] = early.rows_of([ids[at] for at in missing.tolist()], self._alive())
        return rows

    def keep(self, ids: Iterable[str], rows: Iterable[int]) -> None:
        self._asked = _NOTHING
        self._late.update(zip(ids, rows, strict=True))

    def forget(self, ids: Iterable[str]) -> None:
        """Of rows in the file it is enough that they are dead."""
        self._asked = _NOTHING
        for id in ids:
            self._late.pop(id, None)
