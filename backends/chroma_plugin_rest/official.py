"""A database on a server that speaks Chroma's own protocol and nothing more: ``chroma run``, Chroma Cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from chroma_plugin.backend import CollectionStore
from chroma_plugin.errors import NotFoundError, UniqueConstraintError, UnsupportedError
from chroma_plugin.types import CollectionInfo
from chroma_plugin_rest import official_wire as wire
from chroma_plugin_rest.backend import ServerBackend, ServerFacts, place, segment
from chroma_plugin_rest.official_store import ChromaStore
from chroma_plugin_rest.sayable import check_collection
from chroma_plugin_rest.transport import Transport, encoded


class ChromaBackend(ServerBackend):
    """What differs from a server of ours: it chooses the ids of collections, lists them in an order of its own, and
    can't take metadata away from a collection.
    """

    def __init__(self, transport: Transport, facts: ServerFacts) -> None:
        super().__init__(transport, facts)
        # For who still holds the id that we proposed.
        self._id_on_server: dict[UUID, UUID] = {}

    def list_collections(self, tenant: str, database: str) -> Sequence[CollectionInfo]:
        found = self._pages(f"{place(tenant, database)}/collections")
        return [self._remember(wire.info_in(value)) for value in found]

    def get_collection(self, name: str, tenant: str, database: str) -> CollectionInfo | None:
        return self._found(f"{place(tenant, database)}/collections/{segment(name)}")

    def get_collection_by_id(self, id: UUID, tenant: str, database: str) -> CollectionInfo | None:
        return self._found(f"{place(tenant, database)}/collections/by-id/{self._id_on_server.get(id, id)}")

    def create_collection(self, info: CollectionInfo) -> CollectionInfo:
        check_collection(info.metadata)
        if self.get_collection(info.name, info.tenant, info.database) is not None:
            raise UniqueConstraintError(f"Collection {info.name!r} already exists.")
        body = {
            "name": info.name,
            "metadata": info.metadata or None,
            "configuration": wire.configuration_out(info.configuration),
            "get_or_create": False,
        }
        path = f"{place(info.tenant, info.database)}/collections"
        kept = wire.info_in(self._transport.call("POST", path, body))
        self._id_on_server[info.id] = kept.id
        return self._remember(kept)

    def open_collection(self, info: CollectionInfo) -> CollectionStore:
        found = self._current(info)
        path = f"{place(found.tenant, found.database)}/collections/{found.id}"
        return ChromaStore(self._transport, path, self._facts.limits)

    def _found(self, path: str) -> CollectionInfo | None:
        try:
            return self._remember(wire.info_in(self._transport.get(path)))
        except NotFoundError:
            return None

    def _change(self, before: CollectionInfo, info: CollectionInfo) -> None:
        check_collection(info.metadata)
        current = self._current(info)
        changes = {
            "new_name": info.name if info.name != before.name else None,
            "new_metadata": _new_metadata(before, info),
            "new_configuration": _new_configuration(before, info),
        }
        if not any(change is not None for change in changes.values()):
            return
        if changes["new_name"] is not None:
            self._refuse_taken(info, current)
        self._transport.call("PUT", f"{place(info.tenant, info.database)}/collections/{current.id}", changes)

    def _refuse_taken(self, info: CollectionInfo, current: CollectionInfo) -> None:
        """The server's own answer to this is a 500 with a line of SQL."""
        other = self.get_collection(info.name, info.tenant, info.database)
        if other is not None and other.id != current.id:
            raise UniqueConstraintError(f"Collection {info.name!r} already exists.")

    def _drop(self, info: CollectionInfo) -> None:
        self._transport.call("DELETE", f"{place(info.tenant, info.database)}/collections/{segment(info.name)}")
        self._id_on_server = {ours: theirs for ours, theirs in self._id_on_server.items() if theirs != info.id}

    def _remember(self, info: CollectionInfo) -> CollectionInfo:
        for ours, theirs in self._id_on_server.items():
            if theirs == info.id:
                self._seen[ours] = replace(info, id=ours)
        return super()._remember(info)


def _new_metadata(before: CollectionInfo, info: CollectionInfo) -> object:
    if encoded(before.metadata) == encoded(info.metadata):
        return None
    if not info.metadata:
        raise UnsupportedError(
            "A Chroma server can replace the metadata of a collection, but not take it away: keep at least one key."
        )
    return info.metadata


def _new_configuration(before: CollectionInfo, info: CollectionInfo) -> object:
    old, new = before.configuration.get("hnsw") or {}, info.configuration.get("hnsw") or {}
    changed = {name: new[name] for name in wire.CHANGEABLE if name in new and new[name] != old.get(name)}
    return {"hnsw": changed, "spann": None, "embedding_function": None} if changed else None
