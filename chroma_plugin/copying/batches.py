"""The records of a store in batches of one size, whatever size the store gives them in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.types import FIELDS, NO_FIELDS, Records, Scan, concatenate

SIZE: Final = 2_000
"""Records per batch: what is read, written and compared in one go."""


def in_order(collection: OpenCollection, offset: int = 0) -> Iterator[Records]:
    """All from the record at ``offset`` on, in the order of insertion."""
    with collection.reading() as store:
        yield from _of_one_size(store.scan(Scan(offset=offset, fields=FIELDS)))


def by_ids_of(source: OpenCollection, target: OpenCollection) -> Iterator[Records]:
    """The target's records that the source has, in the source's order and batches."""
    with source.reading() as store:
        for batch in _of_one_size(store.scan(Scan(fields=NO_FIELDS))):
            yield having(target, batch)


def having(collection: OpenCollection, wanted: Records) -> Records:
    """The records with these ids, in their order; unknown ones left out."""
    with collection.reading() as store:
        found = [batch for batch in store.scan(Scan(ids=wanted.ids, fields=FIELDS)) if len(batch)]
    return concatenate(found) if found else Records(ids=[])


def _of_one_size(given: Iterable[Records]) -> Iterator[Records]:
    waiting: list[Records] = []
    for batch in given:
        for start in range(0, len(batch), SIZE):
            waiting.append(batch.take(range(start, min(start + SIZE, len(batch)))))
            if sum(map(len, waiting)) >= SIZE:
                joined = concatenate(waiting)
                yield joined.take(range(SIZE))
                waiting = [joined.take(range(SIZE, len(joined)))] if len(joined) > SIZE else []
    if waiting:
        yield concatenate(waiting)
