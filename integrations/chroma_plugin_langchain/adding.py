"""The methods of a store that write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.documents import Document

from chroma_plugin_langchain import writing
from chroma_plugin_langchain.base import StoreBase
from chroma_plugin_langchain.records import batch_of_documents, batch_of_texts


class Adding(StoreBase):
    """Adding, updating and deleting. Every call is all or nothing, of any size."""

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: Iterable[dict[str, Any]] | None = None,
        ids: Iterable[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Embed and store texts, and return their ids in order.

        A text without an id gets a new one. A record that has the id already is replaced, text, metadata and all.
        ``metadatas`` may hold None, lists, dicts, and dates, which come back as dates. ``batch_size`` is how many texts
        go to the model at once. Raises ValueError when the lists are not of one length, or an id stands twice.
        """
        return self._run(writing.add(self._place, batch_of_texts(texts, metadatas, ids), kwargs))

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: Iterable[dict[str, Any]] | None = None,
        ids: Iterable[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """See `add_texts`."""
        return await self._arun(writing.add(self._place, batch_of_texts(texts, metadatas, ids), kwargs))

    def add_documents(
        self, documents: Iterable[Document], ids: Iterable[str | None] | None = None, **kwargs: Any
    ) -> list[str]:
        """`add_texts` of documents. ``ids`` come before the documents' own. The documents are not changed."""
        return self._run(writing.add(self._place, batch_of_documents(documents, ids), kwargs))

    async def aadd_documents(
        self, documents: Iterable[Document], ids: Iterable[str | None] | None = None, **kwargs: Any
    ) -> list[str]:
        """See `add_documents`."""
        return await self._arun(writing.add(self._place, batch_of_documents(documents, ids), kwargs))

    def add_embeddings(
        self,
        embeddings: Any,
        metadatas: Iterable[dict[str, Any]] | None = None,
        ids: Iterable[str | None] | None = None,
        texts: Iterable[str | None] | None = None,
    ) -> list[str]:
        """Store vectors that are there already, and return their ids. Records that have such an id are replaced."""
        return self._run(writing.add_embeddings(self._place, embeddings, texts, metadatas, ids))

    async def aadd_embeddings(
        self,
        embeddings: Any,
        metadatas: Iterable[dict[str, Any]] | None = None,
        ids: Iterable[str | None] | None = None,
        texts: Iterable[str | None] | None = None,
    ) -> list[str]:
        """See `add_embeddings`."""
        return await self._arun(writing.add_embeddings(self._place, embeddings, texts, metadatas, ids))

    def update_document(self, document_id: str, document: Document) -> list[str]:
        """`update_documents` of one."""
        return self.update_documents([document_id], [document])

    async def aupdate_document(self, document_id: str, document: Document) -> list[str]:
        """See `update_document`."""
        return await self.aupdate_documents([document_id], [document])

    def update_documents(self, ids: Sequence[str], documents: Sequence[Document]) -> list[str]:
        """Put documents in the place of the stored ones, with their metadata, and return the ids that were there.

        Ids that are not there are left alone: use `add_documents` to add.
        """
        return self._run(writing.update(self._place, ids, documents))

    async def aupdate_documents(self, ids: Sequence[str], documents: Sequence[Document]) -> list[str]:
        """See `update_documents`."""
        return await self._arun(writing.update(self._place, ids, documents))

    def delete(self, ids: Sequence[str] | None = None, **kwargs: Any) -> bool:
        """Delete the documents that have these ids and match ``filter`` and ``where_document``, as far as given.

        Ids that are not there do no harm. ``where`` is another name of ``filter``. Without anything it raises
        ValueError, because leaving something out never means everything: see `reset_collection`.
        """
        return self._run(writing.delete(self._place, ids, kwargs))

    async def adelete(self, ids: Sequence[str] | None = None, **kwargs: Any) -> bool:
        """See `delete`."""
        return await self._arun(writing.delete(self._place, ids, kwargs))
