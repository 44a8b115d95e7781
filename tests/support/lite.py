"""Milvus Lite, where it is installed: it is not part of the development environment."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import chroma_plugin as chromadb

INSTALLED: Final = ("milvus",) if find_spec("milvus_lite") else ()
"""The names to add to a list of backends."""


def settings(directory: Path) -> chromadb.Settings:
    """Of an empty store in this directory."""
    return chromadb.Settings(chroma_db_impl="milvus", uri=str(directory / "milvus.db"))
