"""Right answers from every store: each AND-part of a filter is pushed down as far as the store takes it, the core
does the rest.

What a store takes EXACT it gets alone; what it takes INEXACT it gets and the core checks again; what it does not take
it never sees. Order is the core's when the store has none, or when ids were given (a scan would follow those).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from chroma_plugin import fallback
from chroma_plugin.backend import CollectionStore, Pushdown
from chroma_plugin.filters.ast import Expr, conjunction, conjuncts
from chroma_plugin.frozen import frozen
from chroma_plugin.operations.sorting import fields_to_sort, sorted_records
from chroma_plugin.types import NO_FIELDS, Field, Hits, Ranked, Records, Scan, Search, TextSearch, concatenate


@frozen(eq=False)
class Split:
    """A filter, by who evaluates it."""

    pushed: Expr | None
    checked: Expr | None


def split(store: CollectionStore, where: Expr | None) -> Split:
    """Which parts of the filter the store evaluates, and which the core checks on what comes back."""
    if where is None:
        return Split(None, None)
    taken = [(part, store.takes(part)) for part in conjuncts(where)]
    return Split(
        pushed=conjunction(tuple(part for part, how in taken if how is not Pushdown.NO)),
        checked=conjunction(tuple(part for part, how in taken if how is not Pushdown.EXACT)),
    )


def scan(store: CollectionStore, request: Scan) -> Iterator[Records]:
    """The records that match, in the order of the request, with the columns of the request."""
    if request.limit == 0:
        return iter(())
    parts = split(store, request.where)
    sorts = bool(request.order) and (request.ids is not None or not store.orders)
    if parts.checked is None and not sorts:
        return store.scan(request)
    return _finished(store, request, parts, sorts)


def count(store: CollectionStore, where: Expr | None) -> int:
    parts = split(store, where)
    if parts.checked is None:
        return store.count(parts.pushed)
    return sum(len(batch) for batch in scan(store, Scan(where=where, fields=NO_FIELDS)))


def ids(store: CollectionStore, wanted: Sequence[str] | None, where: Expr | None, limit: int | None) -> list[str]:
    """The ids of the records that all of this leaves."""
    found = scan(store, Scan(ids=wanted, where=where, limit=limit, fields=NO_FIELDS))
    return [id for batch in found for id in batch.ids]


def delete_where(store: CollectionStore, where: Expr) -> int:
    parts = split(store, where)
    if parts.checked is None and parts.pushed is not None:
        return store.delete_where(parts.pushed)
    matching = ids(store, None, where, None)
    return store.delete(matching) if matching else 0


def search(store: CollectionStore, request: Search) -> list[Hits]:
    """The k nearest that match: never fewer while k records match."""
    parts = split(store, request.where)
    if parts.checked is None:
        return store.search(request)
    from chroma_plugin.filters import batch_filter

    return fallback.search(store, replace(request, where=parts.pushed), keep=batch_filter(parts.checked))


def explain(store: CollectionStore, request: Search) -> dict[str, Any]:
    """What `search` does with the request, having done it."""
    parts = split(store, request.where)
    if parts.checked is not None:
        start = time.perf_counter()
        search(store, request)
        spent = {"search": round((time.perf_counter() - start) * 1_000, 4)}
        return {"plan": "scan by the core", "checked_by_the_core": str(parts.checked), "milliseconds": spent}
    return store.explain(request)


def search_text(store: CollectionStore, request: TextSearch) -> list[Ranked]:
    """The k that match and whose documents fit best, as many as have one of the words."""
    if split(store, request.where).checked is None:
        return store.search_text(request)
    return fallback.search_text(store, request)


def _finished(store: CollectionStore, request: Scan, parts: Split, sorts: bool) -> Iterator[Records]:
    extra = _fields_to_check(parts.checked) | (fields_to_sort(request.order) if sorts else NO_FIELDS)
    wider = replace(
        request,
        where=parts.pushed,
        limit=None,
        offset=0,
        fields=request.fields | extra,
        order=() if sorts else request.order,
    )
    batches = _checked(store.scan(wider), parts.checked)
    if sorts:
        batches = iter((sorted_records(concatenate(list(batches)), request.order),))
    return (batch.only(request.fields) for batch in _page(batches, request.offset, request.limit))


def _checked(batches: Iterator[Records], where: Expr | None) -> Iterator[Records]:
    if where is None:
        return batches
    from chroma_plugin.filters import batch_filter

    matching = batch_filter(where)
    return (batch.take(matching(batch)) for batch in batches)


def _fields_to_check(where: Expr | None) -> frozenset[Field]:
    if where is None:
        return NO_FIELDS
    from chroma_plugin.filters import needed_fields

    return needed_fields(where)


def _page(batches: Iterator[Records], offset: int, limit: int | None) -> Iterator[Records]:
    places = ((batch, row) for batch in batches for row in range(len(batch)))
    wanted = islice(places, offset, None if limit is None else offset + limit)
    current: Records | None = None
    rows: list[int] = []
    for batch, row in wanted:
        if batch is not current and current is not None:
            yield current.take(rows)
            rows = []
        current = batch
        rows.append(row)
    if current is not None:
        yield current.take(rows)
