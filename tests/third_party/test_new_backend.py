"""``chroma-plugin new-backend`` writes a package that installs, works, and keeps the contract."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chroma_plugin.cli.app import app

FIRST = "collection or put or insert or delete or tenant or reopening or crash or written or metadata"


def new_backend(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["new-backend", *map(str, arguments)])


def test_what_it_writes_keeps_the_contract(
    install: Callable[[Path], Path], run_python: Callable[..., str], tmp_path: Path
) -> None:
    """Installed and run as its README says; what is left to do is what was skipped."""
    made = new_backend("my-engine", "--into", tmp_path)
    assert made.exit_code == 0, made.output
    project = tmp_path / "chroma-plugin-my-engine"
    site = install(project)
    [program] = re.findall(r"^```python\n(.*?)^```$", (project / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    run_python(site, "-c", program, cwd=tmp_path)
    # The kit's first tests; all of them take half a minute and are run on our own engines.
    fixed = ("-q", "--hypothesis-profile=ci", "-k", FIRST)
    output = run_python(site, "-m", "chroma_plugin.testing", "my-engine", *fixed, cwd=tmp_path)
    summary = re.search(r"keeps the contract: (\d+) passed, 0 failed, (\d+) skipped", output)
    assert summary, output[-3000:]
    assert int(summary[1]) > 20
    assert "this backend is not persistent" in output
    own = run_python(site, "-m", "pytest", "-q", "-k", "two_collections or names", str(project / "tests"), cwd=tmp_path)
    assert re.search(r"\b[1-9]\d* passed", own), own


@pytest.mark.parametrize(
    "name",
    ["", "../up", "a/b", "A", "1a", "a_b", "a--b", "-a", "a-", "a b", "a.b", "a\n", "é", "x" * 41, "a$b", "{a}"],
)
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    """With what a name is; nothing is written."""
    result = new_backend("--into", tmp_path, "--", name)
    assert result.exit_code == 1
    assert "begins with a letter" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    """By a backend, also by one of its other names; or by a folder that is there."""
    for name in ("duckdb", "ephemeral"):
        assert "already" in new_backend(name, "--into", tmp_path).stderr
    assert list(tmp_path.iterdir()) == []
    assert new_backend("mine", "--into", tmp_path / "deep" / "er").exit_code == 0
    before = (tmp_path / "deep" / "er" / "chroma-plugin-mine" / "README.md").stat()
    assert "there already" in new_backend("mine", "--into", tmp_path / "deep" / "er").stderr
    assert (tmp_path / "deep" / "er" / "chroma-plugin-mine" / "README.md").stat() == before
