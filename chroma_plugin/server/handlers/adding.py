"""add and upsert, and the insert and put of our own clients.

Requests for one collection that wait for each other are written together: one commit for all of them costs little more
than one for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from chroma_plugin import requests, transactions
from chroma_plugin.backend import CollectionStore
from chroma_plugin.errors import ChromaError, InvalidArgumentError
from chroma_plugin.frozen import frozen
from chroma_plugin.operations import writing
from chroma_plugin.operations.handle import Handle
from chroma_plugin.operations.procedure import run
from chroma_plugin.requests.writes import AddRequest, UpsertRequest, Write
from chroma_plugin.server import keys
from chroma_plugin.server.bodies import Body, embeddings
from chroma_plugin.server.call import Answer, Call, answer
from chroma_plugin.server.handlers.extension import records_in, whole
from chroma_plugin.server.handlers.reads import reads_in
from chroma_plugin.types import Read, Records, concatenate

Outcome: TypeAlias = Answer | Exception


class _Given(NamedTuple):
    """What a request holds, checked."""

    records: Records
    reads: Sequence[Read] = ()
    """What its client had read before."""


@frozen(eq=False)
class _Asked:
    """One request."""

    place: int
    """Among those that are looked at together."""
    handle: Handle
    given: _Given

    @property
    def records(self) -> Records:
        return self.given.records

    @property
    def shape(self) -> tuple[object, ...]:
        """Requests of one shape can be one write."""
        records = self.records
        assert records.embeddings is not None
        columns = (records.documents, records.metadatas, records.uris)
        return (records.embeddings.shape[1], *(column is None for column in columns))


class _Kind(NamedTuple):
    """What is the same for all requests that may become one."""

    checked: Callable[[Call], _Given]
    write: Callable[[Sequence[_Asked]], Collection[str]]
    """Writes the records of all, and says which ids were known."""
    answer: Callable[[Records, Collection[str]], Answer]


def add(call: Call) -> Answer:
    """Ids that are there already stay as they are, and nothing is said about it."""
    return _only(add_together([call]))


def add_together(calls: Sequence[Call]) -> list[Outcome]:
    """The answer, or the error, of each: what they would have got one after the other."""
    return _together(calls, _Kind(_checked_add, _add, lambda *_: answer({}, 201)))


def upsert(call: Call) -> Answer:
    return _only(upsert_together([call]))


def upsert_together(calls: Sequence[Call]) -> list[Outcome]:
    return _together(calls, _Kind(_checked_upsert, _upsert, lambda *_: answer({})))


def insert(call: Call) -> Answer:
    return _only(insert_together([call]))


def insert_together(calls: Sequence[Call]) -> list[Outcome]:
    return _together(calls, _Kind(_checked_insert, _insert, _told_what_was_known))


def put(call: Call) -> Answer:
    return _only(put_together([call]))


def put_together(calls: Sequence[Call]) -> list[Outcome]:
    return _together(calls, _Kind(_checked_put, _put, lambda *_: answer({})))


def _only(outcomes: list[Outcome]) -> Answer:
    [outcome] = outcomes
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


# -- one after the other, or at once ---------------------------------------------------------------------------------


def _together(calls: Sequence[Call], kind: _Kind) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    asked: list[_Asked] = []
    for place, call in enumerate(calls):
        try:
            asked.append(_Asked(place, call.served.handle(call.collection()), kind.checked(call)))
        except Exception as error:
            outcomes[place] = error
    for group in _groups(asked):
        outcomes |= _written(group, kind)
    return [outcomes[place] for place in range(len(calls))]


def _written(group: Sequence[_Asked], kind: _Kind) -> dict[int, Outcome]:
    """The outcome for each place."""
    try:
        known = kind.write(group)
    except ChromaError as error:
        if len(group) == 1:
            return {group[0].place: error}
        # Nothing was written. Which of them is to blame shows when each is alone.
        return {place: outcome for each in group for place, outcome in _written([each], kind).items()}
    return {each.place: kind.answer(each.records, known) for each in group}


def _groups(asked: Sequence[_Asked]) -> Iterator[list[_Asked]]:
    """Neighbours of one shape without a common id: for them the order makes no difference."""
    group: list[_Asked] = []
    ids: set[str] = set()
    for each in asked:
        own = each.records.ids
        if group and (each.shape != group[0].shape or not ids.isdisjoint(own)):
            yield group
            group, ids = [], set()
        group.append(each)
        ids.update(own)
    if group:
        yield group


# -- the kinds -------------------------------------------------------------------------------------------------------


def _checked_add(call: Call) -> _Given:
    body = call.body()
    ids = body.ids(call.config.limits.batch)
    return _Given(requests.add(ids, _needed_embeddings(body), *columns(body), on_conflict="ignore").write.records)


def _add(group: Sequence[_Asked]) -> Collection[str]:
    handle, records = _joined(group)
    report = run(writing.add(handle, lambda: AddRequest(Write(records, None), "ignore")))
    keep_keys(handle, records, report.added)
    return report.ignored


def _checked_upsert(call: Call) -> _Given:
    body = call.body()
    ids = body.ids(call.config.limits.batch)
    return _Given(requests.upsert(ids, _needed_embeddings(body), *columns(body), metadata_mode="merge").write.records)


def _upsert(group: Sequence[_Asked]) -> Collection[str]:
    handle, records = _joined(group)
    report = run(writing.upsert(handle, lambda: UpsertRequest(Write(records, None), "merge")))
    keep_keys(handle, records, records.ids)
    return report.replaced


def _checked_insert(call: Call) -> _Given:
    return _Given(whole(records_in(call.body(), call.config.limits.batch)))


def _insert(group: Sequence[_Asked]) -> Collection[str]:
    handle, records = _joined(group)
    with _writing(handle, records) as store:
        known = set(store.insert(records))
    keep_keys(handle, records, [id for id in records.ids if id not in known])
    return known


def _told_what_was_known(records: Records, known: Collection[str]) -> Answer:
    return answer({"known": [id for id in records.ids if id in known]})


def _checked_put(call: Call) -> _Given:
    body = call.body()
    return _Given(
        whole(records_in(body, call.config.limits.batch)),
        reads_in(body, call.collection().info.metric),
    )


def _put(group: Sequence[_Asked]) -> Collection[str]:
    """StaleReadError when what a client has read before is not so any more."""
    handle, records = _joined(group)
    reads = [read for each in group for read in each.given.reads]

    def revise(store: CollectionStore) -> None:
        transactions.check(reads, store)
        store.put(records)

    with _writing(handle, records) as store:
        if reads:
            store.revise(revise)
        else:
            store.put(records)
    keep_keys(handle, records, records.ids)
    return ()


def _joined(group: Sequence[_Asked]) -> tuple[Handle, Records]:
    return group[0].handle, concatenate([each.records for each in group])


@contextmanager
def _writing(handle: Handle, records: Records) -> Iterator[CollectionStore]:
    """The store for whole records, the first of which fix the collection's dimension."""
    assert records.embeddings is not None
    with handle.writing() as store:
        handle.opened.check_dimension(store, records.embeddings)
        yield store
        handle.opened.keep_dimension(records.embeddings)


def _needed_embeddings(body: Body) -> Any:
    rows = body.given("embeddings", list)
    if rows is None:
        raise InvalidArgumentError("embeddings is missing: the client embeds, a server does not.")
    return embeddings(rows)


def columns(body: Body) -> tuple[Any, Any, None, Any]:
    """metadatas, documents, images, uris."""
    return body.data("metadatas", list), body.given("documents", list), None, body.given("uris", list)


def keep_keys(handle: Handle, records: Records, written: Sequence[str]) -> None:
    """List the keys of the metadata of those records that were written."""
    if records.metadatas is None or not written:
        return
    if len(written) < len(records):
        there = set(written)
        records = records.take([row for row, id in enumerate(records.ids) if id in there])
    keys.keep(handle.opened, records.metadatas or ())
