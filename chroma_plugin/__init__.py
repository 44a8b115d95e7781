"""Chroma's Client and Collection API over pluggable engines: in memory, DuckDB on disk, and yours.

::

    import chroma_plugin as chromadb

    client = chromadb.Client()
    collection = client.create_collection("docs")
    collection.add(ids=["a", "b"], documents=["This is about cats.", "This is about engines."])
    collection.query(query_texts="kittens", n_results=1)

Names are imported when they are first used, so ``import chroma_plugin`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from chroma_plugin.version import __version__

if TYPE_CHECKING:
    from chroma_plugin import api, config, embedding_functions, errors, filters, plugins, utils
    from chroma_plugin.api import AdminAPI, AsyncClientAPI, ClientAPI
    from chroma_plugin.api.async_client import AsyncClient, AsyncHttpClient
    from chroma_plugin.api.async_collection import AsyncCollection
    from chroma_plugin.api.client import Client
    from chroma_plugin.api.collection import Collection
    from chroma_plugin.api.factories import AdminClient, CloudClient, EphemeralClient, HttpClient, PersistentClient
    from chroma_plugin.api.notices import ExistingIDsWarning, NothingDeletedWarning
    from chroma_plugin.api.types import (
        ID,
        URI,
        CollectionMetadata,
        DataLoader,
        Document,
        Documents,
        Embedding,
        EmbeddingFunction,
        Embeddings,
        IDs,
        Include,
        Metadata,
        Metadatas,
        URIs,
        Where,
        WhereDocument,
    )
    from chroma_plugin.backups import restore
    from chroma_plugin.config import Settings
    from chroma_plugin.filters import K, Key
    from chroma_plugin.operations.results import (
        AddReport,
        DeleteResult,
        GetResult,
        QueryResult,
        UpdateReport,
        UpsertReport,
    )
    from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT

_HOMES: Final[dict[str, tuple[str, ...]]] = {
    "api.async_client": ("AsyncClient", "AsyncHttpClient"),
    "api": ("AdminAPI", "AsyncClientAPI", "ClientAPI"),
    "api.types": (
        "ID",
        "URI",
        "CollectionMetadata",
        "DataLoader",
        "Document",
        "Documents",
        "Embedding",
        "EmbeddingFunction",
        "Embeddings",
        "IDs",
        "Include",
        "Metadata",
        "Metadatas",
        "URIs",
        "Where",
        "WhereDocument",
    ),
    "api.async_collection": ("AsyncCollection",),
    "api.client": ("Client",),
    "api.factories": ("AdminClient", "CloudClient", "EphemeralClient", "HttpClient", "PersistentClient"),
    "api.collection": ("Collection",),
    "backups": ("restore",),
    "config": ("Settings",),
    "filters": ("K", "Key"),
    "api.notices": ("ExistingIDsWarning", "NothingDeletedWarning"),
    "operations.results": ("AddReport", "DeleteResult", "GetResult", "QueryResult", "UpdateReport", "UpsertReport"),
    "types": ("DEFAULT_DATABASE", "DEFAULT_TENANT"),
}
_MODULES: Final = ("api", "config", "embedding_functions", "errors", "filters", "plugins", "utils")
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DEFAULT_DATABASE",
    "DEFAULT_TENANT",
    "ID",
    "URI",
    "AddReport",
    "AdminAPI",
    "AdminClient",
    "AsyncClient",
    "AsyncClientAPI",
    "AsyncCollection",
    "AsyncHttpClient",
    "Client",
    "ClientAPI",
    "CloudClient",
    "Collection",
    "CollectionMetadata",
    "DataLoader",
    "DeleteResult",
    "Document",
    "Documents",
    "Embedding",
    "EmbeddingFunction",
    "Embeddings",
    "EphemeralClient",
    "ExistingIDsWarning",
    "GetResult",
    "HttpClient",
    "IDs",
    "Include",
    "K",
    "Key",
    "Metadata",
    "Metadatas",
    "NothingDeletedWarning",
    "PersistentClient",
    "QueryResult",
    "Settings",
    "URIs",
    "UpdateReport",
    "UpsertReport",
    "Where",
    "WhereDocument",
    "__version__",
    "api",
    "config",
    "embedding_functions",
    "errors",
    "filters",
    "plugins",
    "restore",
    "utils",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
