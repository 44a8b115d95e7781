"""How a query was carried out, as its user sees it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import chroma_plugin as chromadb
from chroma_plugin.errors import InvalidArgumentError

VECTORS = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)


def fill(client: chromadb.Client) -> chromadb.Collection:
    collection = client.create_collection("numbers", embedding_function=None)
    collection.add(
        ids=[str(number) for number in range(50)],
        embeddings=VECTORS,
        metadatas=[{"number": number} for number in range(50)],
        documents=["even" if number % 2 == 0 else "odd" for number in range(50)],
    )
    return collection


@pytest.fixture
def numbers() -> Iterator[chromadb.Collection]:
    with chromadb.EphemeralClient() as client:
        yield fill(client)


def test_every_engine_tells_the_time(client: chromadb.Client) -> None:
    """Whether it has a plan of its own or not."""
    told = fill(client).explain(query_embeddings=VECTORS[0], where={"number": {"$lt": 20}})

    assert told["milliseconds"]
    assert all(spent >= 0 for spent in told["milliseconds"].values())


def test_plan_counts_and_times_are_told(numbers: chromadb.Collection) -> None:
    """The plan is one of those that were weighed, the counts are those of the filter, and each step has its time."""
    told = numbers.explain(query_embeddings=VECTORS[3], n_results=4, where={"number": {"$lt": 20}})

    assert told["plan"] == "gather"
    assert next(iter(told["expected_milliseconds"])) == "gather"
    assert (told["rows"], told["matching"], told["expected_to_measure"], told["measured"]) == (50, 20, 20, 20)
    assert set(told["milliseconds"]) == {"filter", "measure", "read records"}
    assert all(spent >= 0 for spent in told["milliseconds"].values())


def test_arguments_are_those_of_query(numbers: chromadb.Collection) -> None:
    """In any order and by any name that query takes them, and refused as query refuses them."""
    assert numbers.explain(VECTORS[:2], where_document={"$contains": "even"})["matching"] == 25
    with pytest.raises(InvalidArgumentError):
        numbers.explain(query_embeddings=VECTORS[0], n_results=0)
    with pytest.raises(TypeError):
        numbers.explain(query_embeddings=VECTORS[0], nearest=3)


def test_an_empty_collection_has_nothing_to_search(client: chromadb.Client) -> None:
    """That is what is told."""
    empty = client.create_collection("empty", embedding_function=None)

    assert empty.explain(query_embeddings=[1.0, 2.0]) == {"plan": "nothing to search"}


def test_it_prints_as_an_outline(numbers: chromadb.Collection) -> None:
    """One fact in a line."""
    lines = repr(numbers.explain(query_embeddings=VECTORS[0])).splitlines()

    assert lines[0].split() == ["plan", "sweep"]


async def test_async_tells_the_same() -> None:
    """Awaited."""
    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("numbers", embedding_function=None)
        await collection.add(ids=["a", "b"], embeddings=[[1.0, 0.0], [0.0, 1.0]])

        assert (await collection.explain(query_embeddings=[1.0, 0.0]))["matching"] == 2
