"""The import paths ``chromadb.api.models.Collection`` and ``chromadb.api.models.AsyncCollection``."""

from __future__ import annotations
