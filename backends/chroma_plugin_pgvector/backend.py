"""A database of ours in one schema of a PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from chroma_plugin.backend import Backend, Change, CollectionStore
from chroma_plugin.types import CollectionInfo
from chroma_plugin_pgvector import schema
from chroma_plugin_pgvector.catalog import Catalog
from chroma_plugin_pgvector.database import Database, Statements
from chroma_plugin_pgvector.options import PgvectorOptions
from chroma_plugin_pgvector.store import PgvectorStore


class PgvectorBackend(Backend):
    """PostgreSQL is the truth, and nothing of it is remembered: any number of processes share it."""

    persistent = True
    native_async = True

    def __init__(self, options: PgvectorOptions) -> None:
        """Raises UnreachableError, AuthorizationError, UnsupportedError without pgvector of 0.8 or later, and
        FormatVersionError for a schema of a newer release.
        """
        self._options = options
        self._database = Database(options)
        try:
            # A server that can't be reached is said at once, and by its own words; the pool would try again.
            self._database.connect().close()
            schema.prepare(self._database, options.schema)
            [(self._vector_type,)] = self._database.rows("SELECT 'vector'::regtype::oid::bigint")
        except BaseException:
            self._database.close()
            raise
        self._catalog = Catalog(self._database, options.schema)

    def after_fork(self) -> bool:
        self._database.after_fork()
        return True

    # -- tenants and databases ---------------------------------------------------------------------------------------

    def list_tenants(self) -> Sequence[str]:
        return self._catalog.tenants()

    def has_tenant(self, name: str) -> bool:
        return self._catalog.has_tenant(name)

    def create_tenant(self, name: str) -> None:
        self._catalog.add_tenant(name)

    def list_databases(self, tenant: str) -> Sequence[str]:
        return self._catalog.databases(tenant)

    def create_database(self, tenant: str, name: str) -> None:
        self._catalog.add_database(tenant, name)

    def drop_database(self, tenant: str, name: str) -> None:
        self._catalog.drop_database(tenant, name)

    # -- collections -------------------------------------------------------------------------------------------------

    def list_collections(self, tenant: str, database: str) -> Sequence[CollectionInfo]:
        return self._catalog.collections(tenant, database)

    def get_collection(self, name: str, tenant: str, database: str) -> CollectionInfo | None:
        return self._catalog.collection(name, tenant, database)

    def get_collection_by_id(self, id: UUID, tenant: str, database: str) -> CollectionInfo | None:
        return self._catalog.collection_by_id(id, tenant, database)

    def create_collection(self, info: CollectionInfo) -> None:
        self._catalog.add_collection(info, full_text=self._options.full_text)

    def update_collection(self, info: CollectionInfo) -> None:
        self._catalog.change_collection(info)

    def drop_collection(self, info: CollectionInfo) -> None:
        self._catalog.drop_collection(info)

    def open_collection(self, info: CollectionInfo) -> CollectionStore:
        number, full_text = self._catalog.number(info)
        return PgvectorStore(
            self._database, self._options, info, number, full_text=full_text, vector_type=self._vector_type
        )

    def commit(self, changes: Sequence[Change]) -> None:
        """A transaction of PostgreSQL, which keeps every other writer away from these collections until it ends."""

        def work(statements: Statements) -> None:
            stores = [cast(PgvectorStore, change.store).within(statements) for change in changes]
            for change, store in zip(changes, stores, strict=True):
                change.check(store)
            for change, store in zip(changes, stores, strict=True):
                store.delete(change.deleted)
                if change.written is not None:
                    store.put(change.written)

        self._database.transaction(work)
        for change in changes:
            if change.written is not None:
                cast(PgvectorStore, change.store).written(change.written)

    # -- the database ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        self._catalog.clear()

    def heartbeat(self) -> int:
        [(now,)] = self._database.rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint")
        return int(now)

    def compact(self) -> None:
        """VACUUM, as PostgreSQL does by itself in the background: space of deleted records is used again."""
        for number in self._catalog.numbers():
            self._database.write(f"VACUUM (ANALYZE) {schema.records_table(self._options.schema, number)}")

    def stats(self) -> dict[str, Any]:
        [(version, vector, size)] = self._database.rows(
            "SELECT current_setting('server_version'), "
            "(SELECT extversion FROM pg_extension WHERE extname = 'vector'), pg_database_size(current_database())"
        )
        return {
            "server": self._database.place,
            "schema": self._options.schema,
            "postgresql": version,
            "pgvector": vector,
            "bytes_on_disk": size,
        }

    def close(self) -> None:
        self._database.close()
