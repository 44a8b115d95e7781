"""The command line, run in this process, and a small store to run it on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import chroma_plugin
from chroma_plugin.cli.app import app

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the user's: an own cache, and a width that does not depend on the terminal."""
    monkeypatch.setenv("CHROMA_PLUGIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run() -> Run:
    """``run("info", path)`` gives the result of that command."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store on disk with two collections."""
    path = tmp_path / "store"
    with chroma_plugin.PersistentClient(path) as client:
        pets: Any = client.create_collection("pets", metadata={"hnsw:space": "cosine"}, embedding_function=None)
        pets.add(
            ids=[f"id-{row}" for row in range(20)],
            embeddings=[[row, 1.0, 2.0] for row in range(20)],
            documents=["[red]not markup[/red]"] * 20,
            metadatas=[{"row": row} for row in range(20)],
        )
        client.create_collection("empty", embedding_function=None)
    return path
