"""How a collection searches: configuration and legacy metadata."""

from __future__ import annotations

from typing import Any

import pytest

import chroma_plugin as chromadb
from chroma_plugin.errors import InvalidArgumentError, UnsupportedError

DEFAULTS = {
    "space": "l2",
    "ef_construction": 100,
    "max_neighbors": 16,
    "ef_search": 100,
    "batch_size": 100,
    "sync_threshold": 1000,
    "resize_factor": 1.2,
}


def hnsw(collection: chromadb.Collection) -> dict[str, Any]:
    section: dict[str, Any] = collection.configuration_json["hnsw"]
    return section


def test_defaults_are_filled_in(client: chromadb.Client) -> None:
    """The stored configuration has all values, in Chroma's shape."""
    configuration = client.create_collection("things", embedding_function=None).configuration_json

    assert configuration["hnsw"].items() >= DEFAULTS.items()
    assert configuration["hnsw"]["num_threads"] >= 1
    assert (configuration["spann"], configuration["embedding_function"]) == (None, None)


def test_what_is_given_is_kept(client: chromadb.Client) -> None:
    """Given values take the place of defaults; None counts as not given."""
    given = {"space": "cosine", "max_neighbors": 32, "ef_search": None}
    made = client.create_collection("things", configuration={"hnsw": given})

    assert hnsw(made).items() >= (DEFAULTS | {"space": "cosine", "max_neighbors": 32}).items()


def test_legacy_metadata(client: chromadb.Client) -> None:
    """hnsw:* keys mean the same and stay visible in the metadata."""
    metadata = {"hnsw:space": "ip", "hnsw:M": 8, "hnsw:search_ef": 50, "hnsw:construction_ef": 60, "topic": "x"}
    made = client.create_collection("things", metadata=metadata)

    expected = {"space": "ip", "max_neighbors": 8, "ef_search": 50, "ef_construction": 60}
    assert hnsw(made).items() >= expected.items()
    assert made.metadata == metadata


def test_both_must_agree(client: chromadb.Client) -> None:
    """Configuration and legacy metadata may repeat but not contradict each other."""
    client.create_collection("same", metadata={"hnsw:space": "ip"}, configuration={"hnsw": {"space": "ip"}})

    with pytest.raises(InvalidArgumentError, match="give one of them"):
        client.create_collection("clash", metadata={"hnsw:space": "ip"}, configuration={"hnsw": {"space": "l2"}})


@pytest.mark.parametrize(
    "section",
    [
        {"space": "manhattan"},
        {"space": 5},
        {"max_neighbors": 1},
        {"max_neighbors": 513},
        {"max_neighbors": 10**9},
        {"max_neighbors": 16.0},
        {"ef_search": 0},
        {"ef_construction": True},
        {"num_threads": 0},
        {"batch_size": 1},
        {"sync_threshold": 1},
        {"resize_factor": 0.5},
        {"resize_factor": float("nan")},
        {"M": 16},
        {5: 16},
        "cosine",
    ],
)
def test_bad_values(client: chromadb.Client, section: Any) -> None:
    """What is unknown, of a wrong type or out of bounds is refused."""
    with pytest.raises(InvalidArgumentError):
        client.create_collection("things", configuration={"hnsw": section})
    assert client.count_collections() == 0


def test_suggestions(client: chromadb.Client) -> None:
    """A misspelt key is answered with the nearest one."""
    with pytest.raises(InvalidArgumentError, match="'ef_search'"):
        client.create_collection("things", configuration={"hnsw": {"ef_serch": 10}})
    with pytest.raises(InvalidArgumentError, match="'hnsw:search_ef'"):
        client.create_collection("things", metadata={"hnsw:serch_ef": 10})
    with pytest.raises(InvalidArgumentError, match="'hnsw'"):
        client.create_collection("things", configuration={"hnws": {}})


def test_spann_is_refused(client: chromadb.Client) -> None:
    """What is not supported is not silently changed."""
    with pytest.raises(UnsupportedError, match="SPANN"):
        client.create_collection("things", configuration={"spann": {"space": "l2"}})


def test_the_function_decides_the_space(client: chromadb.Client) -> None:
    """Without a space, that of the embedding function is taken."""

    class Angular(chromadb.EmbeddingFunction[list[str]]):
        def __call__(self, input: list[str]) -> list[list[float]]:
            return [[1.0] for _ in input]

        def default_space(self) -> Any:
            return "cosine"

    made = client.create_collection("things", embedding_function=Angular())
    asked = client.create_collection("asked", embedding_function=Angular(), configuration={"hnsw": {"space": "ip"}})

    assert (hnsw(made)["space"], hnsw(asked)["space"]) == ("cosine", "ip")


def test_modify(client: chromadb.Client) -> None:
    """Search parameters can change, for every handle; space and build parameters can't."""
    made = client.create_collection("things", embedding_function=None)
    made.modify(configuration={"hnsw": {"ef_search": 7}})

    assert hnsw(client.get_collection("things"))["ef_search"] == 7
    made.modify(configuration={"hnsw": {"space": "l2"}})
    for fixed in ({"space": "cosine"}, {"max_neighbors": 20}, {"ef_construction": 20}):
        with pytest.raises(InvalidArgumentError, match="can't be changed"):
            made.modify(configuration={"hnsw": fixed})
    with pytest.raises(InvalidArgumentError, match="can't be changed"):
        made.modify(metadata={"hnsw:space": "cosine"})
    assert hnsw(made).items() >= (DEFAULTS | {"ef_search": 7}).items()
