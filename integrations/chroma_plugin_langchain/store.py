"""`ChromaPluginVectorStore`: a collection as a LangChain vector store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from langchain_core.documents import Document

from chroma_plugin_langchain.adding import Adding
from chroma_plugin_langchain.by_words import ByWords
from chroma_plugin_langchain.finding import Finding
from chroma_plugin_langchain.images import Images
from chroma_plugin_langchain.opening import DEFAULT_NAME
from chroma_plugin_langchain.retriever import ChromaPluginRetriever

Self = TypeVar("Self", bound="ChromaPluginVectorStore")


class ChromaPluginVectorStore(Adding, Finding, ByWords, Images):
    """A collection as a LangChain vector store, sync and async.

    ::

        store = ChromaPluginVectorStore("books", embeddings, persist_directory="./data")
        store.add_documents(documents)
        store.similarity_search("a question", k=2, filter={"year": {"$gt": 1900}})

    The parameters are langchain-chroma's, in its order:

    - ``collection_name``, by default ``"langchain"``. ``collection_metadata`` and ``collection_configuration``
      (``{"hnsw": {"space": "cosine"}}``) describe it when it is new. With ``create_collection_if_not_exists=False`` it
      must exist.
    - ``embedding_function`` (or ``embedding``): LangChain ``Embeddings``, or a Chroma embedding function. Without one
      the collection's own is used; for a new collection that is all-MiniLM-L6-v2.
    - Where it is: ``persist_directory``; ``host``, ``port``, ``ssl`` and ``headers`` of a server;
      ``chroma_cloud_api_key``; ``client_settings``; or a ``client``, or a ``collection``, of chroma_plugin. **With none
      of them it is a database in memory that no other store sees**, also by ``from_texts`` and ``from_documents``.
    - ``relevance_score_fn`` from a distance to a relevance, instead of ours.

    With an ``AsyncClient`` or an ``AsyncCollection`` the async methods await it, and the others raise UnsupportedError.
    With a ``Client`` or a ``Collection`` both work: async methods await the embeddings and use the collection in a
    thread.

    Errors are those of `chroma_plugin.errors`; wrong arguments are a ValueError.
    """

    @classmethod
    def from_texts(
        cls: type[Self],
        texts: Iterable[str],
        embedding: Any = None,
        metadatas: Iterable[dict[str, Any]] | None = None,
        ids: Iterable[str | None] | None = None,
        collection_name: str = DEFAULT_NAME,
        **kwargs: Any,
    ) -> Self:
        """A store with these texts. The keyword arguments are those of the class.

        Without a client, a collection or a place it is in a database of its own, in memory.
        """
        return _filled(cls(collection_name, embedding, **kwargs), lambda store: store.add_texts(texts, metadatas, ids))

    @classmethod
    async def afrom_texts(
        cls: type[Self],
        texts: Iterable[str],
        embedding: Any = None,
        metadatas: Iterable[dict[str, Any]] | None = None,
        ids: Iterable[str | None] | None = None,
        collection_name: str = DEFAULT_NAME,
        **kwargs: Any,
    ) -> Self:
        """See `from_texts`."""
        store = await asyncio.to_thread(cls, collection_name, embedding, **kwargs)
        return await _afilled(store, store.aadd_texts(texts, metadatas, ids))

    @classmethod
    def from_documents(
        cls: type[Self],
        documents: Iterable[Document],
        embedding: Any = None,
        ids: Iterable[str | None] | None = None,
        collection_name: str = DEFAULT_NAME,
        **kwargs: Any,
    ) -> Self:
        """`from_texts` of documents. ``ids`` come before the documents' own."""
        return _filled(cls(collection_name, embedding, **kwargs), lambda store: store.add_documents(documents, ids))

    @classmethod
    async def afrom_documents(
        cls: type[Self],
        documents: Iterable[Document],
        embedding: Any = None,
        ids: Iterable[str | None] | None = None,
        collection_name: str = DEFAULT_NAME,
        **kwargs: Any,
    ) -> Self:
        """See `from_documents`."""
        store = await asyncio.to_thread(cls, collection_name, embedding, **kwargs)
        return await _afilled(store, store.aadd_documents(documents, ids))

    def as_retriever(self, **kwargs: Any) -> ChromaPluginRetriever:
        """A retriever.

        ``search_type`` is ``"similarity"``, ``"similarity_score_threshold"``, ``"mmr"``, ``"hybrid"`` or ``"text"``;
        ``search_kwargs`` are the arguments of that search, e.g. ``{"k": 4, "filter": {...}}``.
        """
        tags = [*(kwargs.pop("tags", None) or []), *self._get_retriever_tags()]
        return ChromaPluginRetriever(vectorstore=self, tags=tags, **kwargs)

    # -- the collection ----------------------------------------------------------------------------------------------

    def delete_collection(self) -> None:
        """Delete the collection for good. Afterwards only `reset_collection` makes this store usable again."""
        self._run(self._place.delete())

    async def adelete_collection(self) -> None:
        """See `delete_collection`."""
        await self._arun(self._place.delete())

    def reset_collection(self) -> None:
        """Delete everything in the collection; name, metadata and configuration stay.

        Made anew, the collection also takes vectors of another dimension, except when the store was made with
        ``collection=`` alone: then its records are deleted.
        """
        self._run(self._place.reset())

    async def areset_collection(self) -> None:
        """See `reset_collection`."""
        await self._arun(self._place.reset())

    def fork(self: Self, new_name: str) -> Self:
        """A store over a copy of the collection, as it is now, under another name in the same database.

        Raises UniqueConstraintError when the name is taken.
        """
        return self._on(self._run(self._place.fork(new_name)))

    async def afork(self: Self, new_name: str) -> Self:
        """See `fork`."""
        return self._on(await self._arun(self._place.fork(new_name)))


def adapt(collection: Any, embedding: Any = None, **options: Any) -> ChromaPluginVectorStore:
    """What ``collection.adapt("langchain", embedding=...)`` calls."""
    return ChromaPluginVectorStore(collection=collection, embedding=embedding, **options)


def _filled(store: Self, add: Callable[[Self], object]) -> Self:
    """The store; closed again when nothing could be added."""
    try:
        add(store)
    except BaseException:
        store.close()
        raise
    return store


async def _afilled(store: Self, adding: Awaitable[object]) -> Self:
    try:
        await adding
    except BaseException:
        await store.aclose()
        raise
    return store
