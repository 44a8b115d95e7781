"""Opens the places of `inputs.places`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from inputs.places import Place
from support.server import RunningServer, running_server


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The place of that name."""
    engine = request.param.removesuffix("-async")
    settings = {"chroma_db_impl": engine}
    if engine == "duckdb":
        settings["persist_directory"] = tmp_path / "store"
    if engine == "rest":
        host, port = request.getfixturevalue("server")
        settings = {"chroma_api_impl": "rest", "chroma_server_host": host, "chroma_server_http_port": port}
    place = Place(request.param, settings)
    yield place
    place.close()
