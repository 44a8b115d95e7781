"""The installed command, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import chroma_plugin

SCRIPT = Path(sysconfig.get_path("scripts")) / "chroma-plugin"


def start(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed with its scripts")
def test_the_script_runs() -> None:
    """``chroma-plugin --version`` prints the version alone."""
    done = start([str(SCRIPT), "--version"])
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, chroma_plugin.__version__, "")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed with its scripts")
def test_a_pipe_gets_plain_text(store: Path) -> None:
    """No colour codes where the output is no terminal, and an error is one line on standard error."""
    done = start([str(SCRIPT), "info", str(store)])
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    failed = start([str(SCRIPT), "info", str(store / "missing")])
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert len(failed.stderr.splitlines()) == 1
    assert "\x1b" not in failed.stderr


def test_colour_can_be_forced_and_refused(store: Path) -> None:
    """``FORCE_COLOR`` colours, ``NO_COLOR`` wins over it."""
    command = [sys.executable, "-c", "from chroma_plugin.cli import main; main()", "doctor"]
    assert "\x1b[32m" in start(command, FORCE_COLOR="1").stdout
    assert "\x1b[32m" not in start(command, FORCE_COLOR="1", NO_COLOR="1").stdout


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra(missing: str) -> None:
    """Without Typer or rich: the line that installs them, exit code 2, no traceback."""
    code = f"import sys; sys.modules[{missing!r}] = None; from chroma_plugin.cli import main; main()"
    done = start([sys.executable, "-c", code])
    assert done.returncode == 2
    assert "pip install 'chroma-plugin[cli]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_importing_the_package_imports_no_command_line() -> None:
    """``import chroma_plugin.cli`` loads neither Typer nor rich."""
    done = start([sys.executable, "-c", "import chroma_plugin.cli, sys; print({'typer', 'rich'} & set(sys.modules))"])
    assert done.stdout.strip() == "set()"
