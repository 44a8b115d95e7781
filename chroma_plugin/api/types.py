"""The names that people import from ``chromadb.api.types`` for their annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from chroma_plugin.embedding_functions import (
    Document,
    Documents,
    Embeddable,
    Embedding,
    EmbeddingFunction,
    Embeddings,
    Space,
)
from chroma_plugin.operations.results import DataLoader, DeleteResult, GetResult, QueryResult
from chroma_plugin.requests.include import Included

ID: TypeAlias = str
IDs: TypeAlias = list[ID]
URI: TypeAlias = str
URIs: TypeAlias = list[URI]
Metadata: TypeAlias = Mapping[str, Any]
Metadatas: TypeAlias = list[Metadata]
CollectionMetadata: TypeAlias = Mapping[str, Any]
Where: TypeAlias = Mapping[str, Any]
WhereDocument: TypeAlias = Mapping[str, Any]
Include: TypeAlias = list[Included]

__all__ = [
    "ID",
    "URI",
    "CollectionMetadata",
    "DataLoader",
    "DeleteResult",
    "Document",
    "Documents",
    "Embeddable",
    "Embedding",
    "EmbeddingFunction",
    "Embeddings",
    "GetResult",
    "IDs",
    "Include",
    "Metadata",
    "Metadatas",
    "QueryResult",
    "Space",
    "URIs",
    "Where",
    "WhereDocument",
]
