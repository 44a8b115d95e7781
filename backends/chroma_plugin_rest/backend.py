"""What is the same with every Chroma server: tenants, databases, reset, heartbeat."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from chroma_plugin.backend import Backend
from chroma_plugin.errors import NotFoundError
from chroma_plugin.frozen import frozen
from chroma_plugin.types import DEFAULT_TENANT, CollectionInfo
from chroma_plugin_rest.answers import field, items
from chroma_plugin_rest.parts import Limits
from chroma_plugin_rest.transport import Transport

PAGE: Final = 1_000
"""So many collections or databases are asked for at once."""
MAX_PAGES: Final = 10_000


@frozen
class ServerFacts:
    """What a server said when we introduced ourselves."""

    tenant: str
    """Where the token belongs."""
    version: str
    limits: Limits
    extended: bool
    """It is one of ours."""


class ServerBackend(Backend):
    """One server. Collections are found again by what they were when this client last saw them, so that a change
    sends no more than what changes.
    """

    persistent = True
    native_async = True

    def __init__(self, transport: Transport, facts: ServerFacts) -> None:
        self._transport = transport
        self._facts = facts
        self._seen: dict[UUID, CollectionInfo] = {}

    def after_fork(self) -> bool:
        self._transport.after_fork()
        return True

    # -- tenants and databases ---------------------------------------------------------------------------------------

    def list_tenants(self) -> Sequence[str]:
        """The tenant of the token and the default one: a server does not list others."""
        names = [DEFAULT_TENANT, self._facts.tenant]
        return [name for name in dict.fromkeys(names) if name and self.has_tenant(name)]

    def has_tenant(self, name: str) -> bool:
        return self._exists(_tenant(name))

    def create_tenant(self, name: str) -> None:
        self._transport.call("POST", "/tenants", {"name": name})

    def list_databases(self, tenant: str) -> Sequence[str]:
        self._check_tenant(tenant)
        return [field(found, "name", str) for found in self._pages(f"{_tenant(tenant)}/databases")]

    def has_database(self, tenant: str, name: str) -> bool:
        self._check_tenant(tenant)
        return self._exists(place(tenant, name))

    def create_database(self, tenant: str, name: str) -> None:
        # Chroma's own servers create one in a tenant that does not exist.
        self._check_tenant(tenant)
        self._transport.call("POST", f"{_tenant(tenant)}/databases", {"name": name})

    def drop_database(self, tenant: str, name: str) -> None:
        self._transport.call("DELETE", place(tenant, name))

    # -- collections, as far as they are the same --------------------------------------------------------------------

    def update_collection(self, info: CollectionInfo) -> None:
        before = self._seen.get(info.id) or self._current(info)
        self._change(before, info)
        self._seen[info.id] = info

    def drop_collection(self, info: CollectionInfo) -> None:
        self._drop(self._current(info))
        self._seen.pop(info.id, None)

    @abstractmethod
    def _change(self, before: CollectionInfo, info: CollectionInfo) -> None:
        """Send what differs. Raises NotFoundError when the collection is gone."""

    @abstractmethod
    def _drop(self, info: CollectionInfo) -> None: ...

    def _remember(self, info: CollectionInfo) -> CollectionInfo:
        self._seen[info.id] = info
        return info

    def _current(self, info: CollectionInfo) -> CollectionInfo:
        """The collection as it is now. Raises NotFoundError when it is gone."""
        found = self.get_collection_by_id(info.id, info.tenant, info.database)
        if found is None:
            raise NotFoundError(f"Collection {info.name!r} ({info.id}) does not exist.")
        return found

    # -- the server --------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Delete everything. Raises AuthorizationError when the server does not allow it."""
        self._transport.call("POST", "/reset")
        self._seen.clear()

    def heartbeat(self) -> int:
        return field(self._transport.get("/heartbeat"), "nanosecond heartbeat", int)

    def stats(self) -> dict[str, Any]:
        kind = "chroma-plugin" if self._facts.extended else "Chroma"
        return {"server": self._transport.address.url, "server_kind": kind, "server_version": self._facts.version}

    def close(self) -> None:
        self._transport.close()

    # -- asking ------------------------------------------------------------------------------------------------------

    def _exists(self, path: str) -> bool:
        try:
            self._transport.get(path)
        except NotFoundError:
            return False
        return True

    def _check_tenant(self, tenant: str) -> None:
        if not self.has_tenant(tenant):
            raise NotFoundError(f"Tenant {tenant!r} does not exist.")

    def _pages(self, path: str) -> list[Any]:
        """A whole list that the server gives page by page."""
        found: list[Any] = []
        for _ in range(MAX_PAGES):
            page = items(self._transport.get(path, limit=PAGE, offset=len(found)), dict)
            found += page
            if len(page) < PAGE:
                break
        return found


def place(tenant: str, database: str) -> str:
    return f"{_tenant(tenant)}/databases/{segment(database)}"


def segment(name: str) -> str:
    """A name as one part of a path, whatever is in it."""
    return quote(name, safe="")


def _tenant(tenant: str) -> str:
    return f"/tenants/{segment(tenant)}"
