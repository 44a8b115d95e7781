"""Who follows the tutorial step by step, from an empty folder, gets the example, and it works."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chroma_plugin.cli.app import app

BLOCK = re.compile(r"(?:^`(?P<file>[\w./]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One block of the tutorial: a file to write, a program to run, or commands."""

    file: str | None
    language: str
    text: str


@pytest.fixture(scope="module")
def steps(example: Path) -> list[Step]:
    """The blocks, in their order."""
    text = (example / "README.md").read_text(encoding="utf-8")
    return [Step(found["file"], found["language"], found["text"]) for found in BLOCK.finditer(text)]


def follow(steps: list[Step], parent: Path) -> Path:
    """Make the package and write the files of these steps; a later block replaces an earlier one."""
    done = CliRunner().invoke(app, ["new-backend", "sqlite-example", "--into", str(parent)])
    assert done.exit_code == 0, done.output
    folder = parent / "chroma-plugin-sqlite-example"
    for step in steps:
        if step.file:
            (folder / step.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / step.file).write_text(step.text, encoding="utf-8")
    return folder


def test_following_it_gives_the_example(steps: list[Step], example: Path, tmp_path: Path) -> None:
    """Every file of the example comes from a block of the tutorial, to the letter."""
    folder = follow(steps, tmp_path)
    files = sorted(path.relative_to(example) for pattern in ("*.toml", "**/*.py") for path in example.glob(pattern))
    assert sorted(path.relative_to(folder) for path in folder.rglob("*.*") if path.name != "README.md") == files
    for file in files:
        assert (folder / file).read_text(encoding="utf-8") == (example / file).read_text(encoding="utf-8")


def test_the_first_version_works_and_keeps_the_contract(
    steps: list[Step], install: Callable[[Path], Path], run_python: Callable[..., str], tmp_path: Path
) -> None:
    """Up to the step "Run the kit": install it, run the program, run the kit."""
    program = next(place for place, step in enumerate(steps) if step.language == "python" and step.file is None)
    site = install(follow(steps[:program], tmp_path))
    run_python(site, "-c", steps[program].text, cwd=tmp_path)
    assert (tmp_path / "data" / "records.sqlite3").exists()
    output = run_python(site, "-m", "chroma_plugin.testing", "sqlite", "-q", "--hypothesis-profile=ci", cwd=tmp_path)
    assert "'sqlite' keeps the contract" in output


def test_its_commands_are_the_ones_that_were_run(steps: list[Step]) -> None:
    """The console blocks hold nothing but what these tests do, and what `test_new_backend` does."""
    commands = [line for step in steps if step.language == "console" for line in step.text.splitlines()]
    assert commands == [
        'pip install "chroma-plugin[cli,text]"',
        "chroma-plugin new-backend sqlite-example",
        "cd chroma-plugin-sqlite-example",
        'pip install -e ".[test]"',
        "python -m chroma_plugin.testing sqlite-example",
        'pip install -e ".[test]"',
        "python -m chroma_plugin.testing sqlite",
    ]
