"""Collections that go while something works on them in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chroma_plugin_duckdb.catalog import DuckDBCatalog
from support.vectors import clustered

import chroma_plugin as chromadb
from chroma_plugin.errors import StorageError
from chroma_plugin.toolkit import settling, upkeep

ROWS = clustered(500)


@pytest.fixture
def settling_begun(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when vectors have been put into their file and the journal is about to let go of them, a moment later."""
    begun, let_go = threading.Event(), settling.let_go

    def slowly(*arguments: Any) -> None:
        begun.set()
        threading.Event().wait(0.3)
        let_go(*arguments)

    monkeypatch.setattr(settling, "SETTLE_FROM", 1_000)
    monkeypatch.setattr(upkeep, "_QUIET", 0.0)
    monkeypatch.setattr(settling, "let_go", slowly)
    return begun


def filled(client: chromadb.Client) -> chromadb.Collection:
    made = client.create_collection("things", embedding_function=None)
    made.add(ids=[f"r{n}" for n in range(len(ROWS))], embeddings=ROWS)
    return made


@pytest.mark.parametrize(
    "drop",
    [
        lambda client: client.delete_collection("things"),
        lambda client: client.delete_database("default_database"),
        lambda client: client.reset(),
    ],
)
def test_dropped_while_it_settles(
    tmp_path: Path,
    settling_begun: threading.Event,
    caplog: pytest.LogCaptureFixture,
    drop: Callable[[chromadb.Client], object],
) -> None:
    """What works in the background comes to its end first: it finds its table, and leaves no files behind."""
    with chromadb.PersistentClient(tmp_path) as client:
        filled(client)
        assert settling_begun.wait(30)
        drop(client)
        client._session.backend._background.wait()
        assert [record.message for record in caplog.records] == []
        assert list((tmp_path / "vectors").iterdir()) == []


def test_a_drop_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collection stays, and goes on being looked after."""
    monkeypatch.setattr(settling, "SETTLE_FROM", 1_000)
    with chromadb.PersistentClient(tmp_path) as client:
        things = filled(client)
        with monkeypatch.context() as broken:
            broken.setattr(DuckDBCatalog, "_drop", fail)
            with pytest.raises(StorageError, match="no room"):
                client.delete_collection("things")
        assert things.count() == len(ROWS)
        things.delete(ids=[f"r{n}" for n in range(100)])
        client.compact()
        assert things.count() == len(ROWS) - 100
        assert client.get_collection("things").info()["store"]["unindexed"] == len(ROWS) - 100


def fail(*arguments: Any) -> None:
    raise StorageError("no room")
