"""Haystack: a collection as a document store, three retriever components and two embedders.

::

    from chroma_plugin_haystack import ChromaPluginDocumentStore, ChromaPluginEmbeddingRetriever

Names are imported when they are first used, so importing this package does not import Haystack. Without Haystack they
raise MissingDependencyError with the line that installs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from chroma_plugin.plugins import IntegrationSpec, hookimpl, load

if TYPE_CHECKING:
    from chroma_plugin_haystack.embedders import ChromaPluginDocumentEmbedder, ChromaPluginTextEmbedder
    from chroma_plugin_haystack.embedding_retriever import ChromaPluginEmbeddingRetriever
    from chroma_plugin_haystack.hybrid_retriever import ChromaPluginHybridRetriever
    from chroma_plugin_haystack.keyword_retriever import ChromaPluginKeywordRetriever
    from chroma_plugin_haystack.store import ChromaPluginDocumentStore

_SPEC: Final = IntegrationSpec(
    name="haystack",
    load="chroma_plugin_haystack.store:adapted",
    summary="A Haystack document store.",
    requires=("haystack",),
    install="pip install 'chroma-plugin[haystack]'",
)
_HOME_OF: Final = {
    "ChromaPluginDocumentEmbedder": "embedders",
    "ChromaPluginDocumentStore": "store",
    "ChromaPluginEmbeddingRetriever": "embedding_retriever",
    "ChromaPluginHybridRetriever": "hybrid_retriever",
    "ChromaPluginKeywordRetriever": "keyword_retriever",
    "ChromaPluginTextEmbedder": "embedders",
}

__all__ = [
    "ChromaPluginDocumentEmbedder",
    "ChromaPluginDocumentStore",
    "ChromaPluginEmbeddingRetriever",
    "ChromaPluginHybridRetriever",
    "ChromaPluginKeywordRetriever",
    "ChromaPluginTextEmbedder",
]


@hookimpl
def register_integrations() -> list[IntegrationSpec]:
    return [_SPEC]


# There is no __dir__ with these names: the plug-in manager looks at all that dir() gives.
def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    load(_SPEC)
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
