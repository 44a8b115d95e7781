"""Stores over a new collection of every backend that the adapter is tried on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from support.backends import BACKENDS, settings
from support.server import RunningServer, running_server

import chroma_plugin as chromadb

if TYPE_CHECKING:
    from chroma_plugin_llamaindex import ChromaPluginVectorStore

# Without the extra there is nothing to test.
collect_ignore_glob = [] if find_spec("llama_index") else ["test_*.py"]


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """One server in memory for all tests of this folder; each test has a collection of its own."""
    with running_server() as running:
        yield running


@pytest.fixture(scope="session")
def opened(request: pytest.FixtureRequest) -> Callable[[str, Path], Any]:
    """A context manager: a client of that backend; a directory for the one on files."""

    @contextmanager
    def opened(backend: str, directory: Path) -> Iterator[chromadb.Client]:
        if backend == "rest":
            running = request.getfixturevalue("server")
            client = chromadb.HttpClient(running.host, running.port)
        else:
            client = chromadb.Client(**settings(backend, directory))
        with client:
            yield client

    return opened


@pytest.fixture(params=BACKENDS)
def client(request: pytest.FixtureRequest, opened: Callable[[str, Path], Any], tmp_path: Path) -> Iterator[Any]:
    with opened(request.param, tmp_path) as client:
        yield client


@pytest.fixture
def new_store(client: chromadb.Client) -> Callable[..., ChromaPluginVectorStore]:
    """Makes a store over a new collection; keyword arguments are those of the store, ``space`` is the collection's."""
    from chroma_plugin_llamaindex import ChromaPluginVectorStore

    def new_store(space: str = "cosine", **kwargs: Any) -> ChromaPluginVectorStore:
        collection = client.create_collection(
            f"nodes-{uuid4().hex}", embedding_function=None, configuration={"hnsw": {"space": space}}
        )
        return ChromaPluginVectorStore(collection, **kwargs)

    return new_store


@pytest.fixture
def store(new_store: Callable[..., ChromaPluginVectorStore]) -> ChromaPluginVectorStore:
    """An empty store of the space cosine."""
    return new_store()


@pytest.fixture
def local_store() -> Iterator[ChromaPluginVectorStore]:
    """An empty store in memory, for what is the same on every backend."""
    from chroma_plugin_llamaindex import ChromaPluginVectorStore

    with chromadb.Client() as client:
        configuration = {"hnsw": {"space": "cosine"}}
        yield ChromaPluginVectorStore(
            client.create_collection("nodes", embedding_function=None, configuration=configuration)
        )
