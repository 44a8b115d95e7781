"""`ChromaPluginRecordManager`: what LangChain's `index()` remembers, in a collection."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from langchain_core.indexing import RecordManager

import chroma_plugin
from chroma_plugin.errors import InvalidArgumentError

_TICK: Final = 1e-6
"""Seconds; a float of today's epoch seconds still tells them apart."""


class ChromaPluginRecordManager(RecordManager):
    """Which documents `index()` and `aindex()` have indexed, and when: in the database of the documents, without a SQL
    server.

    ::

        manager = ChromaPluginRecordManager("wiki", client=client)
        index(documents, manager, vector_store, cleanup="incremental", source_id_key="source", key_encoder="blake2b")

    ``namespace`` keeps indexes apart that share a collection. With a ``client`` the collection is made when it is first
    needed, and the time is the server's; with a ``collection`` it is this machine's. The time never goes back: it is
    later than all records, whatever the clock says.
    """

    def __init__(
        self,
        namespace: str,
        *,
        client: chroma_plugin.Client | None = None,
        collection: chroma_plugin.Collection | None = None,
        collection_name: str = "langchain-records",
    ) -> None:
        """Raises InvalidArgumentError unless exactly one of client and collection is given."""
        super().__init__(namespace)
        if (client is None) == (collection is None):
            raise InvalidArgumentError("Give either client= or collection=.")
        self._client = client
        self._collection = collection
        self._name = collection_name
        self._clock = _ticking(time.time_ns if client is None else client.heartbeat)

    @property
    def collection(self) -> chroma_plugin.Collection:
        """Where the records are; made now if there is none."""
        if self._collection is None:
            assert self._client is not None
            self._collection = self._client.get_or_create_collection(self._name, embedding_function=None)
        return self._collection

    def create_schema(self) -> None:
        """Make the collection. Never needed: the first call does."""
        _ = self.collection

    def get_time(self) -> float:
        """Seconds since the epoch: later than every record, and than every time it gave before."""
        newest = self.collection.get(
            where={"namespace": self.namespace}, order_by="-updated_at", limit=1, include=["metadatas"]
        )["metadatas"]
        return self._clock(newest[0]["updated_at"] if newest and newest[0] else 0.0)

    def update(
        self,
        keys: Sequence[str],
        *,
        group_ids: Sequence[str | None] | None = None,
        time_at_least: float | None = None,
    ) -> None:
        """Note that these documents are indexed now.

        Raises InvalidArgumentError, a ValueError, when group_ids are not as many as keys, or time_at_least is yet to
        come.
        """
        groups: Sequence[str | None] = group_ids or [None] * len(keys)
        if len(groups) != len(keys):
            raise InvalidArgumentError(f"{len(keys)} keys need as many group_ids, got {len(groups)}.")
        if not keys:
            return
        now = self._clock(0.0)
        if time_at_least and time_at_least > now:
            raise InvalidArgumentError(f"time_at_least is {time_at_least}, but it is only {now}.")
        records = {self._id(key): self._metadata(group, now) for key, group in zip(keys, groups, strict=True)}
        self.collection.upsert(
            ids=list(records),
            embeddings=np.zeros((len(records), 1), np.float32),
            metadatas=list(records.values()),
            metadata_mode="replace",
        )

    def exists(self, keys: Sequence[str]) -> list[bool]:
        """For each key, whether there is a record of it."""
        known = set(self.collection.get(ids=self._ids(keys), include=[])["ids"])
        return [self._id(key) in known for key in keys]

    def list_keys(
        self,
        *,
        before: float | None = None,
        after: float | None = None,
        group_ids: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """The keys of the records updated before and after these times, of these groups; without arguments all."""
        where: dict[str, Any] = {"namespace": self.namespace}
        times = {"$lt": before, "$gt": after}
        if before or after:
            where["updated_at"] = {operator: moment for operator, moment in times.items() if moment}
        if group_ids:
            where["group_id"] = {"$in": list(group_ids)}
        found = self.collection.get(where=where, limit=limit or None, include=[])["ids"]
        return [_key(id) for id in found]

    def delete_keys(self, keys: Sequence[str]) -> None:
        """Forget these keys; unknown ones are ignored."""
        self.collection.delete(ids=self._ids(keys))

    # -- the same, in a thread ---------------------------------------------------------------------------------------

    async def acreate_schema(self) -> None:
        """See `create_schema`."""
        await asyncio.to_thread(self.create_schema)

    async def aget_time(self) -> float:
        """See `get_time`."""
        return await asyncio.to_thread(self.get_time)

    async def aupdate(
        self,
        keys: Sequence[str],
        *,
        group_ids: Sequence[str | None] | None = None,
        time_at_least: float | None = None,
    ) -> None:
        """See `update`."""
        await asyncio.to_thread(self.update, keys, group_ids=group_ids, time_at_least=time_at_least)

    async def aexists(self, keys: Sequence[str]) -> list[bool]:
        """See `exists`."""
        return await asyncio.to_thread(self.exists, keys)

    async def alist_keys(
        self,
        *,
        before: float | None = None,
        after: float | None = None,
        group_ids: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """See `list_keys`."""
        return await asyncio.to_thread(self.list_keys, before=before, after=after, group_ids=group_ids, limit=limit)

    async def adelete_keys(self, keys: Sequence[str]) -> None:
        """See `delete_keys`."""
        await asyncio.to_thread(self.delete_keys, keys)

    # -- records -----------------------------------------------------------------------------------------------------

    def _id(self, key: str) -> str:
        # JSON, so that no namespace and key can be taken for another pair.
        return json.dumps([self.namespace, key], separators=(",", ":"))

    def _ids(self, keys: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(map(self._id, keys)))

    def _metadata(self, group: str | None, now: float) -> dict[str, Any]:
        facts = {"namespace": self.namespace, "updated_at": now}
        return facts if group is None else {**facts, "group_id": group}


def _key(id: str) -> str:
    key: str = json.loads(id)[1]
    return key


def _ticking(nanoseconds: Callable[[], int]) -> Callable[[float], float]:
    """A clock in seconds that only goes forward, and past the time it is called with."""
    latest = 0.0
    lock = threading.Lock()

    def seconds(known: float) -> float:
        nonlocal latest
        now = nanoseconds() / 1e9
        with lock:
            latest = max(now, latest + _TICK, known + _TICK if known else 0.0)
            return latest

    return seconds
