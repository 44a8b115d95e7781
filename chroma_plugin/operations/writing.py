"""add, update, upsert and delete: find out what is there, embed what is needed, then one write under the collection's
lock.

Embedding functions run before the lock is taken; what the write depends on is therefore looked up again under it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from chroma_plugin.backend import CollectionStore
from chroma_plugin.errors import IDAlreadyExistsError, InvalidArgumentError
from chroma_plugin.operations import merging, pushdown
from chroma_plugin.operations.handle import Handle
from chroma_plugin.operations.merging import Vectors
from chroma_plugin.operations.procedure import Procedure, Room
from chroma_plugin.operations.results import AddReport, DeleteResult, UpdateReport, UpsertReport
from chroma_plugin.requests.many import examples
from chroma_plugin.requests.writes import AddRequest, DeleteRequest, UpdateRequest, UpsertRequest, Write
from chroma_plugin.types import FIELDS, NO_FIELDS, Field, Matrix, Records, Scan, concatenate

_T = TypeVar("_T")


def add(handle: Handle, prepare: Callable[[], AddRequest]) -> Procedure[AddReport]:
    request = prepare()
    # Under the lock it is looked again; where nothing has to be embedded, that look is enough.
    write = request.write if _is_ready(handle, request.write.records) else _unknown(handle, request)
    vectors = yield from _vectors(handle, write)
    _refuse_bare(handle, _without_vector(write.records, vectors))
    return _add(handle, request, write.records, vectors)


def _is_ready(handle: Handle, records: Records) -> bool:
    """Whether nothing is to be found out before a write: there is no model to pay for, and no dimension to refuse."""
    return records.embeddings is not None and records.embeddings.shape[1] == handle.opened.info.dimension


def _unknown(handle: Handle, request: AddRequest) -> Write:
    """What will be written, as far as one can know: no model is paid for the rest."""
    ids = request.write.records.ids
    with handle.reading() as store:
        known = _known(store, ids)
    if request.on_conflict == "error":
        _refuse_known(handle, known, ids)
    return request.write if request.on_conflict == "replace" else _without(request.write, known)


def _add(handle: Handle, request: AddRequest, given: Records, vectors: Vectors) -> AddReport:
    """The write of `add`; ``given`` is without the ids that were known before embedding."""
    ids = request.write.records.ids
    if not given.ids:
        return AddReport([], ids, [])
    records = merging.fresh(given, vectors, keep_none=True)
    with handle.writing() as store:
        if request.on_conflict == "ignore":
            # The store decides what is known, so that nothing that came in meanwhile is replaced.
            late = set(_write(handle, store.insert, store, records))
            added = [id for id in given.ids if id not in late]
            return AddReport(added, _others(ids, added), [])
        known = _known(store, ids)
        if request.on_conflict == "error":
            _refuse_known(handle, known, ids)
        _write(handle, store.put, store, records)
    return AddReport([id for id in ids if id not in known], [], [id for id in ids if id in known])


def _others(ids: Sequence[str], done: Sequence[str]) -> list[str]:
    if ids == done:
        return []
    handled = set(done)
    return [id for id in ids if id not in handled]


def update(handle: Handle, prepare: Callable[[], UpdateRequest]) -> Procedure[UpdateReport]:
    request = prepare()
    write = request.write
    ids = write.records.ids
    if write.records.embeddings is None and _inputs(handle, write):
        # Before a model is paid for: only known records are embedded.
        with handle.reading() as store:
            write = _with(write, _known(store, ids))
    vectors = yield from _vectors(handle, write)
    updated = _update(handle, write.records, vectors) if write.records.ids else []
    return UpdateReport(updated, _others(ids, updated))


def _update(handle: Handle, given: Records, vectors: Vectors) -> Sequence[str]:
    def revise(store: CollectionStore) -> Sequence[str]:
        if vectors.matrix is not None:
            # Wrong is wrong, also for an id that is not here.
            handle.opened.check_dimension(store, vectors.matrix)
        current = _stored(store, given.ids, merging.needed_fields(given, vectors))
        if current.ids and _touches(changed := merging.updated(current, given, vectors)):
            store.update(changed)
        return current.ids

    with handle.writing() as store:
        merged = store.merge(replace(given, embeddings=vectors.matrix)) if _is_whole(given, vectors) else None
        return store.revise(revise) if merged is None else merged


def _is_whole(given: Records, vectors: Vectors) -> bool:
    """Whether all records come with an embedding, or none."""
    return len(vectors.ids) in (0, len(given))


def _touches(changed: Records) -> bool:
    columns = (changed.embeddings, changed.documents, changed.metadatas, changed.uris)
    return any(column is not None for column in columns)


def upsert(handle: Handle, prepare: Callable[[], UpsertRequest]) -> Procedure[UpsertReport]:
    request = prepare()
    write = request.write
    bare = _bare(handle, write)
    if bare:
        # Before a model is paid for: new records need something to be embedded.
        with handle.reading() as store:
            known = _known(store, bare)
        _refuse_bare(handle, [id for id in bare if id not in known])
    vectors = yield from _vectors(handle, write)
    return _upsert(handle, request, vectors)


def _upsert(handle: Handle, request: UpsertRequest, vectors: Vectors) -> UpsertReport:
    with handle.writing() as store:
        written, report = store.revise(lambda store: _put_merged(handle, request, vectors, store))
        handle.opened.keep_dimension(written)
    return report


def _put_merged(
    handle: Handle, request: UpsertRequest, vectors: Vectors, store: CollectionStore
) -> tuple[Matrix, UpsertReport]:
    """The embeddings that were written, and what was done."""
    given = request.write.records
    if vectors.matrix is not None:
        handle.opened.check_dimension(store, vectors.matrix)
    current = _stored(store, given.ids, FIELDS)
    known = set(current.ids)
    new = _only(given, [id for id in given.ids if id not in known])
    _refuse_bare(handle, _without_vector(new, vectors))
    batches = []
    if current.ids:
        replaces = request.metadata_mode == "replace"
        batches.append(merging.upserted(current, given, vectors, replace_metadata=replaces))
    if new.ids:
        batches.append(merging.fresh(new, vectors, keep_none=request.metadata_mode == "replace"))
    records = concatenate(batches)
    store.put(records)
    assert records.embeddings is not None
    return records.embeddings, UpsertReport(new.ids, current.ids)


def delete(handle: Handle, request: DeleteRequest) -> DeleteResult:
    with handle.writing() as store:
        if request.where is not None and request.ids is None and request.limit is None:
            return {"deleted": pushdown.delete_where(store, request.where)}
        ids = request.ids or []
        if request.where is not None:
            ids = pushdown.ids(store, request.ids, request.where, request.limit)
        return {"deleted": store.delete(ids) if ids else 0}


def _write(handle: Handle, write: Callable[[Records], _T], store: CollectionStore, records: Records) -> _T:
    """Put or insert whole records, the first of which fix the collection's dimension."""
    assert records.embeddings is not None
    handle.opened.check_dimension(store, records.embeddings)
    outcome = write(records)
    handle.opened.keep_dimension(records.embeddings)
    return outcome


