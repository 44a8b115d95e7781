"""The methods of a store that search and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.documents import Document

from chroma_plugin_langchain import searching
from chroma_plugin_langchain.base import StoreBase
from chroma_plugin_langchain.searching import Scored, without_scores


class Finding(StoreBase):
    """Searching.

    ``filter`` is by metadata: ``{"year": {"$gt": 2000}, "kind": "essay"}`` (all of it must match), or a ``Key``
    expression. ``where_document`` is by text: ``{"$contains": "words"}``. Further keyword arguments are ``ids``,
    ``max_distance`` and ``exact`` of `chroma_plugin.Collection.query`; others are refused.
    """

    # -- similar -----------------------------------------------------------------------------------------------

    def similarity_search(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[Document]:
        """The k documents most similar to the query, the most similar first."""
        return without_scores(self.similarity_search_with_score(query, k, filter, where_document, **kwargs))

    async def asimilarity_search(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[Document]:
        """See `similarity_search`."""
        return without_scores(await self.asimilarity_search_with_score(query, k, filter, where_document, **kwargs))

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Scored:
        """The same with distances: lower is nearer. For scores in [0, 1], `similarity_search_with_relevance_scores`."""
        return self._run(searching.by_text(self._place, query, k, filter, where_document, kwargs))

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Scored:
        """See `similarity_search_with_score`."""
        return await self._arun(searching.by_text(self._place, query, k, filter, where_document, kwargs))

    def similarity_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        filter: Any = None,
        where_document: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """The k documents nearest to a vector."""
        return without_scores(self._run(searching.by_vector(self._place, embedding, k, filter, where_document, kwargs)))

    async def asimilarity_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        filter: Any = None,
        where_document: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """See `similarity_search_by_vector`."""
        return without_scores(
            await self._arun(searching.by_vector(self._place, embedding, k, filter, where_document, kwargs))
        )

    def similarity_search_by_vector_with_relevance_scores(
        self,
        embedding: Sequence[float],
        k: int = 4,
        filter: Any = None,
        where_document: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Scored:
        """The same with relevance in [0, 1], higher is better (langchain-chroma gives distances here)."""
        found = self._run(searching.by_vector(self._place, embedding, k, filter, where_document, kwargs))
        return self._relevant(found)

    async def asimilarity_search_by_vector_with_relevance_scores(
        self,
        embedding: Sequence[float],
        k: int = 4,
        filter: Any = None,
        where_document: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Scored:
        """See `similarity_search_by_vector_with_relevance_scores`."""
        found = await self._arun(searching.by_vector(self._place, embedding, k, filter, where_document, kwargs))
        return self._relevant(found)

    def similarity_search_with_vectors(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[tuple[Document, Any]]:
        """`similarity_search` with the vector of each document, a float32 array."""
        return self._run(searching.with_vectors(self._place, query, k, filter, where_document, kwargs))

    async def asimilarity_search_with_vectors(
        self, query: str, k: int = 4, filter: Any = None, where_document: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[tuple[Document, Any]]:
        """See `similarity_search_with_vectors`."""
        return await self._arun(searching.with_vectors(self._place, query, k, filter, where_document, kwargs))

    # -- similar and different ---------------------------------------------------------------------------------------

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Any = None,
        where_document: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Of the ``fetch_k`` most similar documents k that are similar to the query and different from each other.

        In the order in which they were chosen: each next one adds the most. ``lambda_mult`` is between 1, which is
        similarity alone, and 0, the greatest difference.
        """
        return self._run(
            searching.diverse_by_text(self._place, query, k, fetch_k, lambda_mult, filter, where_document, kwargs)
        )

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Any = None,
        where_document: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """See `max_marginal_relevance_search`."""
        return await self._arun(
            searching.diverse_by_text(self._place, query, k, fetch_k, lambda_mult, filter, where_document, kwargs)
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Any = None,
        where_document: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """`max_marginal_relevance_search` for a vector."""
        return self._run(
            searching.diverse_by_vector(self._place, embedding, k, fetch_k, lambda_mult, filter, where_document, kwargs)
        )

    async def amax_marginal_relevance_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Any = None,
        where_document: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """See `max_marginal_relevance_search_by_vector`."""
        return await self._arun(
            searching.diverse_by_vector(self._place, embedding, k, fetch_k, lambda_mult, filter, where_document, kwargs)
        )

    # -- by id -------------------------------------------------------------------------------------------------------

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents with these ids, each once, in that order; unknown ids are left out."""
        return self._run(searching.by_ids(self._place, ids))

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """See `get_by_ids`."""
        return await self._arun(searching.by_ids(self._place, ids))

    def get(
        self,
        ids: str | Sequence[str] | None = None,
        where: Any = None,
        limit: int | None = None,
        offset: int | None = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Records as a dict of columns, as `chroma_plugin.Collection.get` gives them; without arguments all."""
        return self._run(searching.get(self._place, _get_arguments(ids, where, limit, offset, where_document, include)))

    async def aget(
        self,
        ids: str | Sequence[str] | None = None,
        where: Any = None,
        limit: int | None = None,
        offset: int | None = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """See `get`."""
        arguments = _get_arguments(ids, where, limit, offset, where_document, include)
        return await self._arun(searching.get(self._place, arguments))


def _get_arguments(ids: Any, where: Any, limit: Any, offset: Any, where_document: Any, include: Any) -> dict[str, Any]:
    return {
        "ids": ids,
        "where": where,
        "limit": limit,
        "offset": offset,
        "where_document": where_document,
        "include": include,
    }
