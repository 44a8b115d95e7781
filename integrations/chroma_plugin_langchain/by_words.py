"""The methods of a store that search by words, and those that search by the name of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.documents import Document

from chroma_plugin_langchain import searching
from chroma_plugin_langchain.base import StoreBase
from chroma_plugin_langchain.searching import Scored, without_scores


class ByWords(StoreBase):
    """Hybrid search and text search; ``filter`` and ``where_document`` are as in `Finding`."""

    def hybrid_search(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[Document]:
        """The k best documents of two searches in one, by similarity and by words (BM25).

        ``alpha`` is the weight of the similarity: 1 is similarity alone, 0 words alone, 0.5 the default. ``fusion`` is
        ``"rrf"`` (by rank, the default) or ``"relative"`` (by score); ``candidates`` is how many each side offers.
        """
        return without_scores(self.hybrid_search_with_score(query, k, filter, where_document, **kwargs))

    async def ahybrid_search(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[Document]:
        """See `hybrid_search`."""
        return without_scores(await self.ahybrid_search_with_score(query, k, filter, where_document, **kwargs))

    def hybrid_search_with_score(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Scored:
        """The same with scores: higher is better."""
        return self._run(searching.hybrid(self._place, query, k, filter, where_document, kwargs))

    async def ahybrid_search_with_score(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Scored:
        """See `hybrid_search_with_score`."""
        return await self._arun(searching.hybrid(self._place, query, k, filter, where_document, kwargs))

    def text_search(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[Document]:
        """The k best documents by words alone (BM25); only such that have one of the query's words."""
        return without_scores(self.text_search_with_score(query, k, filter, where_document, **kwargs))

    async def atext_search(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[Document]:
        """See `text_search`."""
        return without_scores(await self.atext_search_with_score(query, k, filter, where_document, **kwargs))

    def text_search_with_score(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Scored:
        """The same with scores: higher is better."""
        return self._run(searching.text(self._place, query, k, filter, where_document, kwargs))

    async def atext_search_with_score(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Scored:
        """See `text_search_with_score`."""
        return await self._arun(searching.text(self._place, query, k, filter, where_document, kwargs))

    # -- by name -----------------------------------------------------------------------------------------------------

    def search(self, query: str, search_type: str, **kwargs: Any) -> list[Document]:
        """Search by ``"similarity"``, ``"similarity_score_threshold"``, ``"mmr"``, ``"hybrid"`` or ``"text"``."""
        if search_type == "hybrid":
            return self.hybrid_search(query, **kwargs)
        if search_type == "text":
            return self.text_search(query, **kwargs)
        return super().search(query, search_type, **kwargs)

    async def asearch(self, query: str, search_type: str, **kwargs: Any) -> list[Document]:
        """See `search`."""
        if search_type == "hybrid":
            return await self.ahybrid_search(query, **kwargs)
        if search_type == "text":
            return await self.atext_search(query, **kwargs)
        return await super().asearch(query, search_type, **kwargs)
