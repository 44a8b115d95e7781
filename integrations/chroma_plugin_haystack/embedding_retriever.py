"""`ChromaPluginEmbeddingRetriever`."""

# No `from __future__ import annotations`: Haystack 2 takes the annotations of `run` as they stand.

from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.document_stores.types import FilterPolicy, apply_filter_policy

from chroma_plugin_haystack.components import checked, chosen, policy_of, read
from chroma_plugin_haystack.store import ChromaPluginDocumentStore


@component
class ChromaPluginEmbeddingRetriever:
    """Finds the documents whose embeddings are nearest to that of the query.

    Scores are similarities, higher is better: the cosine, the inner product, or 1 / (1 + squared distance). Documents
    without an embedding are not found.
    """

    def __init__(
        self,
        document_store: ChromaPluginDocumentStore,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        scale_score: bool = False,
        return_embedding: bool = False,
        filter_policy: FilterPolicy = FilterPolicy.REPLACE,
    ) -> None:
        """
        :param document_store: where to search.
        :param filters: which documents to search.
        :param top_k: how many documents to find at most.
        :param scale_score: scores from 0 to 1.
        :param return_embedding: whether the documents found come with their embeddings.
        :param filter_policy: whether the filters of a run replace these or are merged with them.
        """
        self.document_store = checked(document_store, top_k)
        self.filters = filters
        self.top_k = top_k
        self.scale_score = scale_score
        self.return_embedding = return_embedding
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
            filter_policy=self.filter_policy.value,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ChromaPluginEmbeddingRetriever":
        """The component that `to_dict` wrote."""
        return default_from_dict(cls, read(data))

    @component.output_types(documents=list[Document])
    def run(
        self,
        query_embedding: list[float],
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        scale_score: bool | None = None,
        return_embedding: bool | None = None,
    ) -> dict[str, list[Document]]:
        """``{"documents": [...]}``, best first. What is left out is as the component was made."""
        arguments = self._arguments(query_embedding, filters, top_k, scale_score, return_embedding)
        return {"documents": self.document_store.embedding_retrieval(**arguments)}

    @component.output_types(documents=list[Document])
    async def run_async(
        self,
        query_embedding: list[float],
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        scale_score: bool | None = None,
        return_embedding: bool | None = None,
    ) -> dict[str, list[Document]]:
        """See `run`."""
        arguments = self._arguments(query_embedding, filters, top_k, scale_score, return_embedding)
        return {"documents": await self.document_store.embedding_retrieval_async(**arguments)}

    def _arguments(
        self,
        query_embedding: list[float],
        filters: dict[str, Any] | None,
        top_k: int | None,
        scale_score: bool | None,
        return_embedding: bool | None,
    ) -> dict[str, Any]:
        return {
            "query_embedding": query_embedding,
            "filters": apply_filter_policy(self.filter_policy, self.filters, filters),
            "top_k": chosen(top_k, self.top_k),
            "scale_score": chosen(scale_score, self.scale_score),
            "return_embedding": chosen(return_embedding, self.return_embedding),
        }
