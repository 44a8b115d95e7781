"""The import paths of chromadb's own modules, for code that names them: ``from chroma_plugin.api.types import ...``."""

from __future__ import annotations

from chroma_plugin.admin import TenantsAndDatabases as AdminAPI
from chroma_plugin.aio import AsyncClient as AsyncClientAPI
from chroma_plugin.client import Client as ClientAPI

__all__ = ["AdminAPI", "AsyncClientAPI", "ClientAPI"]
