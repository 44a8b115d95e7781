"""`AsyncCollection`: `Collection` with coroutines. The docstrings there hold here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from chroma_plugin import requests
from chroma_plugin.api import notices
from chroma_plugin.api.collection import Collection
from chroma_plugin.api.collection_base import CollectionBase, question
from chroma_plugin.api.info import Info
from chroma_plugin.operations import ranking, reading, writing
from chroma_plugin.operations.results import AddReport, DeleteResult, GetResult, QueryResult, UpdateReport, UpsertReport
from chroma_plugin.operations.rooms import Rooms
from chroma_plugin.requests.ranked import Fusion
from chroma_plugin.requests.writes import MetadataMode, OnConflict

if TYPE_CHECKING:
    from chroma_plugin.api.async_client import AsyncClient
    from chroma_plugin.transactions import Transaction


class AsyncCollection(CollectionBase):
    """A collection whose calls do not block the event loop: models and storage run in threads of the client, and a
    server is waited for without one.

    A write that was begun is finished even when the task that awaits it is cancelled.
    """

    def __init__(self, collection: Collection, client: AsyncClient, rooms: Rooms) -> None:
        super().__init__(collection._handle)
        self._blocking = collection
        self._client = client
        self._rooms = rooms

    @property
    def client(self) -> AsyncClient:
        """The client it came from."""
        return self._client

    async def add(
        self,
        ids: str | Sequence[str],
        embeddings: Any = None,
        metadatas: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
        documents: str | Sequence[str | None] | None = None,
        images: Any = None,
        uris: str | Sequence[str | None] | None = None,
        on_conflict: OnConflict | None = None,
    ) -> AddReport:
        """See `Collection.add`."""
        prepare = partial(requests.add, ids, embeddings, metadatas, documents, images, uris, on_conflict)
        return self._told(await self._rooms.run(writing.add(self._handle, prepare), to_its_end=True), on_conflict)

    async def get(
        self,
        ids: str | Sequence[str] | None = None,
        where: Any = None,
        limit: int | None = None,
        offset: int | None = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str] = ("metadatas", "documents"),
        order_by: Any = None,
    ) -> GetResult:
        """See `Collection.get`."""
        request = requests.get(ids, where, limit, offset, where_document, include, order_by)
        return await self._rooms.store(reading.get, self._handle, request)

    async def peek(self, limit: int = 5) -> GetResult:
        """See `Collection.peek`."""
        return await self.get(limit=limit, include=["metadatas", "documents", "embeddings"])

    async def count(
        self, where: Any = None, where_document: Mapping[str, Any] | None = None, read_level: Any = None
    ) -> int:
        """See `Collection.count`."""
        return await self._rooms.store(reading.count, self._handle, requests.filter_of(where, where_document))

    async def query(
        self,
        query_embeddings: Any = None,
        query_texts: str | Sequence[str] | None = None,
        query_images: Any = None,
        query_uris: str | Sequence[str] | None = None,
        ids: str | Sequence[str] | None = None,
        n_results: int = 10,
        where: Any = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str] = ("metadatas", "documents", "distances"),
        max_distance: float | None = None,
        exact: bool = False,
    ) -> QueryResult:
        """See `Collection.query`."""
        prepare = partial(
            requests.query,
            query_embeddings,
            query_texts,
            query_images,
            query_uris,
            ids,
            n_results,
            where,
            where_document,
            include,
            max_distance,
            exact,
        )
        return await self._rooms.run(reading.query(self._handle, prepare))

    async def explain(self, *query: Any, **options: Any) -> Info:
        """See `Collection.explain`."""
        return Info(await self._rooms.run(reading.explain(self._handle, question(self.query, query, options))))

    async def search_text(
        self,
        query_texts: str | Sequence[str],
        n_results: int = 10,
        ids: str | Sequence[str] | None = None,
        where: Any = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str] = ("metadatas", "documents", "scores"),
    ) -> QueryResult:
        """See `Collection.search_text`."""
        request = requests.search_text(query_texts, n_results, ids, where, where_document, include)
        return await self._rooms.store(ranking.search_text, self._handle, request)

    async def search_hybrid(
        self,
        query_texts: str | Sequence[str],
        query_embeddings: Any = None,
        n_results: int = 10,
        ids: str | Sequence[str] | None = None,
        where: Any = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str] = ("metadatas", "documents", "scores"),
        fusion: Fusion = "rrf",
        alpha: float = 0.5,
        candidates: int | None = None,
    ) -> QueryResult:
        """See `Collection.search_hybrid`."""
        prepare = partial(
            requests.search_hybrid,
            query_texts,
            query_embeddings,
            n_results,
            ids,
            where,
            where_document,
            include,
            fusion,
            alpha,
            candidates,
        )
        return await self._rooms.run(ranking.search_hybrid(self._handle, prepare))

    async def update(
        self,
        ids: str | Sequence[str] | None = None,
        embeddings: Any = None,
        metadatas: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
        documents: str | Sequence[str | None] | None = None,
        images: Any = None,
        uris: str | Sequence[str | None] | None = None,
    ) -> UpdateReport:
        """See `Collection.update`."""
        prepare = partial(requests.update, ids, embeddings, metadatas, documents, images, uris)
        return await self._rooms.run(writing.update(self._handle, prepare), to_its_end=True)

    async def upsert(
        self,
        ids: str | Sequence[str],
        embeddings: Any = None,
        metadatas: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
        documents: str | Sequence[str | None] | None = None,
        images: Any = None,
        uris: str | Sequence[str | None] | None = None,
        metadata_mode: MetadataMode = "merge",
    ) -> UpsertReport:
        """See `Collection.upsert`."""
        prepare = partial(requests.upsert, ids, embeddings, metadatas, documents, images, uris, metadata_mode)
        return await self._rooms.run(writing.upsert(self._handle, prepare), to_its_end=True)

    async def delete(
        self,
        ids: str | Sequence[str] | None = None,
        where: Any = None,
        where_document: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> DeleteResult:
        """See `Collection.delete`."""
        request = requests.delete(ids, where, where_document, limit)
        if ids is None and request.where is None:
            notices.nothing_deleted(stacklevel=2)
        return await self._rooms.store(writing.delete, self._handle, request, to_its_end=True)

    async def modify(
        self,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        configuration: Mapping[str, Any] | None = None,
    ) -> None:
        """See `Collection.modify`."""
        await self._rooms.call(self._modify, name, metadata, configuration)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncCollection]:
        """See `Collection.transaction`."""
        async with self._client.transaction() as transaction:
            yield transaction.collection(self)

    async def create_index(self) -> None:
        """See `Collection.create_index`."""
        await self._rooms.call(self._optimize)

    async def info(self) -> Info:
        """See `Collection.info`."""
        return await self._rooms.call(self._facts)

    async def adapt(self, name: str, **options: Any) -> Any:
        """See `Collection.adapt`. The adapter gets the blocking `Collection`, which adapters are written for."""
        return await self._rooms.call(lambda: self._blocking.adapt(name, **options))

    def _within(self, transaction: Transaction) -> AsyncCollection:
        return AsyncCollection(self._blocking._within(transaction), self._client, self._rooms)
