"""Tenants, databases and collections: one transaction per change, and never an answer from memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from psycopg import errors as sql

from chroma_plugin.errors import NotFoundError, UniqueConstraintError
from chroma_plugin.types import CollectionInfo, Metadata
from chroma_plugin_pgvector import schema
from chroma_plugin_pgvector.database import Database, Row, Statements
from chroma_plugin_pgvector.escaping import escaped, unescaped


class Catalog:
    """What there is in one schema."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._schema = schema.quoted(name)

    # -- tenants and databases ---------------------------------------------------------------------------------------

    def tenants(self) -> Sequence[str]:
        return [
            unescaped(name) for (name,) in self._database.rows(f"SELECT name FROM {self._schema}.tenants ORDER BY made")
        ]

    def has_tenant(self, name: str) -> bool:
        return bool(self._database.rows(f"SELECT 1 FROM {self._schema}.tenants WHERE name = %s", (escaped(name),)))

    def add_tenant(self, name: str) -> None:
        if not self._database.count(
            f"INSERT INTO {self._schema}.tenants (name) VALUES (%s) ON CONFLICT DO NOTHING", (escaped(name),)
        ):
            raise UniqueConstraintError(f"Tenant {name!r} already exists.")

    def databases(self, tenant: str) -> Sequence[str]:
        self._check_tenant(tenant)
        found = self._database.rows(
            f"SELECT name FROM {self._schema}.databases WHERE tenant = %s ORDER BY made", (escaped(tenant),)
        )
        return [unescaped(name) for (name,) in found]

    def add_database(self, tenant: str, name: str) -> None:
        self._check_tenant(tenant)
        if not self._database.count(
            f"INSERT INTO {self._schema}.databases (tenant, name) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (escaped(tenant), escaped(name)),
        ):
            raise UniqueConstraintError(f"Database {name!r} already exists in tenant {tenant!r}.")

    def drop_database(self, tenant: str, name: str) -> None:
        place = (escaped(tenant), escaped(name))

        def drop(statements: Statements) -> None:
            # Nobody makes a collection in it from here on.
            if not statements.rows(
                f"SELECT 1 FROM {self._schema}.databases WHERE tenant = %s AND name = %s FOR UPDATE", place
            ):
                raise NotFoundError(f"Database {name!r} does not exist in tenant {tenant!r}.")
            self._drop(statements, "tenant = %s AND database = %s", place)
            statements.rows(f"DELETE FROM {self._schema}.databases WHERE tenant = %s AND name = %s", place)

        self._database.transaction(drop)

    # -- collections -------------------------------------------------------------------------------------------------

    def collections(self, tenant: str, database: str) -> list[CollectionInfo]:
        return self._found("tenant = %s AND database = %s", (escaped(tenant), escaped(database)))

    def collection(self, name: str, tenant: str, database: str) -> CollectionInfo | None:
        place = (escaped(tenant), escaped(database), escaped(name))
        return next(iter(self._found("tenant = %s AND database = %s AND name = %s", place)), None)

    def collection_by_id(self, id: UUID, tenant: str, database: str) -> CollectionInfo | None:
        place = (escaped(tenant), escaped(database), id)
        return next(iter(self._found("tenant = %s AND database = %s AND id = %s", place)), None)

    def number(self, info: CollectionInfo) -> tuple[int, bool]:
        """Which table holds the records, and whether it has an index of words. Raises NotFoundError when it is gone."""
        found = self._database.rows(
            f"SELECT number, full_text FROM {self._schema}.collections WHERE id = %s", (info.id,)
        )
        if not found:
            raise _gone(info)
        return int(found[0][0]), bool(found[0][1])

    def add_collection(self, info: CollectionInfo, *, full_text: bool) -> None:
        def add(statements: Statements) -> None:
            try:
                [(number,)] = statements.rows(
                    f"INSERT INTO {self._schema}.collections "
                    "(id, tenant, database, name, metadata, configuration, dimension, full_text) "
                    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING number",
                    (info.id, escaped(info.tenant), escaped(info.database), *_facts(info), full_text),
                )
            except sql.UniqueViolation as error:
                raise _taken(info) from error
            except sql.ForeignKeyViolation as error:
                raise NotFoundError(f"Database {info.database!r} does not exist in tenant {info.tenant!r}.") from error
            for statement in schema.create_records(self._name, number, full_text=full_text):
                statements.rows(statement)

        self._database.transaction(add)

    def change_collection(self, info: CollectionInfo) -> None:
        def change(statements: Statements) -> None:
            try:
                changed = statements.count(
                    # A dimension, once fixed, stays: another process may have fixed it.
                    f"UPDATE {self._schema}.collections SET name = %s, metadata = %s, configuration = %s, "
                    "dimension = coalesce(%s, dimension) WHERE id = %s",
                    (*_facts(info), info.id),
                )
            except sql.UniqueViolation as error:
                raise _taken(info) from error
            if not changed:
                raise _gone(info)

        self._database.transaction(change)

    def drop_collection(self, info: CollectionInfo) -> None:
        def drop(statements: Statements) -> None:
            if not self._drop(statements, "id = %s", (info.id,)):
                raise _gone(info)

        self._database.transaction(drop)

    def clear(self) -> None:
        """Delete everything but the default tenant and database."""

        def clear(statements: Statements) -> None:
            self._drop(statements, "TRUE", ())
            statements.rows(f"DELETE FROM {self._schema}.databases")
            statements.rows(f"DELETE FROM {self._schema}.tenants")
            schema.add_defaults(statements, self._schema)

        self._database.transaction(clear)

    def numbers(self) -> list[int]:
        """Of all collections."""
        return [int(number) for (number,) in self._database.rows(f"SELECT number FROM {self._schema}.collections")]

    def _drop(self, statements: Statements, which: str, parameters: Sequence[Any]) -> int:
        """Delete these collections with their tables; how many there were."""
        gone = statements.rows(f"DELETE FROM {self._schema}.collections WHERE {which} RETURNING number", parameters)
        for (number,) in gone:
            statements.rows(f"DROP TABLE {schema.records_table(self._name, number)}")
        return len(gone)

    def _found(self, which: str, parameters: Sequence[Any]) -> list[CollectionInfo]:
        rows = self._database.rows(
            "SELECT id, tenant, database, name, metadata, configuration, dimension "
            f"FROM {self._schema}.collections WHERE {which} ORDER BY number",
            parameters,
        )
        return [_info(row) for row in rows]

    def _check_tenant(self, tenant: str) -> None:
        if not self.has_tenant(tenant):
            raise NotFoundError(f"Tenant {tenant!r} does not exist.")


def _facts(info: CollectionInfo) -> tuple[Any, ...]:
    return escaped(info.name), _json(info.metadata), _json(info.configuration), info.dimension


def _json(value: Metadata | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _info(row: Row) -> CollectionInfo:
    id, tenant, database, name, metadata, configuration, dimension = row
    return CollectionInfo(
        id=id,
        name=unescaped(name),
        metadata=None if metadata is None else orjson.loads(metadata),
        configuration=orjson.loads(configuration),
        dimension=dimension,
        tenant=unescaped(tenant),
        database=unescaped(database),
    )


def _gone(info: CollectionInfo) -> NotFoundError:
    return NotFoundError(f"Collection {info.name!r} ({info.id}) does not exist.")


def _taken(info: CollectionInfo) -> UniqueConstraintError:
    return UniqueConstraintError(f"Collection {info.name!r} already exists.")
