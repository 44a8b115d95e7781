"""Clients of the places that adapters are tried on: memory, a file, a server of ours, and a PostgreSQL."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from support import postgres
from support.server import HOST, RunningServer, start_server

import chroma_plugin as chromadb

PLACES: Final = ("memory", "duckdb", "rest")


def open_place(name: str, directory: Path) -> chromadb.Client:
    """A client of an empty database. Those of the server and of PostgreSQL are emptied: use one at a time."""
    if name == "memory":
        return chromadb.Client()
    if name == "duckdb":
        return chromadb.PersistentClient(directory / "store")
    if name == "pgvector":
        client = chromadb.Client(chroma_db_impl="pgvector", **postgres.options("a place to try adapters on"))
    else:
        client = chromadb.HttpClient(HOST, _server().port)
    client.reset()
    return client


@cache
def _server() -> RunningServer:
    """One server in memory for all tests of this process."""
    return start_server(allow_reset=True)
