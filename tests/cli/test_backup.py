"""``chroma-plugin backup`` and ``chroma-plugin restore``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.server import running_server
from typer.testing import Result

import chroma_plugin

Run = Callable[..., Result]


def counts(path: Path) -> dict[str, int]:
    with chroma_plugin.PersistentClient(path) as client:
        return {collection.name: collection.count() for collection in client.list_collections()}


def test_there_and_back(run: Run, store: Path, tmp_path: Path) -> None:
    """Both say what was copied; a second run writes over nothing."""
    for command in (("backup", store, tmp_path / "backup"), ("restore", tmp_path / "backup", tmp_path / "back")):
        result = run(*command)
        assert result.exit_code == 0, result.output
        assert ["pets", "20"] in [line.split() for line in result.stdout.splitlines()]
        assert "20 records" in result.stdout
        assert "verified" in result.stdout
        again = run(*command)
        assert (again.exit_code, "exists already" in again.stderr) == (1, True)
    assert counts(tmp_path / "back") == counts(store) == {"pets": 20, "empty": 0}


def test_from_a_server(run: Run, store: Path, tmp_path: Path) -> None:
    """What the server lets this client see is written here; the server's own disk is not touched."""
    with running_server() as server:
        assert run("copy", store, server.url).exit_code == 0
        result = run("backup", server.url, tmp_path / "backup", "--option", "timeout=30")
    assert result.exit_code == 0, result.output
    assert counts(tmp_path / "backup") == {"pets": 20, "empty": 0}


def test_where_there_is_nothing(run: Run, tmp_path: Path) -> None:
    """One clean line, and nothing is made."""
    for command in ("backup", "restore"):
        result = run(command, tmp_path / "nothing", tmp_path / "target")
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "cache"])


def test_a_store_that_is_open_elsewhere(run: Run, store: Path, tmp_path: Path) -> None:
    """In this process it is shared when it is open for reading; one open for writing is refused."""
    with chroma_plugin.PersistentClient(store, read_only=True):
        assert run("backup", store, tmp_path / "backup").exit_code == 0
    with chroma_plugin.PersistentClient(store):
        assert run("backup", store, tmp_path / "other").exit_code == 1
    assert not (tmp_path / "other").exists()
