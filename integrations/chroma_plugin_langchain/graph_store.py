"""`ChromaPluginStore`: the long-term memory of LangGraph in a collection."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchOp,
    TTLConfig,
)

import chroma_plugin
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin_langchain.embeddings import as_embeddings
from chroma_plugin_langchain.graph_batch import Batch
from chroma_plugin_langchain.graph_index import NOTHING, Embedded, SearchIndex
from chroma_plugin_langchain.graph_items import StoredItem, Vector, item_id
from chroma_plugin_langchain.graph_reading import Found, ItemReader

_MINUTE: Final = 60.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ChromaPluginStore(BaseStore):
    """Items by namespace and key, filtered, listed, searched by meaning, and gone when their time is over.

    ::

        store = ChromaPluginStore(client=client, index={"embed": embeddings, "fields": ["text"]})
        graph = builder.compile(store=store)

    ``collection`` or ``client`` says where the items are; a client's collection is made when it is not there. Other
    records in the collection are left alone, and never found.

    ``index`` is LangGraph's: ``embed``, ``fields`` (default: the whole value) and ``dims`` (default: what the
    embeddings give). Without ``embed`` it is the collection's embedding function; without ``index`` nothing is embedded
    and the ``query`` of a search is ignored. A store that shall ever be searched by meaning must have its index
    from the first item on, because the first record fixes the dimension of the collection.

    ``ttl`` is LangGraph's, in minutes: ``default_ttl``, ``refresh_on_read`` (default True) and
    ``sweep_interval_minutes``: then writes delete what has expired, so often at most; see also `sweep_ttl`. Items that
    have expired are not found, unless ``omit_expired`` is False.

    A batch reads before it writes, and of several writes to one item the last counts, as in LangGraph's own stores.
    ``created_at`` is the time of the first put, ``updated_at`` of the last.
    """

    supports_ttl = True

    def __init__(
        self,
        collection: chroma_plugin.Collection | None = None,
        *,
        client: chroma_plugin.Client | None = None,
        collection_name: str = "langgraph",
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Raises InvalidArgumentError unless exactly one of collection and client is given, or when ``index`` has
        nothing to embed with. ``clock`` gives the time, with its zone.
        """
        self.collection: Final = _collection(collection, client, collection_name)
        self.ttl_config = ttl
        self._index = SearchIndex.of(index, as_embeddings(self.collection.embedding_function))
        self._clock = clock
        self._swept = clock()
        self._writing = threading.Lock()
        self._placeholder: Vector | None = None

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """The result of each operation, in order."""
        batch = Batch.of(ops, self._index)
        return self._run(batch, self._index.embed(batch.texts, batch.queries) if self._index else NOTHING)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch`; the embeddings are awaited and the collection is used in a thread."""
        batch = Batch.of(ops, self._index)
        embedded = await self._index.aembed(batch.texts, batch.queries) if self._index else NOTHING
        return await asyncio.to_thread(self._run, batch, embedded)

    def sweep_ttl(self) -> int:
        """Delete all items that have expired; how many there were."""
        now = self._clock()
        expired = {"expires_at": {"$lte": now.timestamp()}}
        with self._writing:
            self._swept = now
            items = self.collection.count(where={"record": "item", **expired})
            self.collection.delete(where=expired)
        return items

    async def asweep_ttl(self) -> int:
        """`sweep_ttl`, in a thread."""
        return await asyncio.to_thread(self.sweep_ttl)

    # -- a batch -----------------------------------------------------------------------------------------------------

    def _run(self, batch: Batch, embedded: Embedded) -> list[Result]:
        now = self._clock()
        reader = ItemReader(self.collection, now.timestamp() if self._omits_expired else None)
        results, touched = self._read(batch, reader, embedded)
        if touched or batch.puts:
            with self._writing:
                self._refresh(touched, now)
                self._write(batch, embedded, now)
        self._sweep_now_and_then(batch, now)
        return results

    @property
    def _omits_expired(self) -> bool:
        return (self.ttl_config or {}).get("omit_expired", True)

    def _read(self, batch: Batch, reader: ItemReader, embedded: Embedded) -> tuple[list[Result], list[Found]]:
        """The results of all operations, and the items whose time begins anew."""
        ids = {op: item_id(op.namespace, op.key) for op in batch.ops if isinstance(op, GetOp)}
        items = reader.items(ids.values()) if ids else {}
        results: list[Result] = []
        touched: list[Found] = []
        for op in batch.ops:
            found: list[Found] = []
            if isinstance(op, GetOp):
                found = [items[ids[op]]] if ids[op] in items else []
                results.append(found[0].item if found else None)
            elif isinstance(op, SearchOp):
                hits = reader.search(op, embedded.queries.get(op.query or ""))
                found = [hit for hit, _ in hits]
                results.append([hit.scored(score) for hit, score in hits])
            else:
                results.append(reader.namespaces(op) if isinstance(op, ListNamespacesOp) else None)
            if isinstance(op, (GetOp, SearchOp)) and op.refresh_ttl:
                touched.extend(hit for hit in found if "ttl" in hit.metadata)
        return results, touched

    def _refresh(self, touched: Sequence[Found], now: datetime) -> None:
        if not touched:
            return
        # Read again: it may have been put anew, without an end, since it was found.
        again = ItemReader(self.collection, None).items(found.id for found in touched)
        expiring = [found for found in again.values() if "ttl" in found.metadata]
        changes = {
            id: {"expires_at": now.timestamp() + found.metadata["ttl"] * _MINUTE}
            for found in expiring
            for id in found.record_ids
        }
        if changes:
            self.collection.update(ids=list(changes), metadatas=list(changes.values()))

    def _write(self, batch: Batch, embedded: Embedded, now: datetime) -> None:
        if not batch.puts:
            return
        ids = [item_id(put.namespace, put.key) for put, _, _ in batch.puts]
        # Also the records of items that have expired: their vectors must go.
        before = ItemReader(self.collection, None).items(ids)
        new = {
            id: self._stored(put, value, embedded.of(texts), before.get(id), now)
            for id, (put, value, texts) in zip(ids, batch.puts, strict=True)
            if value is not None
        }
        kept = self._upsert(new.values()) if new else set()
        gone = {record for found in before.values() for record in found.record_ids} - kept
        if gone:
            self.collection.delete(ids=sorted(gone))

    def _stored(
        self, put: PutOp, value: dict[str, Any], vectors: tuple[Vector, ...], old: Found | None, now: datetime
    ) -> StoredItem:
        item = Item(
            value=value,
            key=put.key,
            namespace=put.namespace,
            created_at=old.item.created_at if old and not self._is_over(old, now) else now,
            updated_at=now,
        )
        if put.ttl is None:
            return StoredItem(item, vectors)
        return StoredItem(item, vectors, float(put.ttl), now.timestamp() + put.ttl * _MINUTE)

    def _is_over(self, found: Found, now: datetime) -> bool:
        return self._omits_expired and found.metadata.get("expires_at", math.inf) <= now.timestamp()

    def _upsert(self, items: Iterable[StoredItem]) -> set[str]:
        """Put the records in place; their ids."""
        stored = list(items)
        placeholder = self._blank(stored)
        ids, vectors, metadatas, documents = zip(
            *(record for item in stored for record in item.records(placeholder)), strict=True
        )
        self.collection.upsert(
            ids=ids, embeddings=np.stack(vectors), metadatas=metadatas, documents=documents, metadata_mode="replace"
        )
        return set(ids)

    def _blank(self, stored: Sequence[StoredItem]) -> Vector:
        """What stands where an item has no vector: zeros, as many as every vector of the collection has."""
        if self._placeholder is None:
            given = next((vector.size for item in stored for vector in item.vectors), None)
            dimension = given or (self._index and self._index.dimension) or self.collection.info()["dimension"]
            if dimension is None and self._index:
                dimension = len(self._index.embeddings.embed_query("dimension"))
            self._placeholder = np.zeros(dimension or 1, np.float32)
        return self._placeholder

    def _sweep_now_and_then(self, batch: Batch, now: datetime) -> None:
        minutes = (self.ttl_config or {}).get("sweep_interval_minutes")
        if batch.puts and minutes is not None and (now - self._swept).total_seconds() >= minutes * _MINUTE:
            self.sweep_ttl()


def _collection(
    collection: chroma_plugin.Collection | None, client: chroma_plugin.Client | None, name: str
) -> chroma_plugin.Collection:
    if (collection is None) == (client is None):
        raise InvalidArgumentError("Give either collection= or client=.")
    if isinstance(collection, chroma_plugin.AsyncCollection):
        raise InvalidArgumentError(
            "An AsyncCollection has no sync calls; `await collection.adapt('langgraph', ...)` gives a store over it."
        )
    if client is None:
        assert collection is not None
        return collection
    return client.get_or_create_collection(name, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None)
