"""Clients of the backends that the LangChain adapter is tried on, and embeddings whose vectors are known."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from support.backends import BACKENDS, settings
from support.server import RunningServer, running_server

import chroma_plugin as chromadb

_numbers = itertools.count()


@pytest.fixture(scope="session")
def langchain_server() -> Iterator[RunningServer]:
    with running_server() as server:
        yield server


@pytest.fixture(params=BACKENDS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[chromadb.Client]:
    """A client of each backend; the framework's own suites run on pgvector as well."""
    if request.param == "rest":
        server = request.getfixturevalue("langchain_server")
        opened = chromadb.HttpClient(server.host, server.port)
    else:
        opened = chromadb.Client(**settings(request.param, tmp_path))
    with opened:
        yield opened


@pytest.fixture
def name() -> str:
    """A name that no collection has, on a server that all tests share."""
    return f"langchain-{next(_numbers)}"


@pytest.fixture
def store(client: chromadb.Client, name: str) -> Any:
    """An empty store on each backend, by cosine."""
    from chroma_plugin_langchain import ChromaPluginVectorStore

    return ChromaPluginVectorStore(
        name, Compass(), client=client, collection_configuration={"hnsw": {"space": "cosine"}}
    )


class Compass(Embeddings):
    """A text like ``"3,4 anything"`` has the vector [3, 4]; any other a vector of its own. It counts its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.calls.append(("documents", len(texts)))
        return [vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        self.calls.append(("query", 1))
        return vector(text)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        self.calls.append(("adocuments", len(texts)))
        return [vector(text) for text in texts]

    async def aembed_query(self, text: str) -> list[float]:
        self.calls.append(("aquery", 1))
        return vector(text)


def vector(text: str) -> list[float]:
    """The two numbers at the beginning of the text, or two that belong to it."""
    try:
        x, y = text.split(" ")[0].split(",")
        return [float(x), float(y)]
    except ValueError:
        digest = hashlib.sha256(text.encode()).digest()
        return [digest[0] + 1.0, digest[1] + 1.0]


@pytest.fixture
def compass() -> Compass:
    return Compass()
