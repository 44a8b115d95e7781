"""The import path ``chromadb.api.models.Collection``."""

from __future__ import annotations

from chroma_plugin.api.collection import Collection

__all__ = ["Collection"]
