"""Other people's clients and tools, unchanged, against a server of ours.

They run when asked for (``pytest -m peers``, or CHROMA_PLUGIN_PEERS=1). Their packages are installed once into
pytest's cache folder; CHROMA_PLUGIN_PEER_PYTHON names an interpreter that has those of requirements.txt already.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from support.peers import INSTALL_SECONDS, Address, chroma_run, kept_folder, run
from support.server import running_server

HERE: Final = Path(__file__).parent
SCRIPTS: Final = HERE / "scripts"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Everything in this folder is left out unless it is asked for."""
    asked = os.environ.get("CHROMA_PLUGIN_PEERS") == "1" or "peers" in config.option.markexpr
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.peers)
            item.add_marker(pytest.mark.timeout(INSTALL_SECONDS + 300))
            if not asked:
                item.add_marker(pytest.mark.skip("other people's clients: ask with -m peers or CHROMA_PLUGIN_PEERS=1"))


@pytest.fixture(scope="session")
def kept(pytestconfig: pytest.Config) -> Path:
    """Where installed packages stay from one run to the next."""
    assert pytestconfig.cache is not None
    return pytestconfig.cache.mkdir("peers")


@pytest.fixture(scope="session")
def peer_python(kept: Path) -> Path:
    """An interpreter that has what requirements.txt names, and not this package."""
    given = os.environ.get("CHROMA_PLUGIN_PEER_PYTHON")
    if given:
        return Path(given)
    requirements = HERE / "requirements.txt"
    with kept_folder(kept, "python", requirements) as (folder, needed):
        python = folder / "bin" / "python"
        if needed:
            run([sys.executable, "-m", "venv", folder])
            run([python, "-m", "pip", "install", "--quiet", "-r", requirements])
    return python


@pytest.fixture(scope="session")
def peer_node(kept: Path) -> Path:
    """A folder with the scripts for node and the packages that they import."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no node.js here")
    with kept_folder(kept, "node", SCRIPTS / "package.json") as (folder, needed):
        if needed:
            shutil.copy(SCRIPTS / "package.json", folder)
            run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder])
        for script in SCRIPTS.glob("*.mjs"):
            shutil.copy(script, folder)
    return folder


@pytest.fixture(scope="session")
def ask(peer_python: Path, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Run a script, of Python or of node, against an address and read the JSON that it prints."""

    def ask(script: str, address: Address, *arguments: str) -> Any:
        if script.endswith(".mjs"):
            program = ["node", request.getfixturevalue("peer_node") / script]
        else:
            program = [peer_python, SCRIPTS / script]
        return json.loads(run([*program, *map(str, address), *arguments], seconds=240))

    return ask


@pytest.fixture(scope="session")
def both(ask: Callable[..., Any], peer_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Run a script against a new server of ours and against a new ``chroma run``: the two answers, ours first."""

    def both(script: str, *arguments: str) -> tuple[Any, Any]:
        directory = tmp_path_factory.mktemp("servers")
        with running_server(directory / "ours") as server:
            ours = ask(script, (server.host, server.port), *arguments)
        with chroma_run(peer_python, directory) as address:
            theirs = ask(script, address, *arguments)
        return ours, theirs

    return both
