"""The database that a server serves: what the paths of requests lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chroma_plugin.errors import NotFoundError
from chroma_plugin.operations.handle import Handle
from chroma_plugin.requests.names import collection_id
from chroma_plugin.sessions.connection import Connection
from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.sessions.session import Session
from chroma_plugin.wording import shown

if TYPE_CHECKING:
    from chroma_plugin.plugins import PluginManager


class Served:
    """One connection to one database, for all requests."""

    def __init__(self, connection: Connection, plugins: PluginManager, *, owned: bool = True) -> None:
        self._connection = connection
        self._plugins = plugins
        self._owned = owned

    @property
    def session(self) -> Session:
        return self._connection.session

    def check_database(self, tenant: str, database: str) -> None:
        """Raises NotFoundError when there is no such place."""
        if tenant not in self.session.backend.list_tenants():
            raise NotFoundError(f"Tenant [{shown(tenant)}] not found.")
        if database not in self.session.backend.list_databases(tenant):
            raise NotFoundError(
                f"Database [{shown(database)}] not found in tenant [{shown(tenant)}]. Are you sure it exists?"
            )

    def by_id(self, tenant: str, database: str, id: str) -> OpenCollection:
        """The collection with that id in that place, never one of another place."""
        found = self.session.find_by_id(collection_id(id), tenant, database)
        if found is None:
            raise NotFoundError(f"Collection [{shown(id)}] does not exist.")
        return found

    def by_name(self, tenant: str, database: str, name: str) -> OpenCollection:
        found = self.session.find(name, tenant, database)
        if found is None:
            raise NotFoundError(f"Collection [{shown(name)}] does not exist.")
        return found

    def handle(self, opened: OpenCollection) -> Handle:
        """A collection to work on. It has no embedding function: a server embeds nothing."""
        return Handle(self._connection, opened, None, None, self._plugins)

    def close(self) -> None:
        """Give the database up, unless it is somebody else's."""
        if self._owned:
            self._connection.close()
