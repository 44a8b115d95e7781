"""A database of local stores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import cast
from uuid import UUID

from chroma_plugin.backend import Backend, Change
from chroma_plugin.toolkit.background import Background
from chroma_plugin.toolkit.catalog import Catalog, CatalogJournal
from chroma_plugin.toolkit.journal import Journal
from chroma_plugin.toolkit.local import LocalStore
from chroma_plugin.types import CollectionInfo


class LocalBackend(Backend):
    """Give it a journal for the catalog and one for each collection."""

    def __init__(self, journal: CatalogJournal) -> None:
        self._catalog = Catalog(journal)
        self._background = Background()
        self._stores: dict[UUID, LocalStore] = {}

    @abstractmethod
    def journal(self, info: CollectionInfo) -> Journal:
        """Where the records of that collection are kept."""

    def list_collections(self, tenant: str, database: str) -> Sequence[CollectionInfo]:
        return self._catalog.collections(tenant, database)

    def get_collection(self, name: str, tenant: str, database: str) -> CollectionInfo | None:
        return self._catalog.find(name, tenant, database)

    def get_collection_by_id(self, id: UUID, tenant: str, database: str) -> CollectionInfo | None:
        return self._catalog.find_by_id(id, tenant, database)

    def create_collection(self, info: CollectionInfo) -> None:
        self._catalog.create_collection(info)

    def update_collection(self, info: CollectionInfo) -> None:
        self._catalog.update_collection(info)

    def drop_collection(self, info: CollectionInfo) -> None:
        with self._resting([info]):
            self._catalog.drop_collection(info)
        self._forget([info])

    def open_collection(self, info: CollectionInfo) -> LocalStore:
        info = self._catalog.known(info)
        if info.id not in self._stores:
            self._stores[info.id] = LocalStore(info, self.journal(info), self._background)
        return self._stores[info.id]

    def list_tenants(self) -> Sequence[str]:
        return self._catalog.tenants()

    def create_tenant(self, name: str) -> None:
        self._catalog.create_tenant(name)

    def list_databases(self, tenant: str) -> Sequence[str]:
        return self._catalog.databases(tenant)

    def create_database(self, tenant: str, name: str) -> None:
        self._catalog.create_database(tenant, name)

    def drop_database(self, tenant: str, name: str) -> None:
        with self._resting(self._catalog.collections(tenant, name)):
            gone = self._catalog.drop_database(tenant, name)
        self._forget(gone)

    def reset(self) -> None:
        with self._resting(self._catalog.every_collection()):
            gone = self._catalog.clear()
        self._forget(gone)

    def commit(self, changes: Sequence[Change]) -> None:
        stores = [cast(LocalStore, change.store) for change in changes]
        with ExitStack() as held:
            for store in stores:
                held.enter_context(store.writing)
            for change, store in zip(changes, stores, strict=True):
                change.check(store)
            steps = [store.step(c.deleted, c.written) for c, store in zip(changes, stores, strict=True) if c.writes]
            with self.one_commit() if steps else nullcontext():
                for step in steps:
                    step.write()
            for step in steps:
                step.publish()
        for store in stores:
            store.look()

    def one_commit(self) -> AbstractContextManager[object]:
        """What journals write inside is kept when the block ends, all or nothing."""
        return nullcontext()

    def compact(self) -> None:
        for store in list(self._stores.values()):
            store.compact()

    def close(self) -> None:
        self._background.close()

    @contextmanager
    def _resting(self, going: Iterable[CollectionInfo]) -> Iterator[None]:
        """Nothing works on them in the background while they are dropped, and after that, unless it fails."""
        stores = [store for info in going if (store := self._stores.get(info.id))]
        for store in stores:
            store.retire()
        try:
            yield
        except BaseException:
            for store in stores:
                store.resume()
            raise

    def _forget(self, gone: Iterable[CollectionInfo]) -> None:
        for info in gone:
            self._stores.pop(info.id, None)
