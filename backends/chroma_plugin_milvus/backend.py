"""A Milvus server, or Milvus Lite in a file, as a database of collections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import pymilvus

from chroma_plugin.backend import Backend
from chroma_plugin.types import CollectionInfo
from chroma_plugin_milvus.catalog import MilvusCatalog
from chroma_plugin_milvus.opening import close, connected
from chroma_plugin_milvus.options import MilvusOptions, is_lite
from chroma_plugin_milvus.store import MilvusStore
from chroma_plugin_milvus.table import Table


class MilvusBackend(Backend):
    """Nothing is kept in this process: what others change is seen by the next call."""

    persistent = True

    def __init__(self, options: MilvusOptions) -> None:
        self._options = options
        self._client = connected(options)
        self._catalog = MilvusCatalog(Table(self._client, f"{options.prefix}catalog", options))

    # -- collections -------------------------------------------------------------------------------------------------

    def list_collections(self, tenant: str, database: str) -> Sequence[CollectionInfo]:
        return self._catalog.picture().collections(tenant, database)

    def get_collection(self, name: str, tenant: str, database: str) -> CollectionInfo | None:
        return self._catalog.picture().find(name, tenant, database)

    def get_collection_by_id(self, id: UUID, tenant: str, database: str) -> CollectionInfo | None:
        return self._catalog.picture().find_by_id(id, tenant, database)

    def create_collection(self, info: CollectionInfo) -> None:
        self._catalog.picture().create_collection(info)

    def update_collection(self, info: CollectionInfo) -> None:
        self._catalog.picture().update_collection(info)

    def drop_collection(self, info: CollectionInfo) -> None:
        self._catalog.picture().drop_collection(info)
        self._drop_records([info])

    def open_collection(self, info: CollectionInfo) -> MilvusStore:
        info = self._catalog.picture().known(info)
        return MilvusStore(self._table(info), info, self._options)

    # -- tenants and databases ---------------------------------------------------------------------------------------

    def list_tenants(self) -> Sequence[str]:
        return self._catalog.picture().tenants()

    def create_tenant(self, name: str) -> None:
        self._catalog.picture().create_tenant(name)

    def list_databases(self, tenant: str) -> Sequence[str]:
        return self._catalog.picture().databases(tenant)

    def create_database(self, tenant: str, name: str) -> None:
        self._catalog.picture().create_database(tenant, name)

    def drop_database(self, tenant: str, name: str) -> None:
        self._drop_records(self._catalog.picture().drop_database(tenant, name))

    # -- the whole ---------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        self._drop_records(self._catalog.picture().clear())

    def stats(self) -> dict[str, Any]:
        return {
            "uri": self._options.uri,
            "milvus": "Lite" if is_lite(self._options.uri) else "server",
            "pymilvus": pymilvus.__version__,
            "consistency_level": self._options.consistency_level,
        }

    def close(self) -> None:
        close(self._client, self._options)

    def _table(self, info: CollectionInfo) -> Table:
        return Table(self._client, f"{self._options.prefix}{info.id.hex}", self._options)

    def _drop_records(self, gone: Iterable[CollectionInfo]) -> None:
        # The catalog has forgotten them already: a process that dies here leaves data that nobody finds.
        for info in gone:
            self._table(info).drop()
