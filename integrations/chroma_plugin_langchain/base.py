"""What a store is made of, and how it runs its procedures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

import chroma_plugin as chromadb
from chroma_plugin.errors import InvalidArgumentError, NotFoundError, UnsupportedError
from chroma_plugin_langchain import steps
from chroma_plugin_langchain.embeddings import (
    ChromaPluginEmbeddings,
    Embedder,
    FunctionEmbedder,
    as_embeddings,
    embedder,
)
from chroma_plugin_langchain.opening import DEFAULT_NAME, Address, Place, Recipe, function_arguments, place
from chroma_plugin_langchain.scores import relevance
from chroma_plugin_langchain.searching import Scored
from chroma_plugin_langchain.steps import Call, EmbedDocuments, EmbedQuery, Procedure, Step

T = TypeVar("T")
Self = TypeVar("Self", bound="StoreBase")


class StoreBase(VectorStore):
    """A collection and what embeds for it."""

    def __init__(
        self,
        collection_name: str = DEFAULT_NAME,
        embedding_function: Any = None,
        persist_directory: str | None = None,
        host: str | None = None,
        port: int | None = None,
        headers: Mapping[str, str] | None = None,
        chroma_cloud_api_key: str | None = None,
        tenant: str | None = None,
        database: str | None = None,
        client_settings: chromadb.Settings | None = None,
        collection_metadata: Mapping[str, Any] | None = None,
        collection_configuration: Mapping[str, Any] | None = None,
        client: chromadb.Client | chromadb.AsyncClient | None = None,
        relevance_score_fn: Callable[[float], float] | None = None,
        create_collection_if_not_exists: bool | None = True,
        *,
        ssl: bool = False,
        embedding: Any = None,
        collection: chromadb.Collection | chromadb.AsyncCollection | None = None,
    ) -> None:
        given = _one_embedding(embedding_function, embedding)
        self._given = as_embeddings(given)
        self._embedder: Embedder | None = None if self._given is None else embedder(self._given)
        self.override_relevance_score_fn = relevance_score_fn
        self._known_space: str | None = None
        address = Address(
            persist_directory,
            host,
            port,
            ssl,
            headers,
            chroma_cloud_api_key,
            tenant,
            database,
            client_settings,
        )
        recipe = Recipe(
            collection_name,
            collection_metadata,
            collection_configuration,
            function_arguments(self._given),
            bool(create_collection_if_not_exists),
        )
        self._place = place(address, client, collection, recipe)
        if not self._place.is_async:
            self._open()

    @property
    def embeddings(self) -> Embeddings | None:
        """What this store embeds with; without embeddings of its own the function of its collection."""
        if self._given is not None:
            return self._given
        collection = self._place.collection
        function = None if collection is None else collection.embedding_function
        return None if function is None else ChromaPluginEmbeddings(function)

    @property
    def _collection(self) -> Any:
        """The collection itself; other programs use this name. Raises NotFoundError while there is none."""
        if self._place.collection is None:
            raise NotFoundError(
                "This store has no collection now: reset_collection() makes one, and with an AsyncClient the first "
                "call that is awaited opens it."
            )
        return self._place.collection

    def close(self) -> None:
        """Close the client that this store opened for itself. A client or a collection that was given stays open."""
        if self._place.owns_client and isinstance(self._place.client, chromadb.Client):
            self._place.client.close()

    async def aclose(self) -> None:
        """`close`, off the event loop."""
        await asyncio.to_thread(self.close)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        collection = self._place.collection
        name = self._place.recipe.name if collection is None else collection.name
        return f"{type(self).__name__}({name!r})"

    # -- relevance ---------------------------------------------------------------------------------------------------

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return self.override_relevance_score_fn or self._relevance

    def _relevance(self, distance: float) -> float:
        # Looked up when there is a hit: with an AsyncClient the collection may not be open before.
        return relevance(self._space, distance)

    @property
    def _space(self) -> str:
        if self._known_space is None:
            hnsw = self._collection.configuration_json.get("hnsw") or {}
            self._known_space = str(hnsw.get("space", "l2"))
        return self._known_space

    def _relevant(self, found: Scored) -> Scored:
        score = self._select_relevance_score_fn()
        return [(document, score(distance)) for document, distance in found]

    # -- running -----------------------------------------------------------------------------------------------------

    def _run(self, procedure: Procedure[T]) -> T:
        if self._place.is_async:
            procedure.close()
            raise UnsupportedError(
                "This store has an AsyncClient or an AsyncCollection, so its async methods must be awaited "
                "(aadd_documents, asimilarity_search, ...). For both kinds give it a Client or a Collection."
            )
        return steps.run(procedure, self._perform)

    async def _arun(self, procedure: Procedure[T]) -> T:
        return await steps.arun(procedure, self._aperform)

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Call):
            return step.method(**step.arguments)
        embedder = self._embedding_with()
        if isinstance(step, EmbedDocuments):
            return embedder.documents(step.texts, step.batch_size)
        return embedder.query(step.text) if isinstance(step, EmbedQuery) else embedder.images(step.uris)

    async def _aperform(self, step: Step) -> Any:
        """Models are awaited; a sync collection works in a thread."""
        if isinstance(step, Call):
            if self._place.is_async:
                return await step.method(**step.arguments)
            return await asyncio.to_thread(step.method, **step.arguments)
        embedder = self._embedding_with()
        if isinstance(step, EmbedDocuments):
            return await embedder.adocuments(step.texts, step.batch_size)
        if isinstance(step, EmbedQuery):
            return await embedder.aquery(step.text)
        return await embedder.aimages(step.uris)

    def _embedding_with(self) -> Embedder:
        if self._embedder is None:
            return FunctionEmbedder(self._collection.embedding_function)
        return self._embedder

    def _open(self) -> None:
        try:
            self._run(self._place.open())
        except BaseException:
            self.close()
            raise

    def _on(self: Self, place: Place) -> Self:
        """Another store with the same embeddings and scores."""
        return type(self)(
            collection=place.collection,
            client=place.client,
            embedding_function=self._given,
            relevance_score_fn=self.override_relevance_score_fn,
        )


def _one_embedding(embedding_function: Any, embedding: Any) -> Any:
    if embedding_function is not None and embedding is not None and embedding is not embedding_function:
        raise InvalidArgumentError("embedding and embedding_function are two names of one parameter; give one of them.")
    return embedding if embedding_function is None else embedding_function
