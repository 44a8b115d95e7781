"""Tenants, databases and collections in the DuckDB file."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import orjson

from chroma_plugin.toolkit.catalog import Catalog
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT, CollectionInfo, Metadata
from chroma_plugin_duckdb import schema
from chroma_plugin_duckdb.cursor import Cursor
from chroma_plugin_duckdb.file import File
from chroma_plugin_duckdb.snapshot import Snapshot


class DuckDBCatalog:
    """A `chroma_plugin.toolkit.catalog.CatalogJournal`: one transaction per change."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._number_of: dict[UUID, int] = {}
        self._last_number = 0

    def resume(self, catalog: Catalog, snapshot: Snapshot) -> None:
        """Take over what was saved, without looking into the file."""
        self._number_of = {info.id: number for number, info in snapshot.collections}
        self._last_number = max(self._number_of.values(), default=0)
        catalog.load(snapshot.tenants, snapshot.databases, [info for _, info in snapshot.collections])

    def snapshot(self, catalog: Catalog, marks: dict[UUID, str]) -> Snapshot:
        """What `resume` takes."""
        tenants = catalog.tenants()
        return Snapshot(
            tenants=tenants,
            databases=[(tenant, name) for tenant in tenants for name in catalog.databases(tenant)],
            collections=[(self._number_of[info.id], info) for info in catalog.every_collection()],
            marks=marks,
        )

    def load_into(self, catalog: Catalog) -> None:
        with self._file.reading() as cursor:
            tenants = [name for (name,) in cursor.execute("SELECT name FROM tenants ORDER BY rowid")]
            databases = cursor.execute("SELECT tenant, name FROM databases ORDER BY rowid")
            found = collections(cursor)
        self._number_of = {info.id: number for number, info in found}
        self._last_number = max(self._number_of.values(), default=0)
        catalog.load(tenants, [(tenant, name) for tenant, name in databases], [info for _, info in found])

    def ids(self) -> set[str]:
        """Of all collections, as text."""
        return {str(id) for id in self._number_of}

    def number(self, info: CollectionInfo) -> int:
        """Which of the tables holds the collection's records."""
        return self._number_of[info.id]

    def add_tenant(self, name: str) -> None:
        with self._file.transaction() as cursor:
            cursor.execute("INSERT INTO tenants VALUES (?)", [name])

    def add_database(self, tenant: str, name: str) -> None:
        with self._file.transaction() as cursor:
            cursor.execute("INSERT INTO databases VALUES (?, ?)", [tenant, name])

    def drop_database(self, tenant: str, name: str, collections: Sequence[CollectionInfo]) -> None:
        with self._file.transaction() as cursor:
            cursor.execute("DELETE FROM databases WHERE tenant = ? AND name = ?", [tenant, name])
            for info in collections:
                self._drop(cursor, info)

    def add_collection(self, info: CollectionInfo) -> None:
        # A number is never used twice while the file is open; after that its table is gone.
        number = self._last_number + 1
        with self._file.transaction() as cursor:
            cursor.execute(schema.create_records(number))
            cursor.execute(
                "INSERT INTO collections VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    number,
                    info.id,
                    info.tenant,
                    info.database,
                    info.name,
                    _json(info.metadata),
                    _json(info.configuration),
                    info.dimension,
                ],
            )
        self._last_number = number
        self._number_of[info.id] = number

    def change_collection(self, info: CollectionInfo) -> None:
        with self._file.transaction() as cursor:
            cursor.execute(
                "UPDATE collections SET name = ?, metadata = ?, configuration = ?, dimension = ? WHERE number = ?",
                [info.name, _json(info.metadata), _json(info.configuration), info.dimension, self.number(info)],
            )

    def drop_collection(self, info: CollectionInfo) -> None:
        with self._file.transaction() as cursor:
            self._drop(cursor, info)

    def clear(self) -> None:
        with self._file.transaction() as cursor:
            for (number,) in cursor.execute("SELECT number FROM collections"):
                cursor.execute(f"DROP TABLE {schema.records_table(number)}")
            for table in ("collections", "databases", "tenants"):
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute("INSERT INTO tenants VALUES (?)", [DEFAULT_TENANT])
            cursor.execute("INSERT INTO databases VALUES (?, ?)", [DEFAULT_TENANT, DEFAULT_DATABASE])
        self._number_of.clear()

    def dead_bytes(self) -> int:
        """About how many bytes of the file hold nothing, or deleted records."""
        with self._file.reading() as cursor:
            [(dead,)] = cursor.execute("SELECT block_size * free_blocks FROM pragma_database_size()")
            # DuckDB keeps deleted rows that stand among living ones, and counts them here.
            stored = dict(cursor.execute("SELECT table_name, estimated_size FROM duckdb_tables()"))
            for number, dimension in cursor.execute("SELECT number, coalesce(dimension, 0) FROM collections"):
                table = schema.records_table(number)
                [(living,)] = cursor.execute(f"SELECT count(*) FROM {table}")
                dead += (stored[table] - living) * dimension * 4  # settling does not reach the vectors of deleted rows
        return int(dead)

    def _drop(self, cursor: Cursor, info: CollectionInfo) -> None:
        number = self.number(info)
        cursor.execute("DELETE FROM collections WHERE number = ?", [number])
        cursor.execute(f"DROP TABLE {schema.records_table(number)}")


def collections(cursor: Cursor) -> list[tuple[int, CollectionInfo]]:
    """All that the file has, with the numbers of their tables, in the order of creation."""
    rows = cursor.execute(
        "SELECT number, id, tenant, database, name, metadata, configuration, dimension FROM collections ORDER BY number"
    )
    return [(row[0], info_of_row(*row[1:])) for row in rows]


def _json(value: Metadata | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def info_of_row(
    id: UUID,
    tenant: str,
    database: str,
    name: str,
    metadata: str | None,
    configuration: str,
    dimension: int | None,
) -> CollectionInfo:
    return CollectionInfo(
        id=id,
        name=name,
        metadata=None if metadata is None else orjson.loads(metadata),
        configuration=orjson.loads(configuration),
        dimension=dimension,
        tenant=tenant,
        database=database,
    )
