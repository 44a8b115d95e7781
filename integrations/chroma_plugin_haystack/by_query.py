"""What the retriever components ask the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from haystack import Document

from chroma_plugin_haystack import retrieving
from chroma_plugin_haystack.retrieving import Fusion
from chroma_plugin_haystack.runner import Runner
from chroma_plugin_haystack.steps import Steps


class ByQuery:
    """A part of `ChromaPluginDocumentStore`."""

    _runner: Runner
    _strict: bool

    def embedding_retrieval(
        self,
        query_embedding: Sequence[float],
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        scale_score: bool = False,
        return_embedding: bool = False,
    ) -> list[Document]:
        """The nearest documents that have an embedding; see `ChromaPluginEmbeddingRetriever`."""
        return self._runner.run(self._by_embedding(query_embedding, filters, top_k, scale_score, return_embedding))

    async def embedding_retrieval_async(
        self,
        query_embedding: Sequence[float],
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        scale_score: bool = False,
        return_embedding: bool = False,
    ) -> list[Document]:
        """See `embedding_retrieval`."""
        steps = self._by_embedding(query_embedding, filters, top_k, scale_score, return_embedding)
        return await self._runner.run_async(steps)

    def bm25_retrieval(
        self,
        query: str,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        scale_score: bool = False,
        return_embedding: bool = False,
    ) -> list[Document]:
        """The documents that have words of the query; see `ChromaPluginKeywordRetriever`."""
        return self._runner.run(self._by_keywords(query, filters, top_k, scale_score, return_embedding))

    async def bm25_retrieval_async(
        self,
        query: str,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        scale_score: bool = False,
        return_embedding: bool = False,
    ) -> list[Document]:
        """See `bm25_retrieval`."""
        return await self._runner.run_async(self._by_keywords(query, filters, top_k, scale_score, return_embedding))

    def hybrid_retrieval(
        self,
        query: str,
        query_embedding: Sequence[float] | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        scale_score: bool = False,
        return_embedding: bool = False,
        fusion: Fusion = "rrf",
        alpha: float = 0.5,
        candidates: int | None = None,
    ) -> list[Document]:
        """The best of both; see `ChromaPluginHybridRetriever`."""
        return self._runner.run(
            self._by_both(
                query, query_embedding, filters, top_k, scale_score, return_embedding, fusion, alpha, candidates
            )
        )

    async def hybrid_retrieval_async(
        self,
        query: str,
        query_embedding: Sequence[float] | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        scale_score: bool = False,
        return_embedding: bool = False,
        fusion: Fusion = "rrf",
        alpha: float = 0.5,
        candidates: int | None = None,
    ) -> list[Document]:
        """See `hybrid_retrieval`."""
        return await self._runner.run_async(
            self._by_both(
                query, query_embedding, filters, top_k, scale_score, return_embedding, fusion, alpha, candidates
            )
        )

    def _by_embedding(
        self,
        query_embedding: Sequence[float],
        filters: dict[str, Any] | None,
        top_k: int,
        scale_score: bool,
        return_embedding: bool,
    ) -> Steps[list[Document]]:
        return retrieving.by_embedding(
            query_embedding,
            filters,
            top_k,
            scaled=scale_score,
            return_embedding=return_embedding,
            strict=self._strict,
        )

    def _by_keywords(
        self, query: str, filters: dict[str, Any] | None, top_k: int, scale_score: bool, return_embedding: bool
    ) -> Steps[list[Document]]:
        return retrieving.by_keywords(
            query, filters, top_k, scaled=scale_score, return_embedding=return_embedding, strict=self._strict
        )

    def _by_both(
        self,
        query: str,
        query_embedding: Sequence[float] | None,
        filters: dict[str, Any] | None,
        top_k: int,
        scale_score: bool,
        return_embedding: bool,
        fusion: Fusion,
        alpha: float,
        candidates: int | None,
    ) -> Steps[list[Document]]:
        return retrieving.by_both(
            query,
            query_embedding,
            filters,
            top_k,
            fusion=fusion,
            alpha=alpha,
            candidates=candidates,
            scaled=scale_score,
            return_embedding=return_embedding,
            strict=self._strict,
        )
