"""LlamaIndex: a collection is its vector store.

::

    from chroma_plugin_llamaindex import ChromaPluginVectorStore

    vector_store = ChromaPluginVectorStore(collection)        # or: collection.adapt("llamaindex")

Importing this package imports no framework; the classes are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from chroma_plugin.plugins import IntegrationSpec, hookimpl

if TYPE_CHECKING:
    from chroma_plugin_llamaindex.embeddings import ChromaPluginEmbedding, LlamaIndexEmbeddingFunction
    from chroma_plugin_llamaindex.store import ChromaPluginVectorStore

_HOME_OF: Final = {
    "ChromaPluginEmbedding": "embeddings",
    "ChromaPluginVectorStore": "store",
    "LlamaIndexEmbeddingFunction": "embeddings",
}
_INSTALL: Final = "pip install 'chroma-plugin[llamaindex]'"

__all__ = ["ChromaPluginEmbedding", "ChromaPluginVectorStore", "LlamaIndexEmbeddingFunction"]


@hookimpl
def register_integrations() -> list[IntegrationSpec]:
    return [
        IntegrationSpec(
            name="llamaindex",
            aliases=("llama-index", "llama_index"),
            load="chroma_plugin_llamaindex.store:ChromaPluginVectorStore",
            summary="A LlamaIndex vector store: all filter operators, MMR, text and hybrid search.",
            requires=("llama_index.core",),
            install=_INSTALL,
        )
    ]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "llama_index":
            raise
        from chroma_plugin.errors import MissingDependencyError

        raise MissingDependencyError(f"{name} needs llama-index-core: {_INSTALL}") from error
    globals()[name] = value
    return value
