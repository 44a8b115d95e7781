"""A database as chromadb 0.4 to 1.x keeps it in a directory: SQLite, and hnswlib files for the vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from chroma_plugin.backend import Backend, CollectionStore
from chroma_plugin.errors import NotFoundError
from chroma_plugin.types import CollectionInfo
from chroma_plugin_chromadb import catalogue
from chroma_plugin_chromadb.database import Database
from chroma_plugin_chromadb.options import ChromadbOptions
from chroma_plugin_chromadb.store import ChromadbStore, read_only


class ChromadbBackend(Backend):
    """None of chromadb's code runs, no pickle is loaded, and no file is changed."""

    persistent = True

    def __init__(self, options: ChromadbOptions) -> None:
        self._directory = Path(options.persist_directory).absolute()
        self._database = Database(self._directory)

    def list_tenants(self) -> Sequence[str]:
        return catalogue.tenants(self._database)

    def list_databases(self, tenant: str) -> Sequence[str]:
        if not self.has_tenant(tenant):
            raise NotFoundError(f"Tenant {tenant!r} does not exist.")
        return catalogue.databases(self._database, tenant)

    def list_collections(self, tenant: str, database: str) -> Sequence[CollectionInfo]:
        return catalogue.collections(self._database, tenant, database)

    def open_collection(self, info: CollectionInfo) -> CollectionStore:
        return ChromadbStore(self._database, self._directory, info)

    def create_collection(self, info: CollectionInfo) -> NoReturn:
        raise read_only(self._database)

    def update_collection(self, info: CollectionInfo) -> NoReturn:
        raise read_only(self._database)

    def drop_collection(self, info: CollectionInfo) -> NoReturn:
        raise read_only(self._database)

    def create_tenant(self, name: str) -> NoReturn:
        raise read_only(self._database)

    def create_database(self, tenant: str, name: str) -> NoReturn:
        raise read_only(self._database)

    def drop_database(self, tenant: str, name: str) -> NoReturn:
        raise read_only(self._database)

    def reset(self) -> NoReturn:
        raise read_only(self._database)

    def stats(self) -> dict[str, Any]:
        size = sum(path.stat().st_size for path in self._directory.rglob("*") if path.is_file())
        return {"path": str(self._database.path), "read_only": True, "bytes_on_disk": size}

    def close(self) -> None:
        self._database.close()
