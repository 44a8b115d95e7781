"""What users hold: clients, collections, their async twins, and what these print and warn.

The import paths of chromadb's own modules are here too, for code that names them:
``from chroma_plugin.api.types import ...``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from chroma_plugin.api.admin import TenantsAndDatabases as AdminAPI
    from chroma_plugin.api.async_client import AsyncClient as AsyncClientAPI
    from chroma_plugin.api.client import Client as ClientAPI

_HOMES: Final = {
    "AdminAPI": ("admin", "TenantsAndDatabases"),
    "AsyncClientAPI": ("async_client", "AsyncClient"),
    "ClientAPI": ("client", "Client"),
}

__all__ = ["AdminAPI", "AsyncClientAPI", "ClientAPI"]


def __getattr__(name: str) -> Any:
    # Lazily: whoever wants a Client does not pay for asyncio.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
