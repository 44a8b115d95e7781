"""One open database and its collections, shared by all clients of the same place in this process."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chroma_plugin.backend import Backend
from chroma_plugin.errors import ChromaError, ClosedError, NotFoundError
from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.sessions.turns import Turns
from chroma_plugin.types import CollectionInfo
from chroma_plugin.wording import shown


class Session:
    """The catalogue of a backend: which collections there are, each opened once."""

    def __init__(self, backend: Backend, name: str) -> None:
        self.backend = backend
        self.name = name
        """The backend's name, as registered."""
        self._collections: dict[UUID, OpenCollection] = {}
        # Held for short calls into the backend and never while waiting for a collection.
        self._catalogue = Turns()

    def has(self, tenant: str, database: str) -> bool:
        """Whether there is such a database."""
        with self._catalogue:
            return self.backend.has_tenant(tenant) and self.backend.has_database(tenant, database)

    def collections(self, tenant: str, database: str) -> Sequence[OpenCollection]:
        """In the order of creation."""
        with self._catalogue:
            return [self._known(info) for info in self.backend.list_collections(tenant, database)]

    def find(self, name: str, tenant: str, database: str) -> OpenCollection | None:
        with self._catalogue:
            info = self.backend.get_collection(name, tenant, database)
            return None if info is None else self._known(info)

    def find_by_id(self, id: UUID, tenant: str, database: str) -> OpenCollection | None:
        with self._catalogue:
            info = self.backend.get_collection_by_id(id, tenant, database)
            return None if info is None else self._known(info)

    def create(self, info: CollectionInfo, *, or_find: bool) -> tuple[OpenCollection, bool]:
        """The collection, and whether it is new. Raises UniqueConstraintError for a taken name unless ``or_find``."""
        with self._catalogue:
            existing = self.find(info.name, info.tenant, info.database) if or_find else None
            if existing is not None:
                return existing, False
            kept = self.backend.create_collection(info)
            return self._known(kept or info), True

    def drop(self, name: str, tenant: str, database: str) -> None:
        """Raises NotFoundError when there is none of that name."""
        collection = self.find(name, tenant, database)
        if collection is None:
            raise NotFoundError(f"Collection {shown(name)} does not exist.")
        collection.drop()
        self._forget(collection)

    def drop_database(self, tenant: str, database: str) -> None:
        """The database with all its collections. Raises NotFoundError when it is unknown."""
        for collection in self.collections(tenant, database):
            collection.close(collection.gone())
            self._forget(collection)
        with self._catalogue:
            self.backend.drop_database(tenant, database)

    def reset(self) -> None:
        """Delete everything; handles of what was there raise NotFoundError."""
        self._close_collections(None)
        with self._catalogue:
            self.backend.reset()

    def refresh(self) -> bool:
        """Take over what other processes wrote since; whether that was anything. Raises LockedError while one of them
        leaves no time for it; then everything stays as it was.
        """
        with self._catalogue:
            if not self.backend.refresh():
                return False
            collections = list(self._collections.values())
            found = [self._now(collection.info) for collection in collections]
        for collection, info in zip(collections, found, strict=True):
            if info is not None:
                collection.renew(info)
            else:
                collection.close(collection.gone())
                self._forget(collection)
        return True

    def _now(self, info: CollectionInfo) -> CollectionInfo | None:
        if not self.has(info.tenant, info.database):
            return None
        return self.backend.get_collection_by_id(info.id, info.tenant, info.database)

    def after_fork(self) -> bool:
        """In a process that was forked off: begin anew with what is open, if the backend can; False if it can't."""
        if not self.backend.after_fork():
            return False
        self._catalogue = Turns()
        for collection in self._collections.values():
            collection.after_fork(self._catalogue)
        return True

    def flush(self) -> None:
        with self._catalogue:
            self.backend.flush()

    def close(self) -> None:
        """Wait for what runs, then close the stores and the backend."""
        self._close_collections(ClosedError("The client was closed."))
        with self._catalogue:
            self.backend.close()

    def _known(self, info: CollectionInfo) -> OpenCollection:
        """The open collection, with the facts of now: another client of a server may have changed them."""
        known = self._collections.get(info.id)
        if known is None:
            known = self._collections[info.id] = OpenCollection(self.backend, info, self._catalogue)
        known.info = info
        return known

    def _forget(self, collection: OpenCollection) -> None:
        with self._catalogue:
            self._collections.pop(collection.info.id, None)

    def _close_collections(self, refusal: ChromaError | None) -> None:
        with self._catalogue:
            collections = list(self._collections.values())
            self._collections.clear()
        for collection in collections:
            collection.close(refusal or collection.gone())
