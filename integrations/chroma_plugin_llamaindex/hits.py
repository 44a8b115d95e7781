"""What a collection answered, as scored hits; and hits as LlamaIndex's result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from llama_index.core.vector_stores.types import VectorStoreQueryResult

from chroma_plugin_llamaindex.nodes import nodes_of
from chroma_plugin_llamaindex.similarity import similarities_of


@dataclass(frozen=True, slots=True, eq=False)
class Hit:
    """One record of an answer."""

    id: str
    score: float
    """Higher is better."""
    document: str | None
    metadata: dict[str, Any] | None
    embedding: Any
    """A float32 array, or None when it was not asked for."""


def dense_hits(answer: Any, space: str) -> list[Hit]:
    """The hits of `Collection.query` for its one query."""
    return _hits(answer, similarities_of(answer["distances"][0], space))


def text_hits(answer: Any) -> list[Hit]:
    """The hits of `Collection.search_text` for its one query."""
    return _hits(answer, answer["scores"][0])


def result_of(hits: Sequence[Hit], *, with_embeddings: bool = True) -> VectorStoreQueryResult:
    """Nodes, similarities and ids in the order of the hits; nodes have their embeddings when all hits have one."""
    embeddings = [hit.embedding for hit in hits]
    nodes = nodes_of(
        [hit.id for hit in hits],
        [hit.document for hit in hits],
        [hit.metadata for hit in hits],
        embeddings if with_embeddings and all(embedding is not None for embedding in embeddings) else None,
    )
    return VectorStoreQueryResult(
        nodes=nodes, similarities=[float(hit.score) for hit in hits], ids=[hit.id for hit in hits]
    )


def found_records(answer: Any) -> VectorStoreQueryResult:
    """The records of `Collection.get`, which are not ranked and so have no similarities."""
    nodes = nodes_of(answer["ids"], answer["documents"], answer["metadatas"], answer["embeddings"])
    return VectorStoreQueryResult(nodes=nodes, ids=answer["ids"])


def _hits(answer: Any, scores: Sequence[float]) -> list[Hit]:
    embeddings = repeat(None) if answer["embeddings"] is None else answer["embeddings"][0]
    rows = zip(answer["ids"][0], scores, answer["documents"][0], answer["metadatas"][0], embeddings, strict=False)
    return [Hit(*row) for row in rows]