def _vectors(handle: Handle, write: Write) -> Procedure[Vectors]:
    """The embeddings that are given, or else those of the documents, images or URIs that are."""
    records = write.records
    if records.embeddings is not None:
        return Vectors(records.ids, records.embeddings)
    inputs = _inputs(handle, write)
    rows = [row for row, item in enumerate(inputs) if item is not None]
    if not rows:
        return Vectors([], None)
    chosen = [inputs[row] for row in rows]
    yield Room.MODEL
    loaded = handle.load(chosen) if inputs is records.uris else chosen
    matrix = handle.embed(loaded)
    yield Room.STORE
    return Vectors([records.ids[row] for row in rows], matrix)


def _inputs(handle: Handle, write: Write) -> Sequence[Any]:
    """What is embedded: the documents, else the images, else what the URIs lead to."""
    if handle.function is None and write.images is None:
        # A known record then keeps its embedding, a new one is refused. Images have no other use: embedding them fails.
        return []
    if write.records.documents is not None:
        return write.records.documents
    if write.images is not None:
        return write.images
    return write.records.uris or [] if handle.loader is not None else []


def _bare(handle: Handle, write: Write) -> list[str]:
    """The ids of records that come with nothing that could become an embedding."""
    if write.records.embeddings is not None:
        return []
    inputs = _inputs(handle, write) or [None] * len(write.records)
    return [id for id, item in zip(write.records.ids, inputs, strict=True) if item is None]


def _without_vector(records: Records, vectors: Vectors) -> list[str]:
    ready = set(vectors.ids)
    return [id for id in records.ids if id not in ready]


def _refuse_bare(handle: Handle, ids: Sequence[str]) -> None:
    if not ids:
        return
    reason = (
        "this collection has no embedding function, so pass embeddings"
        if handle.function is None
        else "pass embeddings, or documents for the embedding function"
    )
    raise InvalidArgumentError(
        f"New records need an embedding, and in collection {handle.opened.info.name!r} there is none for "
        f"{examples(ids)}: {reason}."
    )


def _refuse_known(handle: Handle, known: set[str], ids: Sequence[str]) -> None:
    if known:
        present = [id for id in ids if id in known]
        raise IDAlreadyExistsError(
            f"Collection {handle.opened.info.name!r} has these ids already, nothing was added: {examples(present)}. "
            f"Use upsert, or add(..., on_conflict='ignore') or 'replace'."
        )


def _known(store: CollectionStore, ids: Sequence[str]) -> set[str]:
    return {id for batch in store.scan(Scan(ids=ids, fields=NO_FIELDS)) for id in batch.ids}


def _stored(store: CollectionStore, ids: Sequence[str], fields: frozenset[Field]) -> Records:
    return concatenate(list(store.scan(Scan(ids=ids, fields=fields))))


def _without(write: Write, ids: set[str]) -> Write:
    if not ids:
        return write
    return write.take([row for row, id in enumerate(write.records.ids) if id not in ids])


def _with(write: Write, ids: set[str]) -> Write:
    if len(ids) == len(write.records):
        return write
    return write.take([row for row, id in enumerate(write.records.ids) if id in ids])


def _only(records: Records, ids: Sequence[str]) -> Records:
    if len(ids) == len(records):
        return records
    wanted = set(ids)
    return records.take([row for row, id in enumerate(records.ids) if id in wanted])
