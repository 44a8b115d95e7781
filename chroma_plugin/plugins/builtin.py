"""Our own plug-ins, by module name: known without scanning what is installed, imported when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BUILTIN: Final[Mapping[str, str]] = {
    "memory": "chroma_plugin_memory",
    "duckdb": "chroma_plugin_duckdb",
    "rest": "chroma_plugin_rest",
    "embedding_functions": "chroma_plugin.embedding_functions.plugin",
}
"""Plug-in name to module. The wheel declares the backends as entry points as well; those are recognised by module."""
