"""Tenants and databases: what `Client` and `AdminClient` have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict
from uuid import NAMESPACE_URL, UUID, uuid5

from chroma_plugin.errors import NotFoundError
from chroma_plugin.requests import names, paging
from chroma_plugin.sessions.connection import Connection
from chroma_plugin.sessions.session import Session
from chroma_plugin.types import DEFAULT_TENANT
from chroma_plugin.wording import shown


class Tenant(TypedDict):
    name: str


class Database(TypedDict):
    id: UUID
    """Made from the two names, so the same in every process."""
    name: str
    tenant: str


class TenantsAndDatabases:
    """Manages tenants and databases. A backend may have just one of each, the default ones; then making more is an
    UnsupportedError.
    """

    _connection: Connection

    @property
    def _session(self) -> Session:
        return self._connection.session

    def create_tenant(self, name: str) -> None:
        """Raises UniqueConstraintError when it exists."""
        self._session.backend.create_tenant(names.tenant_name(name))

    def get_tenant(self, name: str) -> Tenant:
        """Raises NotFoundError when there is none of that name."""
        wanted = names.lookup_name(name, "tenant")
        if not self._session.backend.has_tenant(wanted):
            raise NotFoundError(f"Tenant {shown(wanted)} does not exist.")
        return {"name": wanted}

    def create_database(self, name: str, tenant: str = DEFAULT_TENANT) -> None:
        """Raises UniqueConstraintError when it exists, NotFoundError when there is no such tenant."""
        self._session.backend.create_database(self.get_tenant(tenant)["name"], names.database_name(name))

    def get_database(self, name: str, tenant: str = DEFAULT_TENANT) -> Database:
        """Raises NotFoundError when there is none of that name in the tenant."""
        wanted, owner = names.lookup_name(name, "database"), self.get_tenant(tenant)["name"]
        if not self._session.backend.has_database(owner, wanted):
            raise NotFoundError(f"Database {shown(wanted)} does not exist in tenant {shown(owner)}.")
        return _database(wanted, owner)

    def list_databases(
        self, limit: int | None = None, offset: int | None = None, tenant: str = DEFAULT_TENANT
    ) -> Sequence[Database]:
        """The databases of a tenant."""
        owner = self.get_tenant(tenant)["name"]
        found = paging.page(self._session.backend.list_databases(owner), limit, offset)
        return [_database(name, owner) for name in found]

    def delete_database(self, name: str, tenant: str = DEFAULT_TENANT) -> None:
        """Delete a database with all its collections. Raises NotFoundError when there is none of that name."""
        database = self.get_database(name, tenant)
        self._session.drop_database(database["tenant"], database["name"])


def _database(name: str, tenant: str) -> Database:
    return {"id": uuid5(NAMESPACE_URL, f"{tenant}/{name}"), "name": name, "tenant": tenant}
