"""LangChain and LangGraph over a collection::

    from chroma_plugin_langchain import ChromaPluginVectorStore

    store = ChromaPluginVectorStore(embedding_function=embeddings, persist_directory="./data")

``collection.adapt("langchain", embedding=embeddings)`` makes the same of a collection that is already open. Importing
this package imports no framework; a name of it does, when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chroma_plugin.plugins import IntegrationSpec, hookimpl, load

if TYPE_CHECKING:
    from chroma_plugin_langchain.document_index import ChromaPluginDocumentIndex
    from chroma_plugin_langchain.embeddings import ChromaPluginEmbeddings, embedding_function_of
    from chroma_plugin_langchain.graph_store import ChromaPluginStore
    from chroma_plugin_langchain.record_manager import ChromaPluginRecordManager
    from chroma_plugin_langchain.retriever import ChromaPluginRetriever
    from chroma_plugin_langchain.store import ChromaPluginVectorStore
    from chroma_plugin_langchain.structured_query import ChromaPluginTranslator
    from chroma_plugin_langchain.values import date_text

_LANGCHAIN: Final = (("langchain_core",), "pip install 'chroma-plugin[langchain]'")
_LANGGRAPH: Final = (("langgraph.store.base", "langchain_core"), "pip install 'chroma-plugin[langgraph]'")
_HOMES: Final = {
    "ChromaPluginDocumentIndex": ("document_index", _LANGCHAIN),
    "ChromaPluginEmbeddings": ("embeddings", _LANGCHAIN),
    "ChromaPluginRecordManager": ("record_manager", _LANGCHAIN),
    "ChromaPluginRetriever": ("retriever", _LANGCHAIN),
    "ChromaPluginStore": ("graph_store", _LANGGRAPH),
    "ChromaPluginTranslator": ("structured_query", _LANGCHAIN),
    "ChromaPluginVectorStore": ("store", _LANGCHAIN),
    "date_text": ("values", ((), "")),
    "embedding_function_of": ("embeddings", _LANGCHAIN),
}

__all__ = [
    "ChromaPluginDocumentIndex",
    "ChromaPluginEmbeddings",
    "ChromaPluginRecordManager",
    "ChromaPluginRetriever",
    "ChromaPluginStore",
    "ChromaPluginTranslator",
    "ChromaPluginVectorStore",
    "date_text",
    "embedding_function_of",
]


@hookimpl
def register_integrations() -> list[IntegrationSpec]:
    return [
        IntegrationSpec(
            name="langchain",
            load="chroma_plugin_langchain.store:adapt",
            summary="A LangChain VectorStore: collection.adapt('langchain', embedding=...)",
            requires=_LANGCHAIN[0],
            install=_LANGCHAIN[1],
        ),
        IntegrationSpec(
            name="langgraph",
            load="chroma_plugin_langchain.graph_store:ChromaPluginStore",
            summary="A LangGraph BaseStore, the long-term memory of agents: collection.adapt('langgraph', index=...)",
            requires=_LANGGRAPH[0],
            install=_LANGGRAPH[1],
        ),
    ]


def __getattr__(name: str) -> Any:
    """The class, imported now. Raises MissingDependencyError with the install line when its framework is absent."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, (requires, install) = _HOMES[name]
    value = load(IntegrationSpec(name, f"{__name__}.{module}:{name}", requires=requires, install=install))
    globals()[name] = value
    return value


# There is no __dir__: pluggy looks at every name of a plug-in, and these would then be imported.
