"""Records that are read, changed here and written, as if nobody else could come between.

So it is with an `upsert`, and with an `update` that the server can't do alone, as `RestStore.merge` does.

Nothing is locked on the server meanwhile. A write takes along what was read: the question, and a digest of the answer.
The server asks again, and when the answer is another by now it writes nothing; then all of it is done anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from chroma_plugin.backend import CollectionStore, Pushdown
from chroma_plugin.errors import StaleReadError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.transactions.answers import of_records
from chroma_plugin.types import Read, Records, Scan, concatenate

_T = TypeVar("_T")
Write = Callable[[str, Records, Callable[[Records], Sequence[Read]]], object]
"""Called with ``put`` or ``update``, the records, and what part of them depends on which reads."""

_ATTEMPTS: Final = 100
"""Each time somebody else was quicker, who thereby got done."""


def revised(store: CollectionStore, write: Write, work: Callable[[CollectionStore], _T]) -> _T:
    """What ``work`` returns. Raises StaleReadError when others were quicker each time."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return work(_Revision(store, write))
        except StaleReadError:
            continue
    return work(_Revision(store, write))


class _Revision(CollectionStore):
    """The collection, read by id; the first write depends on what was read."""

    orders = True

    def __init__(self, store: CollectionStore, write: Write) -> None:
        self._store = store
        self._write = write
        self._seen: list[tuple[Scan, Records]] = []

    def takes(self, part: Expr) -> Pushdown:
        return self._store.takes(part)

    def scan(self, request: Scan) -> Iterator[Records]:
        batches = list(self._store.scan(request))
        if request.ids is not None:
            self._seen.append((request, concatenate(batches)))
        return iter(batches)

    def put(self, records: Records) -> None:
        self._write_once("put", records)

    def update(self, records: Records) -> None:
        self._write_once("update", records)

    def delete(self, ids: Sequence[str]) -> int:
        return self._store.delete(ids)

    def _write_once(self, operation: str, records: Records) -> None:
        self._write(operation, records, self._reads)
        self._seen.clear()  # what was read is different now, by ourselves

    def _reads(self, part: Records) -> list[Read]:
        return [_about(scan, found, part.ids) for scan, found in self._seen]


def _about(scan: Scan, found: Records, ids: Sequence[str]) -> Read:
    """What was read of these records, and that the others of them were not there."""
    row_of = {id: row for row, id in enumerate(found.ids)}
    there = found.take([row_of[id] for id in ids if id in row_of])
    return Read(replace(scan, ids=ids), of_records([there]))
