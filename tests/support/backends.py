"""Which backends the tests of integrations run on: the usual ones, or those that the environment names.

    CHROMA_PLUGIN_TEST_BACKENDS="milvus" pytest tests/integrations

Milvus Lite is in an environment of its own (.ci/run), so it is not among the usual ones.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from support import postgres

BACKENDS: Final = tuple(os.environ.get("CHROMA_PLUGIN_TEST_BACKENDS", "memory duckdb rest pgvector").split())


def settings(backend: str, directory: Path) -> dict[str, Any]:
    """Of a client of this backend that needs no server of ours; the one on files uses the directory."""
    if backend == "duckdb":
        return {"chroma_db_impl": "duckdb", "persist_directory": directory / "store"}
    if backend == "pgvector":
        return postgres.settings()
    if backend == "milvus":
        return {"chroma_db_impl": "milvus", "uri": str(directory / "milvus.db")}
    return {"chroma_db_impl": backend}
