"""One collection: planned, then copied batch by batch, then verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from chroma_plugin.copying import batches, resuming
from chroma_plugin.copying.checksum import digest, total
from chroma_plugin.copying.report import CollectionCopy
from chroma_plugin.copying.resuming import Start
from chroma_plugin.copying.verifying import verify
from chroma_plugin.errors import InvalidDimensionError
from chroma_plugin.frozen import frozen
from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.sessions.session import Session
from chroma_plugin.types import Records

Counted = Callable[[int], object]
"""Called with how many records are done."""


@frozen
class Part:
    """One collection to copy, and where to."""

    source: OpenCollection
    session: Session
    tenant: str
    database: str
    merges: bool
    target: OpenCollection | None
    """The collection of that name, if there is one."""
    start: Start
    """What is there already."""


def plan(source: OpenCollection, session: Session, tenant: str, database: str, *, merges: bool) -> Part:
    """Raises UniqueConstraintError or InvalidDimensionError for a collection that can't be gone on with."""
    target = session.find(source.info.name, tenant, database) if session.has(tenant, database) else None
    if target is None or merges:
        if target is not None:
            _refuse_other_dimension(source, target)
        return Part(source, session, tenant, database, merges and target is not None, target, resuming.NOTHING)
    return Part(source, session, tenant, database, False, target, resuming.brought_over(source, target))


def run(part: Part, on_count: Counted) -> CollectionCopy:
    """Copy what is missing, and verify all."""
    target, start = part.target or _created(part), part.start
    digests, written = _merged(part, target, on_count) if part.merges else _appended(part, target, on_count)
    # What an earlier copy brought over was compared when this one was planned.
    read_back = batches.by_ids_of(part.source, target) if part.merges else batches.in_order(target, start.records)
    new = len(start.digests)
    exact = verify(part.source, digests[new:], read_back, new) and start.exact
    with part.source.reading() as store:
        records = store.count()
    return CollectionCopy(part.tenant, part.database, part.source.info.name, records, written, total(digests), exact)


def _created(part: Part) -> OpenCollection:
    """Empty, with the source's metadata, configuration and embedding function, under an id of its own."""
    info = replace(part.source.info, id=uuid4(), tenant=part.tenant, database=part.database, dimension=None)
    created, _ = part.session.create(info, or_find=False)
    return created


def _appended(part: Part, target: OpenCollection, on_count: Counted) -> tuple[list[bytes], int]:
    digests, written = list(part.start.digests), 0
    start = part.start.records
    on_count(start)
    for batch in batches.in_order(part.source, start):
        _put(target, batch)
        digests.append(digest(batch))
        written += len(batch)
        on_count(start + written)
    return digests, written


def _merged(part: Part, target: OpenCollection, on_count: Counted) -> tuple[list[bytes], int]:
    digests, done, written = [], 0, 0
    for batch in batches.in_order(part.source):
        missing = _missing(part.source, batch, batches.having(target, batch))
        if len(missing):
            _put(target, missing)
        digests.append(digest(batch))
        done, written = done + len(batch), written + len(missing)
        on_count(done)
    return digests, written


def _missing(source: OpenCollection, batch: Records, found: Records) -> Records:
    """The records of a batch that the target does not have, or has with another content."""
    if list(found.ids) == list(batch.ids) and resuming.equal(source, batch, found):
        return batch.take([])
    row_of = {id: row for row, id in enumerate(found.ids)}
    rows = [
        row
        for row, id in enumerate(batch.ids)
        if id not in row_of or not resuming.equal(source, batch.take([row]), found.take([row_of[id]]))
    ]
    return batch.take(rows)


def _put(target: OpenCollection, records: Records) -> None:
    assert records.embeddings is not None
    with target.writing() as store:
        target.check_dimension(store, records.embeddings)
        store.put(records)
        target.keep_dimension(records.embeddings)


def _refuse_other_dimension(source: OpenCollection, target: OpenCollection) -> None:
    mine, theirs = source.info.dimension, target.info.dimension
    if None not in (mine, theirs) and mine != theirs:
        raise InvalidDimensionError(
            f"Nothing was copied: collection {target.info.name!r} has the dimension {theirs} there, and {mine} here."
        )
