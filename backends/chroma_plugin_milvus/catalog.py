"""Tenants, databases and collections, each one row of a Milvus collection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from chroma_plugin.errors import UniqueConstraintError
from chroma_plugin.toolkit.catalog import Catalog
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT, CollectionInfo
from chroma_plugin_milvus import expressions, pieces, schema, tokens
from chroma_plugin_milvus.table import Row, Table

Entry = dict[str, Any]


class MilvusCatalog:
    """A `chroma_plugin.toolkit.catalog.CatalogJournal`, read for every call: several processes may share it."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._last_place = 0
        self._place_of: dict[UUID, int] = {}
        table.make(schema.catalog(), schema.catalog_index())

    def picture(self) -> Catalog:
        """What there is now."""
        rows = sorted(self._table.all(expressions.EVERYTHING, ["place", "entry"]), key=_order)
        entries = [(row["place"], orjson.loads(pieces.join(row["entry"]) or "")) for row in rows]
        tenants = [DEFAULT_TENANT, *(entry["tenant"] for _, entry in entries if entry["kind"] == "tenant")]
        databases = [(entry["tenant"], entry["database"]) for _, entry in entries if entry["kind"] == "database"]
        catalog = Catalog(self)
        catalog.load(
            dict.fromkeys(tenants),
            dict.fromkeys(pair for pair in [(DEFAULT_TENANT, DEFAULT_DATABASE), *databases] if pair[0] in tenants),
            [_info(entry) for _, entry in entries if entry["kind"] == "collection"],
        )
        self._place_of = {UUID(entry["id"]): place for place, entry in entries if entry["kind"] == "collection"}
        return catalog

    def add_tenant(self, name: str) -> None:
        self._keep({"kind": "tenant", "tenant": name}, tokens.key(f"tenant {name}"))

    def add_database(self, tenant: str, name: str) -> None:
        entry = {"kind": "database", "tenant": tenant, "database": name}
        self._keep(entry, _database_key(tenant, name))

    def drop_database(self, tenant: str, name: str, collections: Sequence[CollectionInfo]) -> None:
        self._table.delete([_database_key(tenant, name), *(info.id.hex for info in collections)])

    def add_collection(self, info: CollectionInfo) -> None:
        self._keep(_entry(info), info.id.hex)
        self._refuse_second(info)

    def change_collection(self, info: CollectionInfo) -> None:
        self._keep(_entry(info), info.id.hex, self._place_of[info.id])

    def drop_collection(self, info: CollectionInfo) -> None:
        self._table.delete([info.id.hex])

    def clear(self) -> None:
        self._table.delete([row["key"] for row in self._table.all(expressions.EVERYTHING, ["key"])])

    def _refuse_second(self, info: CollectionInfo) -> None:
        """Milvus has no unique names: of two processes that made one at once, the later one takes it back."""
        same = [other for other in self.picture().collections(info.tenant, info.database) if other.name == info.name]
        if same and same[0].id != info.id:
            self.drop_collection(info)
            raise UniqueConstraintError(f"Collection {info.name!r} already exists.")

    def _keep(self, entry: Entry, key: str, place: int | None = None) -> None:
        text = orjson.dumps(entry).decode()
        if place is None:
            place = self._last_place = max(self._last_place + 1, time.time_ns())
        row = {"key": key, "place": place, "vector": [0.0, 0.0], "entry": pieces.split(text, "An entry")}
        self._table.upsert({name: [value] for name, value in row.items()}, schema.catalog())


def _order(row: Row) -> tuple[int, str]:
    return row["place"], row["key"]


def _database_key(tenant: str, name: str) -> str:
    return tokens.key(orjson.dumps(["database", tenant, name]).decode())


def _entry(info: CollectionInfo) -> Entry:
    return {
        "kind": "collection",
        "id": str(info.id),
        "name": info.name,
        "metadata": info.metadata,
        "configuration": info.configuration,
        "dimension": info.dimension,
        "tenant": info.tenant,
        "database": info.database,
    }


def _info(entry: Entry) -> CollectionInfo:
    given = {name: value for name, value in entry.items() if name != "kind"}
    return CollectionInfo(**{**given, "id": UUID(entry["id"])})
