"""The demo: real text, indexed once, then opened again."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from typer.testing import Result

import chroma_plugin
from chroma_plugin.cli.corpus import collect

Run = Callable[..., Result]
HASHING = ("--embedding", "hashing")


def test_the_first_run_indexes_and_answers(run: Run, tmp_path: Path) -> None:
    """The entries are in the store with their metadata, and each question has a table of answers."""
    result = run("demo", "--path", tmp_path / "demo", "--limit", 60, *HASHING)
    assert result.exit_code == 0, result.output
    assert "Indexed 60 records" in result.output
    assert "parse command line arguments" in result.output
    assert "where={'kind': 'class'}" in result.output
    with chroma_plugin.PersistentClient(tmp_path / "demo") as client:
        collection = client.get_collection("standard-library")
        first = next(iter(collect()))
        found = collection.get(ids=[first.id])
    assert found["documents"] == [first.text]
    assert found["metadatas"] == [first.metadata]


def test_the_second_run_reopens(run: Run, tmp_path: Path) -> None:
    """Nothing is indexed again, and the answers are the same."""
    arguments = ("demo", "--path", tmp_path / "demo", "--limit", 60, *HASHING)
    first, second = run(*arguments), run(*arguments)
    assert "Reopened 60 records in" in second.output
    assert "Indexed" not in second.output
    assert _untimed(second.stdout).split("\n", 1)[1] == _untimed(first.stdout).split("\n", 2)[2]


def _untimed(output: str) -> str:
    return re.sub(r"answered in [\d.]+ ms", "answered", output)


def test_an_interrupted_run_goes_on(run: Run, tmp_path: Path) -> None:
    """What is indexed is kept, only the rest is added."""
    arguments = ("demo", "--path", tmp_path / "demo", *HASHING, "--limit")
    run(*arguments, 20)
    with chroma_plugin.PersistentClient(tmp_path / "demo") as client:
        collection = client.get_collection("standard-library")
        collection.update(ids=collection.peek(1)["ids"], documents="kept\nas it is")
        collection.modify(metadata={"corpus": "interrupted"})
    assert "Indexed 60 records" in run(*arguments, 60).output
    with chroma_plugin.PersistentClient(tmp_path / "demo") as client:
        assert client.get_collection("standard-library").get(where_document={"$contains": "kept\nas it is"})["ids"]


def test_a_rebuild_starts_again(run: Run, tmp_path: Path) -> None:
    """``--rebuild`` indexes from the start."""
    arguments = ("demo", "--path", tmp_path / "demo", *HASHING, "--limit")
    run(*arguments, 60)
    assert "Indexed 20 records" in run(*arguments, 20, "--rebuild").output


def test_ones_own_question(run: Run, tmp_path: Path) -> None:
    """A question on the command line is asked in place of ours; the nearest entry stands first."""
    entry = next(islice(collect(), 10, None))
    result = run("demo", entry.text, "--path", tmp_path / "demo", "--limit", 60, "-n", 1, *HASHING)
    assert result.exit_code == 0, result.output
    assert "0.000" in result.output
    assert entry.id.replace(":", ".") in result.output
    assert "parse command line arguments" not in result.output


def test_the_store_is_in_the_cache_by_default(run: Run, tmp_path: Path) -> None:
    """Without ``--path`` it is under ``$CHROMA_PLUGIN_CACHE_DIR``."""
    assert run("demo", "x", "--limit", 5, *HASHING).exit_code == 0
    assert [path.name.startswith("demo-hashing") for path in (tmp_path / "cache").iterdir()] == [True]


def test_another_embedding_in_the_same_place_is_refused(run: Run, tmp_path: Path) -> None:
    """A store of one embedding function is not filled with another's vectors: one clean line, exit code 1."""
    run("demo", "x", "--path", tmp_path / "demo", "--limit", 5, *HASHING)
    result = run("demo", "x", "--path", tmp_path / "demo", "--limit", 5)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Collection 'standard-library' was made with")


@pytest.mark.slow
def test_answers_make_sense(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the default embedding function the whole library is indexed, and questions find what they mean."""
    from chroma_plugin.embedding_functions.minilm import weights

    monkeypatch.delenv("CHROMA_PLUGIN_CACHE_DIR")
    if not weights.status()["available"]:
        pytest.skip("the weights of the default embedding function are not on this machine")
    zipped = run("demo", "read a zip file", "--path", tmp_path / "demo", "-n", 5)
    assert zipped.exit_code == 0, zipped.output
    assert "zipfile" in zipped.output
    arguments = run("demo", "parse command line arguments", "--path", tmp_path / "demo", "-n", 5)
    assert "Reopened" in arguments.output
    assert any(module in arguments.output for module in ("argparse", "optparse", "getopt"))
