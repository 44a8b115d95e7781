"""A backend that somebody else packaged is found by its entry point, works, and keeps the contract."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

USE = """
import sys
from chroma_plugin import Client, Settings

with Client(Settings(chroma_db_impl="sqlite", persist_directory=sys.argv[1])) as client:
    collection = client.get_or_create_collection("things", embedding_function=None)
    collection.add(ids=[sys.argv[2]], embeddings=[[1.0, 2.0]], metadatas=[{"n": 2**53 + 1}])
    print(collection.get(where={"n": {"$gt": 2**53}})["ids"], client.info()["backend"])
"""


@pytest.fixture(scope="session")
def site(example: Path, install: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the installed example; built from a copy, so that nothing is left beside the sources."""
    copy = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(example, copy, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    return install(copy)


def test_it_is_found_by_its_entry_point(site: Path, run_python: Callable[..., str], tmp_path: Path) -> None:
    """Its name is known as soon as it is installed, with the distribution that it came from."""
    listed = run_python(site, "-c", "import chroma_plugin.plugins as p; print(p.report())", cwd=tmp_path)
    [line] = [line for line in listed.splitlines() if "sqlite" in line]
    assert "chroma-plugin-sqlite-example" in line


def test_settings_open_it_and_it_keeps_its_data(site: Path, run_python: Callable[..., str], tmp_path: Path) -> None:
    """``Settings(chroma_db_impl="sqlite", persist_directory=...)``, in two processes one after the other."""
    place = str(tmp_path / "data")
    assert run_python(site, "-c", USE, place, "a", cwd=tmp_path) == "['a'] sqlite\n"
    assert run_python(site, "-c", USE, place, "b", cwd=tmp_path) == "['a', 'b'] sqlite\n"


def test_an_option_it_does_not_have_is_refused(site: Path, run_python: Callable[..., str], tmp_path: Path) -> None:
    """With the nearest name, as for our own backends."""
    wrong = """
from chroma_plugin import Client, Settings
try:
    Client(Settings(chroma_db_impl="sqlite", persist_directry="x"))
except ValueError as error:
    print(error)
"""
    assert "persist_directory" in run_python(site, "-c", wrong, cwd=tmp_path)


def test_it_keeps_the_contract(site: Path, run_python: Callable[..., str], tmp_path: Path) -> None:
    """The conformance kit, run for it by name."""
    fixed = ["-q", "--hypothesis-profile=ci"]
    output = run_python(site, "-m", "chroma_plugin.testing", "sqlite", *fixed, cwd=tmp_path)
    summary = re.search(r"'sqlite' keeps the contract: (\d+) passed, 0 failed", output)
    assert summary, output[-3000:]
    assert int(summary[1]) > 140, output[-3000:]


def test_its_own_test_module_passes(site: Path, example: Path, run_python: Callable[..., str], tmp_path: Path) -> None:
    """The three lines that an author writes are collected: two tests of them, run as he would."""
    shutil.copy(example / "tests" / "test_conformance.py", tmp_path)
    output = run_python(site, "-m", "pytest", "-q", "-k", "reopening or crash", cwd=tmp_path)
    assert re.search(r"\b2 passed", output), output
