"""The import path ``chromadb.api.models.AsyncCollection``."""

from __future__ import annotations

from chroma_plugin.api.async_collection import AsyncCollection

__all__ = ["AsyncCollection"]
