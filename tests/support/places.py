"""Clients of the places that adapters are tried on: memory, a file, and a server of ours."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from support.server import HOST, RunningServer, start_server

import chroma_plugin as chromadb

PLACES: Final = ("memory", "duckdb", "rest")


def open_place(name: str, directory: Path) -> chromadb.Client:
    """A client of an empty database. The one of the server is emptied: use one at a time."""
    if name == "memory":
        return chromadb.Client()
    if name == "duckdb":
        return chromadb.PersistentClient(directory / "store")
    client = chromadb.HttpClient(HOST, _server().port)
    client.reset()
    return client


@cache
def _server() -> RunningServer:
    """One server in memory for all tests of this process."""
    return start_server(allow_reset=True)
