"""What a transaction has written to one collection so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from chroma_plugin.backend import CollectionStore
from chroma_plugin.filters import batch_filter
from chroma_plugin.types import Records, Scan, concatenate, copied


class Pending(CollectionStore):
    """The records that were put, in the order of their ids' first put, and the ids that were deleted before."""

    def __init__(self) -> None:
        self._records: dict[str, Records] = {}
        self._deleted: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._records or self._deleted)

    @property
    def deleted(self) -> list[str]:
        """Ids that the collection below must forget; one that was put again after that is a new record."""
        return list(self._deleted)

    @property
    def replaced(self) -> list[str]:
        """Ids whose records, if the collection below has them, keep their places."""
        return [id for id in self._records if id not in self._deleted]

    @property
    def touched(self) -> list[str]:
        """Ids of which the collection below knows nothing that is still true."""
        return list(self._deleted | dict.fromkeys(self._records))

    @property
    def records(self) -> Records | None:
        return concatenate(list(self._records.values())) if self._records else None

    def put(self, records: Records) -> None:
        own = _copied(records)
        self._records |= {id: own.take([row]) for row, id in enumerate(own.ids)}

    def delete(self, ids: Sequence[str]) -> int:
        for id in ids:
            self._records.pop(id, None)
        self._deleted |= dict.fromkeys(ids)
        return len(ids)

    def scan(self, request: Scan) -> Iterator[Records]:
        wanted = self._records if request.ids is None else [id for id in request.ids if id in self._records]
        if not wanted:
            return
        found = concatenate([self._records[id] for id in wanted])
        if request.where is not None:
            found = found.take(batch_filter(request.where)(found))
        last = None if request.limit is None else request.offset + request.limit
        found = found.take(range(len(found))[request.offset : last])
        if len(found):
            yield _with_own_metadata(found.only(request.fields))


def _copied(records: Records) -> Records:
    """Every column in full, and nothing shared with the caller's."""
    count = len(records)
    assert records.embeddings is not None
    nothing = [None] * count
    return _with_own_metadata(
        Records(
            ids=list(records.ids),
            embeddings=np.array(records.embeddings, dtype=np.float32),
            documents=nothing if records.documents is None else list(records.documents),
            metadatas=nothing if records.metadatas is None else list(records.metadatas),
            uris=nothing if records.uris is None else list(records.uris),
        )
    )


def _with_own_metadata(records: Records) -> Records:
    if records.metadatas is None:
        return records
    return replace(records, metadatas=[None if each is None else copied(each) for each in records.metadatas])
