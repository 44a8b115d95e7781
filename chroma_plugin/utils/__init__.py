"""The import path ``chromadb.utils``: ``from chroma_plugin.utils import embedding_functions``."""

from __future__ import annotations

from chroma_plugin import embedding_functions

__all__ = ["embedding_functions"]
