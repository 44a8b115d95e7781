"""Which tenants, databases and collections there are; each change goes to a journal before it is seen."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID

from chroma_plugin.errors import NotFoundError, UniqueConstraintError
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT, CollectionInfo
from chroma_plugin.wording import shown


class CatalogJournal(Protocol):
    """The truth of a catalog. Each change is all or nothing, and kept when the call returns."""

    def add_tenant(self, name: str) -> None: ...

    def add_database(self, tenant: str, name: str) -> None: ...

    def drop_database(self, tenant: str, name: str, collections: Sequence[CollectionInfo]) -> None: ...

    def add_collection(self, info: CollectionInfo) -> None: ...

    def change_collection(self, info: CollectionInfo) -> None: ...

    def drop_collection(self, info: CollectionInfo) -> None: ...

    def clear(self) -> None:
        """Back to the default tenant with its empty default database."""


class Catalog:
    """A picture of the journal in memory, and the rules of what may be changed."""

    def __init__(self, journal: CatalogJournal) -> None:
        self._journal = journal
        self._lock = threading.RLock()
        self._databases: dict[str, list[str]] = {DEFAULT_TENANT: [DEFAULT_DATABASE]}
        self._collections: dict[UUID, CollectionInfo] = {}
        self._id_of: dict[tuple[str, str, str], UUID] = {}

    def load(
        self, tenants: Iterable[str], databases: Iterable[tuple[str, str]], collections: Iterable[CollectionInfo]
    ) -> None:
        """Take over what the journal holds, each in the order of creation."""
        self._databases = {tenant: [] for tenant in tenants}
        for tenant, name in databases:
            self._databases[tenant].append(name)
        self._collections = {info.id: info for info in collections}
        self._id_of = {_place(info): info.id for info in self._collections.values()}

    # -- tenants and databases ---------------------------------------------------------------------------------------

    def tenants(self) -> list[str]:
        return list(self._databases)

    def create_tenant(self, name: str) -> None:
        with self._lock:
            if name in self._databases:
                raise UniqueConstraintError(f"Tenant {shown(name)} already exists.")
            self._journal.add_tenant(name)
            self._databases[name] = []

    def databases(self, tenant: str) -> list[str]:
        if tenant not in self._databases:
            raise NotFoundError(f"Tenant {shown(tenant)} does not exist.")
        return list(self._databases[tenant])

    def create_database(self, tenant: str, name: str) -> None:
        with self._lock:
            if name in self.databases(tenant):
                raise UniqueConstraintError(f"Database {shown(name)} already exists in tenant {shown(tenant)}.")
            self._journal.add_database(tenant, name)
            self._databases[tenant].append(name)

    def drop_database(self, tenant: str, name: str) -> list[CollectionInfo]:
        """The collections that went with it."""
        with self._lock:
            gone = self.collections(tenant, name)
            self._journal.drop_database(tenant, name, gone)
            self._databases[tenant].remove(name)
            for info in gone:
                self._forget(info)
            return gone

    # -- collections -------------------------------------------------------------------------------------------------

    def collections(self, tenant: str, database: str) -> list[CollectionInfo]:
        with self._lock:
            self._check_database(tenant, database)
            return [info for info in self._collections.values() if (info.tenant, info.database) == (tenant, database)]

    def every_collection(self) -> list[CollectionInfo]:
        """Of all tenants, in the order of creation."""
        with self._lock:
            return list(self._collections.values())

    def find(self, name: str, tenant: str, database: str) -> CollectionInfo | None:
        with self._lock:
            self._check_database(tenant, database)
            id = self._id_of.get((tenant, database, name))
            return None if id is None else self._collections[id]

    def find_by_id(self, id: UUID, tenant: str, database: str) -> CollectionInfo | None:
        with self._lock:
            self._check_database(tenant, database)
            info = self._collections.get(id)
            return info if info is not None and (info.tenant, info.database) == (tenant, database) else None

    def create_collection(self, info: CollectionInfo) -> None:
        with self._lock:
            self._check_name(info)
            self._journal.add_collection(info)
            self._keep(info)

    def update_collection(self, info: CollectionInfo) -> None:
        with self._lock:
            before = self.known(info)
            self._check_name(info)
            self._journal.change_collection(info)
            del self._id_of[_place(before)]
            self._keep(info)

    def drop_collection(self, info: CollectionInfo) -> None:
        with self._lock:
            before = self.known(info)
            self._journal.drop_collection(info)
            self._forget(before)

    def known(self, info: CollectionInfo) -> CollectionInfo:
        """What the catalog has under that id."""
        if info.id not in self._collections:
            raise NotFoundError(f"Collection {info.name!r} ({info.id}) does not exist.")
        return self._collections[info.id]

    def clear(self) -> list[CollectionInfo]:
        """Everything that went."""
        with self._lock:
            gone = list(self._collections.values())
            self._journal.clear()
            self.load([DEFAULT_TENANT], [(DEFAULT_TENANT, DEFAULT_DATABASE)], [])
            return gone

    def _keep(self, info: CollectionInfo) -> None:
        self._collections[info.id] = info
        self._id_of[_place(info)] = info.id

    def _forget(self, info: CollectionInfo) -> None:
        del self._collections[info.id]
        del self._id_of[_place(info)]

    def _check_name(self, info: CollectionInfo) -> None:
        other = self.find(info.name, info.tenant, info.database)
        if other is not None and other.id != info.id:
            raise UniqueConstraintError(f"Collection {info.name!r} already exists.")

    def _check_database(self, tenant: str, database: str) -> None:
        if database not in self.databases(tenant):
            raise NotFoundError(f"Database {shown(database)} does not exist in tenant {shown(tenant)}.")


def _place(info: CollectionInfo) -> tuple[str, str, str]:
    return info.tenant, info.database, info.name


class NoCatalogJournal:
    """Nothing is kept."""

    def add_tenant(self, name: str) -> None:
        pass

    def add_database(self, tenant: str, name: str) -> None:
        pass

    def drop_database(self, tenant: str, name: str, collections: Sequence[CollectionInfo]) -> None:
        pass

    def add_collection(self, info: CollectionInfo) -> None:
        pass

    def change_collection(self, info: CollectionInfo) -> None:
        pass

    def drop_collection(self, info: CollectionInfo) -> None:
        pass

    def clear(self) -> None:
        pass
