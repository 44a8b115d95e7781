"""Our own plug-ins, by module name: known without scanning what is installed, imported when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BUILTIN: Final[Mapping[str, str]] = {
    "memory": "chroma_plugin_memory",
    "duckdb": "chroma_plugin_duckdb",
    "rest": "chroma_plugin_rest",
    "chromadb": "chroma_plugin_chromadb",
    "pgvector": "chroma_plugin_pgvector",
    "embedding_functions": "chroma_plugin.embedding_functions.plugin",
    "langchain": "chroma_plugin_langchain",
    "llamaindex": "chroma_plugin_llamaindex",
    "haystack": "chroma_plugin_haystack",
}
"""Plug-in name to module. The wheel declares all but one as entry points as well; those are recognised by module."""
