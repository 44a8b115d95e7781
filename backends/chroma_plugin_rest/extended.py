"""A server of ours: the contract of backends and stores over HTTP, one request per call.

Each request is all or nothing. A `put` or an `insert` of more records than the server takes at once (`max_batch_size`
of its pre-flight checks) becomes several requests, in order: when one fails, the ones before it have been done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from chroma_plugin.backend import CollectionStore, Pushdown
from chroma_plugin.errors import AuthorizationError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.types import CollectionInfo, Hits, Records, Scan, Search
from chroma_plugin_rest import wire
from chroma_plugin_rest.backend import ServerBackend, place
from chroma_plugin_rest.transport import Transport, encoded

_FIELDS = ("name", "metadata", "configuration", "dimension")


class RestBackend(ServerBackend):
    """A database on a server of ours."""

    def list_tenants(self) -> Sequence[str]:
        """All of them; with a token that is bound to a tenant, that one."""
        try:
            names: list[str] = self._transport.get("/store/tenants")
        except AuthorizationError:
            return super().list_tenants()
        return names

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
        return RestStore(
            self._transport, f"{place(info.tenant, info.database)}/collections/{info.id}", self._facts.max_batch
        )

    def _change(self, before: CollectionInfo, info: CollectionInfo) -> None:
        new, old = wire.info_out(info), wire.info_out(before)
        # As JSON, where 1, 1.0 and true differ.
        changes = {name: new[name] for name in _FIELDS if encoded(new[name]) != encoded(old[name])}
        self._transport.call("PUT", f"{_collections(info)}/{info.id}", changes)

    def _drop(self, info: CollectionInfo) -> None:
        self._transport.call("DELETE", f"{_collections(info)}/{info.id}")

    def _listed(self, tenant: str, database: str, **one: object) -> list[CollectionInfo]:
        found = self._transport.get(f"{place(tenant, database)}/store/collections", **one)
        return [self._remember(wire.info_in(value)) for value in found]


class RestStore(CollectionStore):
    """A collection on a server of ours."""

    orders = True

    def __init__(self, transport: Transport, path: str, max_batch: int) -> None:
        self._transport = transport
        self._path = f"{path}/store"
        self._max_batch = max_batch

    def takes(self, part: Expr) -> Pushdown:
        return Pushdown.EXACT

    def put(self, records: Records) -> None:
        for batch in self._batches(records):
            self._write("put", {"records": wire.records_out(batch)})

    def insert(self, records: Records) -> Sequence[str]:
        known: list[str] = []
        for batch in self._batches(records):
            known += self._write("insert", {"records": wire.records_out(batch)})["known"]
        return known

    def update(self, records: Records) -> None:
        for batch in self._batches(records):
            self._write("update", {"records": wire.records_out(batch)})

    def delete(self, ids: Sequence[str]) -> int:
        deleted: int = self._write("delete", {"ids": wire.distinct(ids)})["deleted"] if ids else 0
        return deleted

    def delete_where(self, where: Expr) -> int:
        deleted: int = self._write("delete_where", {"where": wire.filter_out(where)})["deleted"]
        return deleted

    def scan(self, request: Scan) -> Iterator[Records]:
        answer = self._read("scan", wire.scan_out(request))
        return iter((wire.records_in(answer["records"]),))

    def count(self, where: Expr | None = None) -> int:
        count: int = self._read("count", {"where": wire.filter_out(where)})["count"]
        return count

    def search(self, request: Search) -> list[Hits]:
        if request.k == 0:
            return wire.no_hits(request)
        return [wire.hits_in(hits) for hits in self._read("search", wire.search_out(request))["hits"]]

    def optimize(self) -> None:
        self._transport.call("POST", f"{self._path}/optimize", {}, repeatable=True)

    def stats(self) -> dict[str, Any]:
        facts: dict[str, Any] = self._read("stats", {})
        return facts

    def _read(self, operation: str, body: dict[str, Any]) -> Any:
        return self._transport.call("POST", f"{self._path}/{operation}", body, repeatable=True)

    def _write(self, operation: str, body: dict[str, Any]) -> Any:
        return self._transport.call("POST", f"{self._path}/{operation}", body)

    def _batches(self, records: Records) -> Iterator[Records]:
        return wire.batches(records, self._max_batch)


def _collections(info: CollectionInfo) -> str:
    return f"{place(info.tenant, info.database)}/store/collections"
