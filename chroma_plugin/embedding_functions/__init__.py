"""Embedding functions: the protocol, the default one, and what collections remember about theirs.

Importing this package imports no model and no framework.
"""

from __future__ import annotations

from chroma_plugin.embedding_functions.adapt import adapt
from chroma_plugin.embedding_functions.default import DefaultEmbeddingFunction, ONNXMiniLM_L6_V2
from chroma_plugin.embedding_functions.embed import embed
from chroma_plugin.embedding_functions.hashing import HashingEmbeddingFunction
from chroma_plugin.embedding_functions.identity import check_same, identity
from chroma_plugin.embedding_functions.protocol import (
    Document,
    Documents,
    Embeddable,
    Embedding,
    EmbeddingFunction,
    Embeddings,
    Space,
)
from chroma_plugin.embedding_functions.register import register_embedding_function
from chroma_plugin.embedding_functions.resolve import resolve
from chroma_plugin.embedding_functions.spaces import default_space, supported_spaces

__all__ = [
    "DefaultEmbeddingFunction",
    "Document",
    "Documents",
    "Embeddable",
    "Embedding",
    "EmbeddingFunction",
    "Embeddings",
    "HashingEmbeddingFunction",
    "ONNXMiniLM_L6_V2",
    "Space",
    "adapt",
    "check_same",
    "default_space",
    "embed",
    "identity",
    "register_embedding_function",
    "resolve",
    "supported_spaces",
]
