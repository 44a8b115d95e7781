"""`ChromaPluginDocumentIndex`: documents kept by id, and found again by a question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.indexing import DeleteResponse, DocumentIndex, UpsertResponse
from pydantic import Field, PrivateAttr

import chroma_plugin
from chroma_plugin.errors import InvalidArgumentError, UnsupportedError
from chroma_plugin_langchain.embeddings import Embedder, as_embeddings, embedder
from chroma_plugin_langchain.records import batch_of_documents, distinct, got, hits
from chroma_plugin_langchain.steps import (
    Call,
    EmbedDocuments,
    EmbedQuery,
    Procedure,
    Step,
    arun,
    call,
    embed_documents,
    embed_query,
    run,
)
from chroma_plugin_langchain.values import stored_filter


class ChromaPluginDocumentIndex(DocumentIndex):
    """A LangChain ``DocumentIndex`` over a collection::

        index = ChromaPluginDocumentIndex(collection=collection, embedding=embeddings)
        index.upsert([Document(id="1", page_content="Chroma keeps vectors.")])
        index.invoke("Who keeps vectors?")

    It retrieves the nearest documents when there is an embedding: the one given, else the collection's embedding
    function. When there is none it retrieves by the words of the question (BM25), and nothing is embedded. With an
    `AsyncCollection` only the async methods work.
    """

    collection: Any
    """A `Collection` or an `AsyncCollection`."""
    embedding: Any = None
    """LangChain ``Embeddings``, or an embedding function."""
    k: int = Field(default=4, ge=1)
    """How many documents are retrieved; ``invoke(question, k=...)`` comes before it."""
    filter: Any = None
    """A ``where`` that retrieved documents satisfy; ``invoke(question, filter=...)`` comes before it."""

    _embedder: Embedder | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        """Raises InvalidArgumentError when the collection is none of ours."""
        if not isinstance(self.collection, (chroma_plugin.Collection, chroma_plugin.AsyncCollection)):
            raise InvalidArgumentError(
                f"collection must be a Collection or an AsyncCollection of chroma_plugin, got {self.collection!r}."
            )
        super().model_post_init(context)
        embeddings = as_embeddings(self.embedding or self.collection.embedding_function)
        self._embedder = None if embeddings is None else embedder(embeddings)

    def upsert(self, items: Sequence[Document], /, **kwargs: Any) -> UpsertResponse:
        """Add the documents, all or none; one whose id is there is replaced, whole. Documents without an id get one.

        Of several with the same id the last counts.
        """
        return run(self._upsert(items, kwargs), self._perform)

    async def aupsert(self, items: Sequence[Document], /, **kwargs: Any) -> UpsertResponse:
        """See `upsert`."""
        return await arun(self._upsert(items, kwargs), self._aperform)

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> DeleteResponse:
        """Delete these documents, and say which were there. Raises InvalidArgumentError, a ValueError, without ids."""
        return run(self._delete(ids, kwargs), self._perform)

    async def adelete(self, ids: list[str] | None = None, **kwargs: Any) -> DeleteResponse:
        """See `delete`."""
        return await arun(self._delete(ids, kwargs), self._aperform)

    def get(self, ids: Sequence[str], /, **kwargs: Any) -> list[Document]:
        """The documents with these ids, in their order; unknown ids are left out."""
        return run(self._get(ids, kwargs), self._perform)

    async def aget(self, ids: Sequence[str], /, **kwargs: Any) -> list[Document]:
        """See `get`."""
        return await arun(self._get(ids, kwargs), self._aperform)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None, filter: Any = None
    ) -> list[Document]:
        return run(self._search(query, k, filter), self._perform)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None, filter: Any = None
    ) -> list[Document]:
        return await arun(self._search(query, k, filter), self._aperform)

    # -- each operation, once ----------------------------------------------------------------------------------------

    def _upsert(self, items: Sequence[Document], options: dict[str, Any]) -> Procedure[UpsertResponse]:
        _refuse(options, "upsert")
        batch = batch_of_documents(items, None)
        if not batch.ids:
            return UpsertResponse(succeeded=[], failed=[])
        assert batch.metadatas is not None
        rows = {id: row for row, id in enumerate(batch.ids)}
        texts = [batch.texts[row] for row in rows.values()]
        yield from call(
            self.collection.add,
            ids=list(rows),
            embeddings=(yield from self._vectors(texts)),
            documents=texts,
            metadatas=[batch.metadatas[row] for row in rows.values()],
            on_conflict="ignore" if batch.all_new else "replace",
        )
        return UpsertResponse(succeeded=batch.ids, failed=[])

    def _vectors(self, texts: list[str]) -> Procedure[Any]:
        if self._embedder:
            return (yield from embed_documents(texts))
        # A record has a vector; where nobody asks for it, zeros do.
        facts = yield from call(self.collection.info)
        return np.zeros((len(texts), facts["dimension"] or 1), np.float32)

    def _delete(self, ids: list[str] | None, options: dict[str, Any]) -> Procedure[DeleteResponse]:
        _refuse(options, "delete")
        if ids is None:
            raise InvalidArgumentError("delete needs ids; an empty list deletes nothing.")
        wanted = distinct(ids)
        there = (yield from call(self.collection.get, ids=wanted, include=[]))["ids"]
        if there:
            yield from call(self.collection.delete, ids=there)
        return DeleteResponse(succeeded=there, num_deleted=len(there), failed=[], num_failed=0)

    def _get(self, ids: Sequence[str], options: dict[str, Any]) -> Procedure[list[Document]]:
        _refuse(options, "get")
        return got((yield from call(self.collection.get, ids=distinct(ids))))

    def _search(self, query: str, k: int | None, filter: Any) -> Procedure[list[Document]]:
        question = {
            "n_results": self.k if k is None else k,
            "where": stored_filter(self.filter if filter is None else filter),
            "include": ["metadatas", "documents"],
        }
        if self._embedder:
            vector = yield from embed_query(query)
            return hits((yield from call(self.collection.query, query_embeddings=vector, **question)))
        return hits((yield from call(self.collection.search_text, query_texts=[query], **question)))

    # -- and how it is run -------------------------------------------------------------------------------------------

    def _perform(self, step: Step) -> Any:
        if isinstance(self.collection, chroma_plugin.AsyncCollection):
            raise UnsupportedError("This index is over an AsyncCollection: await its async methods, such as ainvoke.")
        match step:
            case EmbedDocuments():
                return self._model.documents(step.texts, step.batch_size)
            case EmbedQuery():
                return self._model.query(step.text)
            case Call():
                return step.method(**step.arguments)
        raise UnsupportedError(f"An index does no {type(step).__name__}.")

    async def _aperform(self, step: Step) -> Any:
        match step:
            case EmbedDocuments():
                return await self._model.adocuments(step.texts, step.batch_size)
            case EmbedQuery():
                return await self._model.aquery(step.text)
            case Call() if isinstance(self.collection, chroma_plugin.AsyncCollection):
                return await step.method(**step.arguments)
        return await asyncio.to_thread(self._perform, step)

    @property
    def _model(self) -> Embedder:
        assert self._embedder is not None
        return self._embedder


def _refuse(options: dict[str, Any], method: str) -> None:
    if options:
        raise InvalidArgumentError(f"{method} takes no {', '.join(map(repr, options))}.")
