"""The example plug-in, installed by pip as any third party's, next to the environment and not into it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "third_party_plugin"


@pytest.fixture(scope="session")
def example() -> Path:
    """The folder of the example plug-in."""
    return EXAMPLE


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Installs a project with pip into a folder of its own, which has to be put on PYTHONPATH."""

    def install(project: Path) -> Path:
        target = tmp_path_factory.mktemp("site")
        # Without the network: the build backend and chroma-plugin itself are there already.
        options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
        run([sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(project)])
        return target

    return install


@pytest.fixture(scope="session")
def run_python() -> Callable[..., str]:
    """Runs Python in a new process that sees the plug-in installed in this folder, and gives what it printed."""

    def run_python(site: Path, *arguments: str, cwd: Path) -> str:
        return run([sys.executable, *arguments], cwd=cwd, PYTHONPATH=str(site))

    return run_python


def run(command: Sequence[str], cwd: Path | None = None, **environment: str) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
