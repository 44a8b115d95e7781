"""The rest backend keeps the contract against a server of ours."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from support.server import RunningServer, start_server

from chroma_plugin.backend import Backend
from chroma_plugin.plugins import default_manager, open_backend
from chroma_plugin.testing import BackendConformance


@cache
def _server() -> RunningServer:
    """One server in memory for all tests of this process."""
    return start_server(allow_reset=True)


_processes: set[int] = set()
"""Of the servers that were opened, those too which a killed process of the kit has left behind."""


@pytest.fixture(scope="module", autouse=True)
def end_of_the_servers() -> Iterator[None]:
    yield
    for process in _processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)


class TestRest(BackendConformance):
    """The whole contract over HTTP. A place of the kit is a file that says where the server is; the server is emptied
    when a place is opened for the first time.
    """

    persistent = True
    examples = 15

    def open_backend(self, place: Path) -> Backend:
        is_new = not place.exists()
        if is_new:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"{_server().port} {_server().process.pid}")
        port, process = place.read_text().split()
        _processes.add(int(process))
        options = {"chroma_server_host": "127.0.0.1", "chroma_server_http_port": port}
        backend = open_backend(default_manager().backend("rest"), options)
        if is_new:
            backend.reset()
        return backend
