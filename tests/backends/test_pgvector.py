"""The pgvector backend keeps the contract, on a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.postgres import needs_postgres, options

from chroma_plugin.backend import Backend
from chroma_plugin.plugins import default_manager, open_backend
from chroma_plugin.testing import BackendConformance


@needs_postgres
class TestPgvector(BackendConformance):
    """The whole contract, with an index of pgvector over larger collections. A place of the kit is a schema."""

    backend = "pgvector"
    persistent = True
    ranks_exactly = False
    min_recall = 0.8
    index_size = 2000
    examples = 8

    @property
    def options(self) -> dict[str, Any]:  # type: ignore[override]  # known when the server has started
        return options("opened by its name")

    def open_backend(self, place: Path) -> Backend:
        return open_backend(default_manager().backend("pgvector"), options(place, index_from=1000))
