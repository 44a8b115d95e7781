"""`ChromaPluginVectorStore`: a collection as LlamaIndex's vector store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)

from chroma_plugin import AsyncCollection, Client, Collection
from chroma_plugin.errors import InvalidArgumentError, UnsupportedError
from chroma_plugin_llamaindex.filters import EVERYTHING, where_of
from chroma_plugin_llamaindex.nodes import SOURCE_ID, nodes_of, records_of
from chroma_plugin_llamaindex.opening import checked_collection, found_or_made, opened_client
from chroma_plugin_llamaindex.queries import Plan, plan

_CONSTANT_FIELDS = ("stores_text", "is_embedding_query", "class_name")
_READ = ("documents", "metadatas", "embeddings")


class ChromaPluginVectorStore(BasePydanticVectorStore):
    """A vector store that keeps its nodes in a collection::

        ChromaPluginVectorStore(collection)
        ChromaPluginVectorStore.from_params("docs", persist_dir="./data")
        index = VectorStoreIndex.from_documents(documents, storage_context=StorageContext.from_defaults(
            vector_store=vector_store))

    ``collection`` (or ``chroma_collection``) is a `Collection`, or an `AsyncCollection`; then only the methods that are
    awaited can be used. Instead, ``collection_name`` with ``client``, ``persist_dir``, or ``host`` and ``port``
    opens one or makes it, with ``collection_kwargs``.

    Query modes: default, mmr, text_search and sparse (both BM25 over the texts), hybrid (relative scores of both, by
    ``alpha``), semantic_hybrid (the ranks of both). Similarities are higher for better nodes: for the space cosine the
    cosine, for ip the inner product, for l2 1 / (1 + the squared distance); BM25 scores and fused scores for the modes
    with text.

    With ``flat_metadata=True`` nodes whose metadata holds lists or dicts are refused.

    Raises InvalidArgumentError, a ValueError, for what is wrong; UnsupportedError for what can't be done.
    """

    stores_text: bool = True
    flat_metadata: bool = False

    collection_name: str | None = None
    host: str | None = None
    port: str | int | None = None
    ssl: bool = False
    headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False)
    """Never part of what `to_dict` gives: they may hold a token."""
    persist_dir: str | None = None
    collection_kwargs: dict[str, Any] = Field(default_factory=dict)

    _collection: Collection | AsyncCollection = PrivateAttr()
    _own_client: Client | None = PrivateAttr(default=None)

    def __init__(
        self,
        collection: Any = None,
        *,
        chroma_collection: Any = None,
        client: Any = None,
        collection_name: str | None = None,
        host: str | None = None,
        port: str | int | None = None,
        ssl: bool = False,
        headers: dict[str, str] | None = None,
        persist_dir: str | None = None,
        collection_kwargs: dict[str, Any] | None = None,
        flat_metadata: bool = False,
        **kwargs: Any,
    ) -> None:
        _refuse_unknown(kwargs)
        given = collection if chroma_collection is None else chroma_collection
        own_client: Client | None = None
        if given is None and client is None:
            client = own_client = opened_client(host, port, ssl, headers, persist_dir)
        try:
            found = found_or_made(client, collection_name, collection_kwargs or {}) if given is None else given
            checked = checked_collection(found)
            super().__init__(  # type: ignore[call-arg]  # its fields are those of this class
                stores_text=True,
                flat_metadata=flat_metadata,
                collection_name=checked.name,
                host=host,
                port=port,
                ssl=ssl,
                headers=headers,
                persist_dir=persist_dir,
                collection_kwargs=collection_kwargs or {},
            )
        except BaseException:
            if own_client is not None:
                own_client.close()
            raise
        self._collection = checked
        self._own_client = own_client

    @classmethod
    def from_collection(cls, collection: Collection | AsyncCollection, **kwargs: Any) -> ChromaPluginVectorStore:
        """A store over this collection."""
        return cls(collection, **kwargs)

    @classmethod
    def from_params(
        cls,
        collection_name: str,
        host: str | None = None,
        port: str | int | None = None,
        ssl: bool = False,
        headers: dict[str, str] | None = None,
        persist_dir: str | None = None,
        collection_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> ChromaPluginVectorStore:
        """A store over the collection of that name in a directory or on a server; made if there is none."""
        return cls(
            collection_name=collection_name,
            host=host,
            port=port,
            ssl=ssl,
            headers=headers,
            persist_dir=persist_dir,
            collection_kwargs=collection_kwargs,
            **kwargs,
        )

    @classmethod
    def class_name(cls) -> str:
        return "ChromaPluginVectorStore"

    @property
    def client(self) -> Any:
        """The collection: a `Collection` or an `AsyncCollection`."""
        return self._collection

    def close(self) -> None:
        """Close the client, if this store opened it. One of yours stays open."""
        if self._own_client is not None:
            self._own_client.close()

    def __reduce__(self) -> Any:
        """Pickled, a store is where its collection is; without that (``collection=``, ``client=``) it can't be."""
        if not (self.persist_dir or self.host):
            raise UnsupportedError(
                "Only a store that was opened with persist_dir or host can be pickled; open one of those, "
                "or make the store where it is needed."
            )
        return _opened_again, (type(self), {**self.to_dict(), "headers": self.headers})

    # -- nodes -------------------------------------------------------------------------------------------------------

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Add nodes with embeddings, any number of them, all or none; those with known ids replace the old ones.

        Returns the ids in the order of the nodes.
        """
        nodes = list(nodes)
        if nodes:
            self._blocking.add(**records_of(nodes, flat=self.flat_metadata), on_conflict="replace")
        return [node.node_id for node in nodes]

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """See `add`."""
        if isinstance(self._collection, Collection):
            return await asyncio.to_thread(self.add, nodes, **kwargs)
        nodes = list(nodes)
        if nodes:
            records = await asyncio.to_thread(records_of, nodes, flat=self.flat_metadata)
            await self._collection.add(**records, on_conflict="replace")
        return [node.node_id for node in nodes]

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """The nodes with these ids that match, with their embeddings; without arguments all of them.

        In the order of ``node_ids``, else in that of insertion. Unknown ids are left out; [] are no nodes.
        """
        return _nodes(self._blocking.get(**_selection(node_ids, filters), include=_READ))

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """See `get_nodes`."""
        if isinstance(self._collection, Collection):
            return await asyncio.to_thread(self.get_nodes, node_ids, filters)
        found = await self._collection.get(**_selection(node_ids, filters), include=_READ)
        return await asyncio.to_thread(_nodes, found)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes that were made from this document."""
        self._blocking.delete(where={SOURCE_ID: ref_doc_id})

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """See `delete`."""
        await self._deleted({"where": {SOURCE_ID: ref_doc_id}})

    def delete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """Delete the nodes with these ids that match. Unknown ids are ignored.

        Nothing is deleted by [], and nothing when neither ids nor filters say what: `clear` deletes everything.
        """
        selection = _selection(node_ids, filters)
        if any(given is not None for given in selection.values()):
            self._blocking.delete(**selection)

    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """See `delete_nodes`."""
        selection = _selection(node_ids, filters)
        if any(given is not None for given in selection.values()):
            await self._deleted(selection)

    def clear(self) -> None:
        """Delete all records of the collection; the collection stays."""
        self._blocking.delete(where=EVERYTHING)

    async def aclear(self) -> None:
        """See `clear`."""
        await self._deleted({"where": EVERYTHING})

    # -- queries -----------------------------------------------------------------------------------------------------

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nodes that fit best, best first, with similarities and ids.

        ``kwargs``, the ``vector_store_kwargs`` of a retriever: ``where`` and ``where_document`` (filters in Chroma's
        form, which must match as well), ``max_distance``, ``exact``, ``include=["embeddings"]`` (nodes get theirs),
        ``mmr_threshold``, ``mmr_prefetch_factor`` (4.0) or ``mmr_prefetch_k``.

        An empty list of ``doc_ids`` or ``node_ids`` restricts nothing. In the hybrid modes ``alpha`` is the weight of
        the embeddings (0.5), ``similarity_top_k`` and ``sparse_top_k`` are how many hits the embeddings and the words
        offer (at least 50 each, without ``sparse_top_k``), and ``hybrid_top_k``, else ``similarity_top_k``, is how many
        nodes come back. A query with neither embedding nor text gives the first nodes that match, unranked.
        """
        made = self._plan(query, kwargs)
        collection = self._blocking
        return made.finish([getattr(collection, call.method)(**call.arguments) for call in made.calls])

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """See `query`."""
        collection = self._collection
        if isinstance(collection, Collection):
            return await asyncio.to_thread(self.query, query, **kwargs)
        made = self._plan(query, kwargs)
        answers = await asyncio.gather(*[getattr(collection, call.method)(**call.arguments) for call in made.calls])
        return await asyncio.to_thread(made.finish, answers)

    # -- shared steps ------------------------------------------------------------------------------------------------

    def _plan(self, query: VectorStoreQuery, kwargs: dict[str, Any]) -> Plan:
        return plan(query, kwargs, self._collection.configuration_json["hnsw"].get("space", "l2"))

    @property
    def _blocking(self) -> Collection:
        if isinstance(self._collection, Collection):
            return self._collection
        raise UnsupportedError(
            "This store has an AsyncCollection: await its methods (aquery, async_add ...), or make it of a Collection."
        )

    async def _deleted(self, selection: dict[str, Any]) -> None:
        collection = self._collection
        if isinstance(collection, Collection):
            await asyncio.to_thread(collection.delete, **selection)
        else:
            await collection.delete(**selection)


def _selection(node_ids: Sequence[str] | None, filters: MetadataFilters | None) -> dict[str, Any]:
    """The arguments of a collection's `get` and `delete`."""
    return {"ids": None if node_ids is None else list(dict.fromkeys(node_ids)), "where": where_of(filters)}


def _nodes(found: Any) -> list[BaseNode]:
    return nodes_of(found["ids"], found["documents"], found["metadatas"], found["embeddings"])


def _refuse_unknown(given: dict[str, Any]) -> None:
    unknown = [name for name in given if name not in _CONSTANT_FIELDS]
    if unknown:
        raise InvalidArgumentError(f"ChromaPluginVectorStore has no argument {unknown[0]!r}.")


def _opened_again(kind: type[ChromaPluginVectorStore], data: dict[str, Any]) -> ChromaPluginVectorStore:
    return kind.from_dict(data)
