"""Clients of every backend that the API is tried on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from support import plain_backend

import chroma_plugin as chromadb
from chroma_plugin.plugins import PluginManager

BACKENDS: Final[dict[str, dict[str, Any]]] = {
    "plain": {"chroma_db_impl": "plain"},
    "sieve": {"chroma_db_impl": "plain", "sieve": True},
    "memory": {"chroma_db_impl": "memory"},
    "duckdb": {"chroma_db_impl": "duckdb"},
}


def open_client(name: str, directory: Path) -> chromadb.Client:
    """A client of a new database; the one on files uses the directory."""
    path = {"persist_directory": directory / "store"} if name == "duckdb" else {}
    return chromadb.Client(plugins=PluginManager([plain_backend]), **BACKENDS[name], **path)
