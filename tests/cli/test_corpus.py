"""The corpus: real docstrings of this Python's standard library, found without importing anything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from chroma_plugin.cli.corpus import LONGEST, SHORTEST, Entry, collect


@pytest.fixture(scope="module")
def collected() -> Sequence[Entry]:
    """All there is; collecting it takes seconds."""
    return tuple(collect())


def test_the_standard_library_has_thousands_of_entries(collected: Sequence[Entry]) -> None:
    """Several thousand, with unique names, and the best known ones among them."""
    entries = {entry.id: entry for entry in collected}
    assert len(entries) == len(collected)
    assert 3_000 < len(entries) < 10_000
    expected = {
        "zipfile:ZipFile": "class",
        "argparse": "module",
        "json:loads": "function",
        "pathlib:Path.glob": "method",
    }
    assert {id: entries[id].kind for id in expected} == expected


def test_texts_are_short_and_public(collected: Sequence[Entry]) -> None:
    """Each is cut to be embedded quickly, long enough to say something, and of no private name."""
    for entry in collected:
        assert entry.length >= SHORTEST
        assert len(entry.text.split("\n", 1)[1]) <= LONGEST + 2
        assert not any(part.startswith("_") for part in entry.id.replace(":", ".").split("."))


def test_nothing_is_imported() -> None:
    """Collecting imports none of the modules it reads: ``this`` and ``antigravity`` stay unloaded."""
    code = (
        "import sys; from chroma_plugin.cli.corpus import collect; list(collect());"
        "print(sorted({'this', 'antigravity', 'turtle', 'tkinter'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


LONG = "A docstring that is long enough to be kept."


def test_what_an_entry_holds(tmp_path: Path) -> None:
    """Name with signature, docstring, module, package, kind and length."""
    source = (
        f'"""{LONG}"""\nclass Zip:\n    """{LONG}"""\n    def read(self, name, *, pwd=None):\n        """{LONG}"""\n'
    )
    write(tmp_path, "pack/sub.py", source)
    module, cls, method = collect(tmp_path)
    assert [module.id, cls.id, method.id] == ["pack.sub", "pack.sub:Zip", "pack.sub:Zip.read"]
    assert method.text == f"pack.sub.Zip.read(name, pwd)\n{LONG}"
    assert method.metadata == {"module": "pack.sub", "package": "pack", "kind": "method", "length": len(LONG)}


def test_what_is_left_out(tmp_path: Path) -> None:
    """Tests, private names, short docstrings and files that are no Python."""
    write(tmp_path, "test/case.py", f'"""{LONG}"""')
    write(tmp_path, "_private.py", f'"""{LONG}"""')
    write(tmp_path, "short.py", '"""Short."""')
    write(tmp_path, "broken.py", f'"""{LONG}"""\ndef (')
    write(tmp_path, "nul.py", "\x00")
    write(tmp_path, "package/__init__.py", f'"""{LONG}"""\ndef _hidden():\n    """{LONG}"""\n')
    assert [entry.id for entry in collect(tmp_path)] == ["package"]


def test_a_name_defined_twice_is_one_entry(tmp_path: Path) -> None:
    """Ids are unique: the first definition with a docstring counts."""
    write(tmp_path, "twice.py", f'def f(a):\n    """{LONG} 1"""\ndef f(b):\n    """{LONG} 2"""\n')
    assert [entry.text for entry in collect(tmp_path)] == [f"twice.f(a)\n{LONG} 1"]
