"""What the core does when a store can't: the correct, slow defaults behind `chroma_plugin.backend`.

Each function is written on `put`, `delete` and `scan` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import numpy.typing as npt

from chroma_plugin import distances, waiting
from chroma_plugin.errors import UnsupportedError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.types import NO_FIELDS, Field, Hits, Ranked, Records, Scan, Search, TextSearch, concatenate, copied

if TYPE_CHECKING:
    from chroma_plugin.backend import Backend, Change, CollectionStore

_T = TypeVar("_T")
_DOCUMENTS: Final[frozenset[Field]] = frozenset(("documents",))


def insert(store: CollectionStore, records: Records) -> Sequence[str]:
    known = {id for batch in store.scan(Scan(ids=records.ids, fields=NO_FIELDS)) for id in batch.ids}
    fresh = [row for row, id in enumerate(records.ids) if id not in known]
    if fresh:
        store.put(records.take(fresh))
    return [id for id in records.ids if id in known]


def update(store: CollectionStore, records: Records) -> None:
    if not len(records):
        return
    current = concatenate(list(store.scan(Scan(ids=records.ids))))
    row_of = {id: row for row, id in enumerate(records.ids)}
    given = records.take([row_of[id] for id in current.ids])
    store.put(
        Records(
            ids=current.ids,
            embeddings=current.embeddings if given.embeddings is None else given.embeddings,
            documents=current.documents if given.documents is None else given.documents,
            metadatas=current.metadatas if given.metadatas is None else given.metadatas,
            uris=current.uris if given.uris is None else given.uris,
        )
    )


def delete_where(store: CollectionStore, where: Expr) -> int:
    ids = [id for batch in store.scan(Scan(where=where, fields=NO_FIELDS)) for id in batch.ids]
    return store.delete(ids) if ids else 0


def search(
    store: CollectionStore, request: Search, keep: Callable[[Records], Sequence[int]] | None = None
) -> list[Hits]:
    """Exact search by reading every record that ``ids`` and ``where`` leave.

    ``keep`` gives the positions in a batch that a filter the store can't evaluate lets through.
    """
    best = [_Nearest(request) for _ in request.embeddings]
    place = 0
    for batch in _in_order_of_insertion(store, request, keep):
        assert batch.embeddings is not None
        table = distances.matrix(request.embeddings, batch.embeddings, request.metric)
        for nearest, row in zip(best, table, strict=True):
            nearest.offer(batch, row, place)
        place += len(batch)
    return [nearest.hits() for nearest in best]


def search_text(store: CollectionStore, request: TextSearch) -> list[Ranked]:
    """Exact text search by reading every record once, for every document counts; so ``where`` is evaluated here,
    whatever of it the store could.

    Raises MissingDependencyError without bm25s.
    """
    from chroma_plugin.ranking.library import LibraryRanking

    ranking = LibraryRanking(request.queries)
    numbers: list[int] = []
    batches: list[Records] = []
    for batch, qualifying in _with_documents(store, request):
        number_of = waiting.aside(ranking.add, batch.documents or ())
        rows = [row for row in number_of if row in qualifying]
        if rows:
            batches.append(batch.take(rows).only(request.fields))
            numbers += [number_of[row] for row in rows]
    found, places = concatenate(batches), np.asarray(numbers, dtype=np.intp)
    return [_ranked(found, scores[places], request.k) for scores in waiting.aside(ranking.scores)]


def commit(backend: Backend, changes: Sequence[Change]) -> None:
    writes = [write for change in changes for write in _writes(change)]
    if len(writes) > 1:
        raise UnsupportedError(
            f"{type(backend).__name__} can't make several changes as one: this transaction would delete or put records "
            f"{len(writes)} times. Nothing was changed."
        )
    for change in changes:
        change.check(change.store)
    for write in writes:
        write()


def _writes(change: Change) -> list[Callable[[], object]]:
    writes: list[Callable[[], object]] = []
    if change.deleted:
        writes.append(partial(change.store.delete, change.deleted))
    if change.written is not None:
        writes.append(partial(change.store.put, change.written))
    return writes


def _with_documents(store: CollectionStore, request: TextSearch) -> Iterator[tuple[Records, Container[int]]]:
    """All records, and the positions of those that ``ids`` and ``where`` leave."""
    from chroma_plugin.filters import batch_filter, needed_fields

    needed = NO_FIELDS if request.where is None else needed_fields(request.where)
    matching = None if request.where is None else batch_filter(request.where)
    wanted = None if request.ids is None else set(request.ids)
    for batch in store.scan(Scan(fields=_DOCUMENTS | request.fields | needed)):
        rows = range(len(batch)) if matching is None else set(matching(batch))
        yield batch, rows if wanted is None else {row for row in rows if batch.ids[row] in wanted}


def _ranked(records: Records, scores: npt.NDArray[np.float64], most: int) -> Ranked:
    rows = np.flatnonzero(scores)
    best = rows[np.argsort(-scores[rows], kind="stable")[:most]]
    return Ranked(_of_its_own(records.take(best.tolist())), scores[best])


def _of_its_own(records: Records) -> Records:
    """The same records; their metadata is not that of another query's hits."""
    if records.metadatas is None:
        return records
    return replace(records, metadatas=[None if each is None else copied(each) for each in records.metadatas])


def _in_order_of_insertion(
    store: CollectionStore, request: Search, keep: Callable[[Records], Sequence[int]] | None
) -> Iterator[Records]:
    # `ids` would make the scan follow their order; ties are broken by insertion, so they are checked here instead.
    wanted = None if request.ids is None else set(request.ids)
    for batch in store.scan(Scan(where=request.where)):
        rows: Sequence[int] = range(len(batch)) if keep is None else keep(batch)
        if wanted is not None:
            rows = [row for row in rows if batch.ids[row] in wanted]
        if rows:
            yield batch.take(rows)


class _Nearest:
    """The k nearest of all that was offered for one query."""

    def __init__(self, request: Search) -> None:
        self._request = request
        self._kept: list[tuple[float, int, Records]] = []

    def offer(self, batch: Records, row: npt.NDArray[np.float32], place: int) -> None:
        near = np.argsort(row, kind="stable")[: self._request.k]
        limit = self._request.max_distance
        found = [
            (float(row[i]), place + int(i), batch.take([int(i)])) for i in near if limit is None or row[i] <= limit
        ]
        self._kept = sorted(self._kept + found, key=lambda hit: hit[:2])[: self._request.k]

    def hits(self) -> Hits:
        records = concatenate([record for _, _, record in self._kept]).only(self._request.fields)
        return Hits(_of_its_own(records), np.array([distance for distance, _, _ in self._kept], dtype=np.float32))
