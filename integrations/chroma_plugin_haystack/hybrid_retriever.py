"""`ChromaPluginHybridRetriever`."""

# No `from __future__ import annotations`: Haystack 2 takes the annotations of `run` as they stand.

from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.document_stores.types import FilterPolicy, apply_filter_policy

from chroma_plugin_haystack.components import checked, chosen, policy_of, read
from chroma_plugin_haystack.retrieving import Fusion, check_fusion
from chroma_plugin_haystack.store import ChromaPluginDocumentStore


@component
class ChromaPluginHybridRetriever:
    """Finds documents by embedding and by keywords, and fuses the two rankings.

    ``fusion="rrf"`` adds ``weight / (60 + rank)``; ``"relative"`` adds the weighted scores, each side's stretched to
    0..1. ``alpha`` is the weight of the embeddings, from 0 (keywords only) to 1 (embeddings only). Without a
    ``query_embedding`` the query is embedded by the collection's embedding function. Documents without an embedding are
    found by their words only.
    """

    def __init__(
        self,
        document_store: ChromaPluginDocumentStore,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        scale_score: bool = False,
        return_embedding: bool = False,
        fusion: Fusion = "rrf",
        alpha: float = 0.5,
        candidates: int | None = None,
        filter_policy: FilterPolicy = FilterPolicy.REPLACE,
    ) -> None:
        """
        :param document_store: where to search.
        :param filters: which documents to search.
        :param top_k: how many documents to find at most.
        :param scale_score: scores from 0 to 1: 1 is first on both sides.
        :param return_embedding: whether the documents found come with their embeddings.
        :param fusion: ``"rrf"`` or ``"relative"``.
        :param alpha: the weight of the embeddings.
        :param candidates: how many documents each side offers; by default 4 for each of ``top_k``, at least 50.
        :param filter_policy: whether the filters of a run replace these or are merged with them.
        """
        check_fusion(fusion, alpha)
        self.document_store = checked(document_store, top_k)
        self.filters = filters
        self.top_k = top_k
        self.scale_score = scale_score
        self.return_embedding = return_embedding
        self.fusion = fusion
        self.alpha = alpha
        self.candidates = candidates
        self.filter_policy = policy_of(filter_policy)

    def to_dict(self) -> dict[str, Any]:
        """The component as plain JSON."""
        return default_to_dict(
            self,
            document_store=self.document_store.to_dict(),
            filters=self.filters,
            top_k=self.top_k,
            scale_score=self.scale_score,
            return_embedding=self.return_embedding,
            fusion=self.fusion,
            alpha=self.alpha,
            candidates=self.candidates,
            filter_policy=self.filter_policy.value,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ChromaPluginHybridRetriever":
        """The component that `to_dict` wrote."""
        return default_from_dict(cls, read(data))

    @component.output_types(documents=list[Document])
    def run(
        self,
        query: str,
        query_embedding: list[float] | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        alpha: float | None = None,
    ) -> dict[str, list[Document]]:
        """``{"documents": [...]}``, best first. What is left out is as the component was made."""
        arguments = self._arguments(query, query_embedding, filters, top_k, alpha)
        return {"documents": self.document_store.hybrid_retrieval(**arguments)}

    @component.output_types(documents=list[Document])
    async def run_async(
        self,
        query: str,
        query_embedding: list[float] | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        alpha: float | None = None,
    ) -> dict[str, list[Document]]:
        """See `run`."""
        arguments = self._arguments(query, query_embedding, filters, top_k, alpha)
        return {"documents": await self.document_store.hybrid_retrieval_async(**arguments)}

    def _arguments(
        self,
        query: str,
        query_embedding: list[float] | None,
        filters: dict[str, Any] | None,
        top_k: int | None,
        alpha: float | None,
    ) -> dict[str, Any]:
        return {
            "query": query,
            "query_embedding": query_embedding,
            "filters": apply_filter_policy(self.filter_policy, self.filters, filters),
            "top_k": chosen(top_k, self.top_k),
            "scale_score": self.scale_score,
            "return_embedding": self.return_embedding,
            "fusion": self.fusion,
            "alpha": chosen(alpha, self.alpha),
            "candidates": self.candidates,
        }
