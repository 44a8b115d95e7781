"""LangChain's ``Embeddings`` as an embedding function. LangChain is never imported: the two methods are what counts."""

from __future__ import annotations

from typing import Any

from chroma_plugin.embedding_functions.protocol import Documents, EmbeddingFunction, Embeddings


def is_langchain(value: Any) -> bool:
    """It has the two methods of ``langchain_core.embeddings.Embeddings``."""
    return callable(getattr(value, "embed_documents", None)) and callable(getattr(value, "embed_query", None))


class LangChainEmbeddings(EmbeddingFunction[Documents]):
    """Documents by ``embed_documents``, each query by ``embed_query``.

    It has no name: collections do not remember it.
    """

    def __init__(self, embeddings: Any) -> None:
        self.embeddings = embeddings

    def __call__(self, input: Documents) -> Embeddings:
        vectors: Embeddings = self.embeddings.embed_documents(input)
        return vectors

    def embed_query(self, input: Documents) -> Embeddings:
        return [self.embeddings.embed_query(text) for text in input]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.embeddings).__qualname__})"
