"""A collection as a transaction sees it: what is there, and over it what the transaction has written."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

import numpy as np

from chroma_plugin import fallback
from chroma_plugin.backend import CollectionStore, Pushdown
from chroma_plugin.filters.ast import Expr
from chroma_plugin.transactions.pending import Pending
from chroma_plugin.transactions.recording import RecordingStore
from chroma_plugin.types import NO_FIELDS, Field, Hits, Ranked, Read, Records, Scan, Search, TextSearch, concatenate


class Overlay(CollectionStore):
    """Reads ask the store below, which remembers that, and put what is pending in its place; writes are pending."""

    def __init__(self, store: CollectionStore, pending: Pending, reads: list[Read], *, bare: bool) -> None:
        """``bare``: nothing was ever written to the store, so that it can't be searched."""
        self._store = store
        self._bare = bare
        self._below = RecordingStore(store, reads)
        self._pending = pending

    def takes(self, part: Expr) -> Pushdown:
        return self._below.takes(part)

    # -- writing -----------------------------------------------------------------------------------------------------

    def put(self, records: Records) -> None:
        self._pending.put(records)

    def delete(self, ids: Sequence[str]) -> int:
        known = [id for batch in self.scan(Scan(ids=ids, fields=NO_FIELDS)) for id in batch.ids]
        self._pending.delete(known)
        return len(known)

    # -- reading -----------------------------------------------------------------------------------------------------

    def scan(self, request: Scan) -> Iterator[Records]:
        if not self._pending:
            return self._below.scan(request)
        return self._by_ids(request) if request.ids is not None else self._in_order(request)

    def _by_ids(self, request: Scan) -> Iterator[Records]:
        assert request.ids is not None
        touched = set(self._pending.touched)
        whole = replace(request, limit=None, offset=0)
        rest = [id for id in request.ids if id not in touched]
        below = list(self._below.scan(replace(whole, ids=rest))) if rest else []
        return _page([*below, *self._pending.scan(replace(whole, order=()))], request.ids, request)

    def _in_order(self, request: Scan) -> Iterator[Records]:
        touched = set(self._pending.touched)
        most = None if request.limit is None else request.offset + request.limit + len(touched)
        found = list(self._below.scan(replace(request, limit=most, offset=0)))
        untouched = [batch.take([row for row, id in enumerate(batch.ids) if id not in touched]) for batch in found]
        own = list(self._pending.scan(Scan(where=request.where, fields=request.fields)))
        order = dict.fromkeys([*self._order(found, request), *(id for batch in own for id in batch.ids)])
        return _page([*untouched, *own], list(order), request)

    def _order(self, found: Sequence[Records], request: Scan) -> list[str]:
        """Ids in the order of insertion: all that were found, and the replaced ones at their places."""
        replaced = self._pending.replaced
        if request.where is None or not replaced or not self._exist(replaced):
            return [id for batch in found for id in batch.ids if id not in self._pending.deleted]
        # A record that matches only since it was replaced stands somewhere between the others.
        whole = Scan(fields=NO_FIELDS)
        return [id for batch in self._store.scan(whole) for id in batch.ids if id not in self._pending.deleted]

    def _exist(self, ids: Sequence[str]) -> bool:
        return any(len(batch) for batch in self._below.scan(Scan(ids=ids, fields=NO_FIELDS)))

    def count(self, where: Expr | None = None) -> int:
        below = self._below.count(where)
        if not self._pending:
            return below
        hidden = self._below.scan(Scan(ids=self._pending.touched, where=where, fields=NO_FIELDS))
        return below - sum(map(len, hidden)) + sum(map(len, self._pending.scan(Scan(where=where, fields=NO_FIELDS))))

    def search(self, request: Search) -> list[Hits]:
        if not self._pending:
            return self._below.search(request)
        own = fallback.search(self._pending, request)
        if self._bare and not self._below.count():
            return own
        touched = set(self._pending.touched)
        below = self._below.search(replace(request, k=request.k + len(touched)))
        return [_nearest(_without(there, touched), here, request) for there, here in zip(below, own, strict=True)]

    def search_text(self, request: TextSearch) -> list[Ranked]:
        # What is pending changes the scores of everything.
        return super().search_text(request) if self._pending else self._below.search_text(request)


def _page(batches: Sequence[Records], order: Sequence[str], request: Scan) -> Iterator[Records]:
    """The records in that order, as far as offset and limit of the request reach."""
    whole = concatenate([_filled(batch, request.fields) for batch in batches if len(batch)])
    row_of = {id: row for row, id in enumerate(whole.ids)}
    rows = [row_of[id] for id in order if id in row_of]
    page = rows[request.offset : None if request.limit is None else request.offset + request.limit]
    return iter((whole.take(page),) if page else ())


def _filled(batch: Records, fields: frozenset[Field]) -> Records:
    """With a column for each field: a store may leave one out that has nothing in it."""
    nothing = [None] * len(batch)
    return Records(
        ids=batch.ids,
        embeddings=batch.embeddings if "embeddings" in fields else None,
        documents=(batch.documents or nothing) if "documents" in fields else None,
        metadatas=(batch.metadatas or nothing) if "metadatas" in fields else None,
        uris=(batch.uris or nothing) if "uris" in fields else None,
    )


def _without(hits: Hits, ids: Container[str]) -> Hits:
    rows = [row for row, id in enumerate(hits.records.ids) if id not in ids]
    return Hits(hits.records.take(rows), hits.distances[rows])


def _nearest(there: Hits, here: Hits, request: Search) -> Hits:
    """The k nearest of both."""
    found = [hits for hits in (there, here) if len(hits.records)]
    if not found:
        return here
    records = concatenate([_filled(hits.records, request.fields) for hits in found])
    distances = np.concatenate([hits.distances for hits in found])
    best = np.argsort(distances, kind="stable")[: request.k]
    return Hits(records.take(best.tolist()), distances[best])
