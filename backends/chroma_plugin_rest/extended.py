"""A server of ours: the contract of backends and stores over HTTP, one request per call.

Each request is all or nothing. A write of more records, or of more bytes, than the server takes at once becomes several
requests, in order: when one fails, the ones before it have been done, and the error says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from chroma_plugin.backend import Change, CollectionStore, Pushdown
from chroma_plugin.errors import AuthorizationError, NotFoundError, UnsupportedError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.types import CollectionInfo, Hits, Ranked, Read, Records, Scan, Search, TextSearch
from chroma_plugin_rest import wire
from chroma_plugin_rest.answers import decoding, field, items
from chroma_plugin_rest.backend import ServerBackend, place
from chroma_plugin_rest.parts import Limits, send_in_parts
from chroma_plugin_rest.revising import revised
from chroma_plugin_rest.transport import Transport, encoded

_T = TypeVar("_T")
_SLOW: Final = 300.0
"""Seconds that a server may work on what takes as long as the database is large."""
_FIELDS: Final = ("name", "metadata", "configuration", "dimension")


class RestBackend(ServerBackend):
    """A database on a server of ours."""

    def list_tenants(self) -> Sequence[str]:
        """All of them; with a token that is bound to a tenant, that one."""
        try:
            return items(self._transport.get("/store/tenants"), str)
        except AuthorizationError:
            return super().list_tenants()

    def list_collections(self, tenant: str, database: str) -> Sequence[CollectionInfo]:
        return self._listed(tenant, database)

    def get_collection(self, name: str, tenant: str, database: str) -> CollectionInfo | None:
        return next(iter(self._listed(tenant, database, name=name)), None)

    def get_collection_by_id(self, id: UUID, tenant: str, database: str) -> CollectionInfo | None:
        return next(iter(self._listed(tenant, database, id=id)), None)

    def create_collection(self, info: CollectionInfo) -> None:
        self._transport.call("POST", _collections(info), wire.info_out(info))
        self._remember(info)

    def open_collection(self, info: CollectionInfo) -> CollectionStore:
        self._current(info)
        path = f"{place(info.tenant, info.database)}/collections/{info.id}"
        return RestStore(self._transport, path, self._facts.limits, info)

    def commit(self, changes: Sequence[Change]) -> None:
        """In one request. Raises UnsupportedError for collections of several databases."""
        infos = [cast(RestStore, change.store).info for change in changes]
        places = {place(info.tenant, info.database) for info in infos}
        if len(places) > 1:
            raise UnsupportedError("A transaction on a server is about the collections of one database.")
        told = [_change_out(info, change) for info, change in zip(infos, changes, strict=True)]
        self._transport.call("POST", f"{places.pop()}/store/commit", {"changes": told})

    def flush(self) -> None:
        self._transport.call("POST", "/store/flush", {}, repeatable=True, seconds=_SLOW)

    def compact(self) -> None:
        """The whole database of the server, with the collections of others."""
        self._transport.call("POST", "/store/compact", {}, repeatable=True, seconds=_SLOW)

    def _change(self, before: CollectionInfo, info: CollectionInfo) -> None:
        new, old = wire.info_out(info), wire.info_out(before)
        # As JSON, where 1, 1.0 and true differ.
        changes = {name: new[name] for name in _FIELDS if encoded(new[name]) != encoded(old[name])}
        self._transport.call("PUT", f"{_collections(info)}/{info.id}", changes)

    def _drop(self, info: CollectionInfo) -> None:
        self._transport.call("DELETE", f"{_collections(info)}/{info.id}")

    def _listed(self, tenant: str, database: str, **one: object) -> list[CollectionInfo]:
        found = self._transport.get(f"{place(tenant, database)}/store/collections", **one)
        return [self._remember(wire.info_in(value)) for value in items(found, dict)]


class RestStore(CollectionStore):
    """A collection on a server of ours."""

    orders = True

    def __init__(self, transport: Transport, path: str, limits: Limits, info: CollectionInfo) -> None:
        self.info = info
        self._transport = transport
        self._path = f"{path}/store"
        self._limits = limits

    def takes(self, part: Expr) -> Pushdown:
        return Pushdown.EXACT

    def put(self, records: Records) -> None:
        self._write_records("put", records)

    def merge(self, records: Records) -> Sequence[str]:
        """By the server, under its lock: that takes one request where `revise` takes two."""
        return [
            id for answer in self._write_records("merge", records) for id in items(field(answer, "merged", list), str)
        ]

    def revise(self, work: Callable[[CollectionStore], _T]) -> _T:
        return revised(self, self._write_records, work)

    def insert(self, records: Records) -> Sequence[str]:
        return [
            id for answer in self._write_records("insert", records) for id in items(field(answer, "known", list), str)
        ]

    def update(self, records: Records) -> None:
        self._write_records("update", records)

    def delete(self, ids: Sequence[str]) -> int:
        return field(self._write("delete", {"ids": wire.distinct(ids)}), "deleted", int) if ids else 0

    def delete_where(self, where: Expr) -> int:
        return field(self._write("delete_where", {"where": wire.filter_out(where)}), "deleted", int)

    def scan(self, request: Scan) -> Iterator[Records]:
        answer = self._read("scan", wire.scan_out(request))
        return iter((wire.records_in(field(answer, "records", dict)),))

    def count(self, where: Expr | None = None) -> int:
        return field(self._read("count", {"where": wire.filter_out(where)}), "count", int)

    def search(self, request: Search) -> list[Hits]:
        if request.k == 0:
            return wire.no_hits(request)
        parts = wire.searches(request, self._limits.body_bytes // 2)
        return [hits for part in parts for hits in self._searched(part)]

    def search_text(self, request: TextSearch) -> list[Ranked]:
        if request.k == 0 or not request.queries:
            return wire.no_ranked(request)
        try:
            answer = self._read("search_text", wire.text_search_out(request))
        except NotFoundError:
            # The server is older than this operation; or else the collection is gone, and reading it says so.
            return super().search_text(request)
        return [wire.ranked_in(ranked) for ranked in _one_each(answer, "ranked", len(request.queries))]

    def optimize(self) -> None:
        self._transport.call("POST", f"{self._path}/optimize", {}, repeatable=True, seconds=_SLOW)

    def stats(self) -> dict[str, Any]:
        facts: dict[str, Any] = self._read("stats", {})
        return facts

    def _searched(self, part: Search) -> list[Hits]:
        answer = self._read("search", wire.search_out(part))
        return [wire.hits_in(hits) for hits in _one_each(answer, "hits", len(part.embeddings))]

    def _read(self, operation: str, body: dict[str, Any]) -> Any:
        return self._transport.call("POST", f"{self._path}/{operation}", body, repeatable=True)

    def _write(self, operation: str, body: dict[str, Any]) -> Any:
        return self._transport.call("POST", f"{self._path}/{operation}", body)

    def _write_records(
        self, operation: str, records: Records, reads: Callable[[Records], Sequence[Read]] = lambda _: ()
    ) -> list[Any]:
        """``reads``: what a part of the records depends on."""

        def encode(part: Records) -> bytes:
            depends = [wire.read_out(read) for read in reads(part)]
            return encoded({"records": wire.records_out(part), **({"reads": depends} if depends else {})})

        def send(content: bytes) -> Any:
            return self._transport.send("POST", f"{self._path}/{operation}", content)

        return send_in_parts(records, self._limits, encode, send)


@decoding
def _one_each(answer: Any, name: str, count: int) -> list[dict[str, Any]]:
    """What an answer has for each of so many questions."""
    found = items(field(answer, name, list), dict)
    if len(found) != count:
        raise ValueError(f"{len(found)} {name} for {count} questions")
    return found


def _collections(info: CollectionInfo) -> str:
    return f"{place(info.tenant, info.database)}/store/collections"


def _change_out(info: CollectionInfo, change: Change) -> dict[str, Any]:
    return {
        "collection": str(info.id),
        "reads": [wire.read_out(read) for read in change.reads],
        "deleted": wire.distinct(change.deleted),
        "records": None if change.written is None else wire.records_out(change.written),
    }
