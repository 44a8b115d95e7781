"""``chroma-plugin copy``: from one place to another, named in one word."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.chromadb_answers import files
from support.server import running_server
from typer.testing import Result

import chroma_plugin

Run = Callable[..., Result]
GOLDEN = Path(__file__).parents[1] / "golden"


def counts(path: Path) -> dict[str, int]:
    with chroma_plugin.PersistentClient(path) as client:
        return {collection.name: collection.count() for collection in client.list_collections()}


def test_from_directory_to_directory(run: Run, store: Path, tmp_path: Path) -> None:
    """The report names every collection; a second run has nothing to write."""
    result = run("copy", store, tmp_path / "copy")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["pets", "20", "20", "bit", "for", "bit"] in [line[:6] for line in lines]
    assert counts(tmp_path / "copy") == {"pets": 20, "empty": 0}
    again = run("copy", store, tmp_path / "copy")
    assert ["pets", "20", "0"] in [line.split()[:3] for line in again.stdout.splitlines()]


def test_through_a_server(run: Run, store: Path, tmp_path: Path) -> None:
    """Both ways, by its URL; options of a backend are given by name."""
    with running_server() as server:
        assert run("copy", store, server.url, "--to-option", "timeout=30").exit_code == 0
        result = run("copy", server.url, tmp_path / "copy", "-c", "pets")
    assert result.exit_code == 0, result.output
    assert counts(tmp_path / "copy") == {"pets": 20}


@pytest.mark.parametrize(("name", "collections"), [("chroma-0.3.29", 3), ("chroma-1.5.9", 7)])
def test_from_what_chroma_wrote(run: Run, tmp_path: Path, name: str, collections: int) -> None:
    """Any release: all tenants and databases; what was there is left as it was."""
    theirs = shutil.copytree(GOLDEN / name, tmp_path / "theirs")
    before = files(theirs)
    result = run("copy", theirs, f"duckdb+{tmp_path / 'copy'}")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("bit for bit") == collections
    assert {path: content for path, content in files(theirs).items() if path in before} == before


def test_one_database(run: Run, tmp_path: Path) -> None:
    """``--tenant`` and ``--database`` choose, and are made in the target."""
    place = ("--tenant", "other-tenant", "--database", "other-database")
    result = run("copy", GOLDEN / "chroma-1.5.9", tmp_path / "copy", *place)
    assert result.exit_code == 0, result.output
    assert "other-tenant/other-database/filed-l2" in result.stdout
    assert counts(tmp_path / "copy") == {}
    with chroma_plugin.PersistentClient(tmp_path / "copy", tenant=place[1], database=place[3]) as client:
        assert client.get_collection("filed-l2").get()["ids"] == ["elsewhere"]


def test_taken_names(run: Run, store: Path, tmp_path: Path) -> None:
    """By default nothing of somebody else's is touched."""
    with chroma_plugin.PersistentClient(tmp_path / "copy") as client:
        other = client.create_collection("pets", embedding_function=None)
        other.add(ids=["mine"], embeddings=[[1.0, 2.0, 3.0]])
    refused = run("copy", store, tmp_path / "copy")
    assert refused.exit_code == 1
    assert "'pets' already" in refused.stderr
    assert counts(tmp_path / "copy") == {"pets": 1}
    skipped = run("copy", store, tmp_path / "copy", "--on-conflict", "skip")
    assert "Skipped: pets" in skipped.stdout
    assert counts(tmp_path / "copy") == {"pets": 1, "empty": 0}
    assert run("copy", store, tmp_path / "copy", "--on-conflict", "merge").exit_code == 0
    assert counts(tmp_path / "copy") == {"pets": 21, "empty": 0}


@pytest.mark.parametrize(
    ("source", "target", "options", "said"),
    [
        ("{tmp}/missing", "memory", [], "no database in"),
        ("{store}", "nothing://x", [], "No backend is named 'nothing'"),
        ("{store}", "{store}", [], "are the same"),
        ("{store}", "memory+x", [], "no option that says where"),
        ("{store}", "memory", ["--to-option", "x"], "takes name=value"),
        ("{store}", "memory", ["--to-option", "x=1"], "has no option 'x'"),
        ("{store}", "http://127.0.0.1:9", [], "127.0.0.1:9"),
        ("{store}", "memory", ["-c", "none"], "No such collection"),
    ],
)
def test_what_can_not_be(
    run: Run, store: Path, tmp_path: Path, source: str, target: str, options: list[str], said: str
) -> None:
    """One line that says what was wrong; nothing is made."""
    names = {"tmp": tmp_path, "store": store}
    before = sorted(tmp_path.iterdir())
    result = run("copy", source.format(**names), target.format(**names), *options)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before
