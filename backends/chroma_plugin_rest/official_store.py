"""A collection on a Chroma server, through the routes that its own clients use.

What that protocol can't do in one request, is done in several, and is then not all or nothing: a `put`, an `insert` or
an `update` of more records than the server's `max_batch_size`, and these:

- `put` reads the keys of the stored metadata first, to name those that are to vanish;
- a document or a URI can't be taken away from a record: such a record is deleted and added again, so it moves to the
  end of the order of insertion;
- `insert` and `delete` ask first which ids are known.

Refused with UnsupportedError, before anything is sent: metadata that the server can't hold (None, nested, empty or
mixed lists). Embeddings of a cosine collection come back as the server stores them, which is normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

import numpy as np

from chroma_plugin import fallback
from chroma_plugin.backend import CollectionStore, Pushdown
from chroma_plugin.filters import batch_filter, needed_fields
from chroma_plugin.filters.ast import Expr
from chroma_plugin.filters.chroma import to_chroma
from chroma_plugin.types import NO_FIELDS, Field, Hits, Metadata, Records, Scan, Search, concatenate
from chroma_plugin_rest import official_wire as wire
from chroma_plugin_rest.parts import Limits, send_in_parts
from chroma_plugin_rest.sayable import check_records
from chroma_plugin_rest.transport import Transport, encoded
from chroma_plugin_rest.wire import distinct, no_hits

_PAGE: Final = 1_000
"""Records, or ids, in one request that reads."""
_MOST_HITS: Final = 2**31 - 1
_NUMBERS: Final = 1_000_000
"""Numbers of query embeddings in one request; they travel as text."""
_BLANKABLE: Final[frozenset[Field]] = frozenset(("documents", "metadatas", "uris"))


class ChromaStore(CollectionStore):
    """One collection of a Chroma server."""

    def __init__(self, transport: Transport, path: str, limits: Limits) -> None:
        self._transport = transport
        self._path = path
        self._limits = limits

    def takes(self, part: Expr) -> Pushdown:
        return Pushdown.NO if to_chroma(part) is None else Pushdown.EXACT

    # -- writing -----------------------------------------------------------------------------------------------------

    def put(self, records: Records) -> None:
        check_records(records)
        records = replace(records, uris=records.uris or [None] * len(records))
        stored = self._stored(records.ids, _BLANKABLE)
        blanked = _blanked(records, stored)
        self._delete(blanked)
        known = {id: record for id, record in stored.items() if id not in blanked}
        self._send("upsert", replace(records, metadatas=_without_old_keys(records, known)))

    def insert(self, records: Records) -> Sequence[str]:
        check_records(records)
        known = self._known(records.ids)
        fresh = [row for row, id in enumerate(records.ids) if id not in known]
        if fresh:
            self._send("add", records.take(fresh))
        return [id for id in records.ids if id in known]

    def update(self, records: Records) -> None:
        check_records(records)
        stored = self._stored(records.ids, _BLANKABLE)
        blanked = _blanked(records, stored)
        kept = [row for row, id in enumerate(records.ids) if id not in blanked]
        changed = records.take(kept)
        if kept:
            self._send("update", replace(changed, metadatas=_without_old_keys(changed, stored)))
        if blanked:
            fallback.update(self, records.take([row for row, id in enumerate(records.ids) if id in blanked]))

    def delete(self, ids: Sequence[str]) -> int:
        # The server counts ids that it does not have.
        known = self._known(ids)
        self._delete(known)
        return len(known)

    def delete_where(self, where: Expr) -> int:
        return self.delete([id for batch in self.scan(Scan(where=where, fields=NO_FIELDS)) for id in batch.ids])

    def _send(self, operation: str, records: Records) -> None:
        def encode(part: Records) -> bytes:
            return encoded(wire.columns_out(part))

        def send(content: bytes) -> Any:
            return self._transport.send("POST", f"{self._path}/{operation}", content)

        send_in_parts(records, self._limits, encode, send)

    def _delete(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), _PAGE):
            self._transport.call("POST", f"{self._path}/delete", {"ids": list(ids[start : start + _PAGE])})

    # -- reading -----------------------------------------------------------------------------------------------------

    def scan(self, request: Scan) -> Iterator[Records]:
        if request.ids is not None:
            found = self._by_ids(distinct(request.ids), request.where, request.fields)
            return _page(found, request.offset, request.limit)
        said = None if request.where is None else to_chroma(request.where)
        if request.where is not None and said is None:
            return self._checked_here(request, request.where)
        return self._pages(request, said or (None, None))

    def count(self, where: Expr | None = None) -> int:
        if where is None:
            count: int = self._transport.get(f"{self._path}/count")
            return count
        return super().count(where)

    def search(self, request: Search) -> list[Hits]:
        said = (None, None) if request.where is None else to_chroma(request.where)
        if request.k == 0:
            return no_hits(request)
        if request.exact or said is None:
            return fallback.search(self, request)
        ids = None
        if request.ids is not None:
            # An unknown id is an error there, and so is a filter that leaves nothing of the ids.
            ids = [
                id
                for batch in self.scan(Scan(ids=request.ids, where=request.where, fields=NO_FIELDS))
                for id in batch.ids
            ]
            if not ids:
                return no_hits(request)
            said = (None, None)
        found = list(self._queried(request, said, ids))
        fewest = min((len(hits.records) for hits in found), default=request.k)
        if fewest < request.k and fewest < (self.count(request.where) if ids is None else len(ids)):
            # Its graph did not reach them all.
            return fallback.search(self, request)
        return [_near(hits, request.max_distance) for hits in found]

    def _queried(self, request: Search, said: tuple[Any, Any], ids: list[str] | None) -> Iterator[Hits]:
        dimension = request.embeddings.shape[1]
        rows = max(1, _NUMBERS // dimension)
        for start in range(0, len(request.embeddings), rows):
            body = {
                "query_embeddings": request.embeddings[start : start + rows].tolist(),
                "n_results": min(request.k, _MOST_HITS),
                "ids": ids,
                "where": said[0],
                "where_document": said[1],
                "include": [*_include(request.fields), "distances"],
            }
            answer = self._transport.call("POST", f"{self._path}/query", body, repeatable=True)
            yield from (Hits(*found) for found in wire.hits_in(answer, request.fields, dimension))

    def _pages(self, request: Scan, said: tuple[Any, Any]) -> Iterator[Records]:
        """One page; then, so that a write in between moves nothing, the ids of the rest at once and their records."""
        where = {"where": said[0], "where_document": said[1]}
        limit = request.limit
        size = _PAGE if limit is None else min(limit, _PAGE)
        first = self._get(request.fields, limit=size, offset=request.offset, **where)
        yield first
        if len(first) < _PAGE or limit == _PAGE:
            return
        rest = None if limit is None else limit - _PAGE
        later = self._get(NO_FIELDS, limit=rest, offset=request.offset + _PAGE, **where)
        yield from self._by_ids(list(later.ids), None, request.fields)

    def _by_ids(self, ids: list[str], where: Expr | None, fields: frozenset[Field]) -> Iterator[Records]:
        """In the order of the ids, which the server does not keep."""
        matching = None if where is None else batch_filter(where)
        read = fields if where is None else fields | needed_fields(where)
        for start in range(0, len(ids), _PAGE):
            wanted = ids[start : start + _PAGE]
            found = self._get(read, ids=wanted)
            row_of = {id: row for row, id in enumerate(found.ids)}
            ordered = found.take([row_of[id] for id in wanted if id in row_of])
            yield (ordered if matching is None else ordered.take(matching(ordered))).only(fields)

    def _checked_here(self, request: Scan, where: Expr) -> Iterator[Records]:
        """Parts that the server takes one by one, but not all together."""
        everything = self._pages(Scan(fields=request.fields | needed_fields(where)), (None, None))
        matching: Callable[[Records], list[int]] = batch_filter(where)
        kept = (batch.take(matching(batch)).only(request.fields) for batch in everything)
        return _page(kept, request.offset, request.limit)

    def _get(self, fields: frozenset[Field], **question: Any) -> Records:
        body = {**question, "include": _include(fields)}
        return wire.columns_in(self._transport.call("POST", f"{self._path}/get", body, repeatable=True), fields, None)

    def _known(self, ids: Sequence[str]) -> list[str]:
        return [id for batch in self._by_ids(distinct(ids), None, NO_FIELDS) for id in batch.ids]

    def _stored(self, ids: Sequence[str], fields: frozenset[Field]) -> dict[str, Records]:
        """What is stored of these records, each by its id."""
        found = concatenate([*self._by_ids(distinct(ids), None, fields)] or [Records(ids=[])])
        return {id: found.take([row]) for row, id in enumerate(found.ids)}


def _include(fields: frozenset[Field]) -> list[str]:
    return sorted(fields)


def _blanked(records: Records, stored: dict[str, Records]) -> list[str]:
    """The known records whose document or URI is to vanish."""
    columns = [(records.documents, "documents"), (records.uris, "uris")]
    return [
        id
        for row, id in enumerate(records.ids)
        if id in stored and any(_vanishes(column, row, stored[id], name) for column, name in columns)
    ]


def _vanishes(column: Sequence[str | None] | None, row: int, stored: Records, name: str) -> bool:
    before = getattr(stored, name)
    return column is not None and column[row] is None and before is not None and before[0] is not None


def _without_old_keys(records: Records, stored: dict[str, Records]) -> list[Metadata | None] | None:
    """The metadata with a null for every stored key that it does not have: the server merges."""
    if records.metadatas is None:
        return None
    merged: list[Metadata | None] = []
    for id, metadata in zip(records.ids, records.metadatas, strict=True):
        before = stored[id].metadatas if id in stored else None
        old = (before[0] if before else None) or {}
        merged.append({**dict.fromkeys(old), **(metadata or {})} or None)
    return merged


def _near(hits: Hits, limit: float | None) -> Hits:
    if limit is None:
        return hits
    rows = [int(row) for row in np.flatnonzero(hits.distances <= limit)]
    return Hits(hits.records.take(rows), hits.distances[rows])


def _page(found: Iterator[Records], offset: int, limit: int | None) -> Iterator[Records]:
    if offset == 0 and limit is None:
        yield from found
        return
    places = ((batch, row) for batch in found for row in range(len(batch)))
    wanted = list(islice(places, offset, None if limit is None else offset + limit))
    yield from (concatenate([batch.take([row]) for batch, row in wanted]),) if wanted else ()
