"""Clients to try the API on: a backend of defaults, one whose filters are sieves, memory and a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clients import BACKENDS, open_client

import chroma_plugin as chromadb


@pytest.fixture(params=list(BACKENDS))
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[chromadb.Client]:
    """A client of a new database."""
    with open_client(request.param, tmp_path) as client:
        yield client


@pytest.fixture
def collection(client: chromadb.Client) -> chromadb.Collection:
    """An empty collection without an embedding function."""
    return client.create_collection("things", embedding_function=None)


@pytest.fixture
def three(collection: chromadb.Collection) -> chromadb.Collection:
    """Three records a, b, c on a line, numbered 1, 2, 3."""
    collection.add(
        ids=["a", "b", "c"],
        embeddings=[[1, 0], [2, 0], [3, 0]],
        metadatas=[{"n": 1, "kind": "odd"}, {"n": 2, "kind": "even"}, {"n": 3, "kind": "odd"}],
        documents=["one apple", "two pears", "three apples"],
    )
    return collection


class Lengths(chromadb.EmbeddingFunction[Any]):
    """Embeds a text as its number of characters and of blanks, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, input: list[str]) -> list[list[float]]:
        self.asked.append(list(input))
        return [[len(text), text.count(" ")] for text in input]

    @staticmethod
    def name() -> str:
        return "lengths"

    def get_config(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def lengths() -> Lengths:
    return Lengths()


@pytest.fixture
def texts(client: chromadb.Client, lengths: Lengths) -> chromadb.Collection:
    """An empty collection that embeds with `lengths`."""
    return client.create_collection("texts", embedding_function=lengths)
