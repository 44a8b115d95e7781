"""The user's arguments, checked once and made into frozen requests. Behind this door nothing is validated again.

Every mistake is an InvalidArgumentError (or a subclass), raised before anything changes.
"""

from __future__ import annotations

from chroma_plugin.requests.filter import filter_of
from chroma_plugin.requests.ranked import search_hybrid, search_text
from chroma_plugin.requests.reads import get, query
from chroma_plugin.requests.writes import add, delete, update, upsert

__all__ = ["add", "delete", "filter_of", "get", "query", "search_hybrid", "search_text", "update", "upsert"]
