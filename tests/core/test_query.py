"""Collection.query."""

from __future__ import annotations

import numpy as np
import pytest

import chroma_plugin as chromadb
from chroma_plugin.errors import InvalidArgumentError, InvalidDimensionError


def test_the_shape_of_the_result(three: chromadb.Collection) -> None:
    """One list per query in each column, nearest first, l2 squared."""
    assert three.query(query_embeddings=[[1, 0], [3.5, 0]], n_results=2) == {
        "ids": [["a", "b"], ["c", "b"]],
        "embeddings": None,
        "documents": [["one apple", "two pears"], ["three apples", "two pears"]],
        "uris": None,
        "data": None,
        "metadatas": [
            [{"n": 1, "kind": "odd"}, {"n": 2, "kind": "even"}],
            [{"n": 3, "kind": "odd"}, {"n": 2, "kind": "even"}],
        ],
        "distances": [[0.0, 1.0], [0.25, 2.25]],
        "included": ["metadatas", "documents", "distances"],
    }


def test_embeddings_are_one_matrix_per_query(three: chromadb.Collection) -> None:
    """Included embeddings are a list of float32 arrays of shape (hits, d)."""
    embeddings = three.query(query_embeddings=[[1, 0], [3, 0]], n_results=2, include=["embeddings"])["embeddings"]

    assert [matrix.tolist() for matrix in embeddings] == [[[1, 0], [2, 0]], [[3, 0], [2, 0]]]
    assert embeddings[0].dtype == np.float32


@pytest.mark.parametrize(("space", "distances"), [("l2", [2.0, 1.0]), ("cosine", [1.0, 0.0]), ("ip", [1.0, -1.0])])
def test_spaces(client: chromadb.Client, space: str, distances: list[float]) -> None:
    """l2 is squared, cosine is 1 - cos, ip is 1 - the inner product."""
    collection = client.create_collection("space", configuration={"hnsw": {"space": space}}, embedding_function=None)
    collection.add(ids=["across", "along"], embeddings=[[0, 1], [2, 0]])

    found = collection.query(query_embeddings=[1, 0])

    got = dict(zip(found["ids"][0], found["distances"][0], strict=True))
    assert [got["across"], got["along"]] == pytest.approx(distances)


def test_ties_in_the_order_of_insertion(collection: chromadb.Collection) -> None:
    """Equally far records come in the order in which they were inserted."""
    ids = [f"id{i}" for i in (3, 1, 2, 0)]
    collection.add(ids=ids, embeddings=[[1, 1]] * 4)

    assert collection.query(query_embeddings=[0, 0], n_results=3)["ids"] == [ids[:3]]


def test_more_than_there_are(three: chromadb.Collection) -> None:
    """n_results above the count gives all."""
    assert three.query(query_embeddings=[0, 0], n_results=100)["ids"] == [["a", "b", "c"]]


def test_an_empty_collection(collection: chromadb.Collection) -> None:
    """A query of nothing finds nothing, whatever its dimension, in every column."""
    found = collection.query(
        query_embeddings=[[1, 2, 3], [4, 5, 6]], include=["documents", "metadatas", "embeddings", "distances", "uris"]
    )

    assert found["ids"] == found["documents"] == found["metadatas"] == found["distances"] == found["uris"] == [[], []]
    assert [len(matrix) for matrix in found["embeddings"]] == [0, 0]


def test_filters_never_cost_results(three: chromadb.Collection) -> None:
    """The nearest that match come back, however far they are."""
    assert three.query(query_embeddings=[0, 0], n_results=1, where={"n": 3})["ids"] == [["c"]]
    assert three.query(query_embeddings=[0, 0], n_results=5, where_document={"$contains": "apple"})["ids"] == [
        ["a", "c"]
    ]
    assert three.query(query_embeddings=[0, 0], where={"n": 77})["ids"] == [[]]


def test_ids_restrict(three: chromadb.Collection) -> None:
    """Only these ids are searched; unknown ones are ignored; none is none."""
    assert three.query(query_embeddings=[0, 0], ids=["c", "nobody", "b"])["ids"] == [["b", "c"]]
    assert three.query(query_embeddings=[0, 0], ids=["nobody"])["ids"] == [[]]
    assert three.query(query_embeddings=[0, 0], ids=[])["ids"] == [[]]


def test_max_distance(three: chromadb.Collection) -> None:
    """Nothing farther than max_distance comes back."""
    assert three.query(query_embeddings=[0, 0], max_distance=4.0)["ids"] == [["a", "b"]]


def test_exact(three: chromadb.Collection) -> None:
    """exact=True gives the same answer on so few records."""
    assert three.query(query_embeddings=[0, 0], exact=True)["ids"] == [["a", "b", "c"]]


def test_texts_are_embedded(texts: chromadb.Collection) -> None:
    """query_texts go through the embedding function of the collection."""
    texts.add(ids=["short", "long"], documents=["x", "x" * 50])

    assert texts.query(query_texts="y" * 40, n_results=1)["ids"] == [["long"]]
    assert texts.query(query_texts=["y", "y" * 40], n_results=1)["ids"] == [["short"], ["long"]]


def test_queries_may_be_embedded_otherwise(client: chromadb.Client) -> None:
    """An embedding function with embed_query is asked by it."""

    class TwoWays(chromadb.EmbeddingFunction[list[str]]):
        def __call__(self, input: list[str]) -> list[list[float]]:
            return [[0.0] for _ in input]

        def embed_query(self, input: list[str]) -> list[list[float]]:
            return [[2.0] for _ in input]

    collection = client.create_collection("two-ways", embedding_function=TwoWays())
    collection.add(ids="a", documents="x")

    assert collection.query(query_texts="x")["distances"] == [[4.0]]


def test_another_dimension(three: chromadb.Collection) -> None:
    """The error holds both dimensions."""
    with pytest.raises(InvalidDimensionError, match=r"dimension 2, .* dimension 3"):
        three.query(query_embeddings=[1, 2, 3])


def test_the_dimension_stays_when_all_is_deleted(three: chromadb.Collection) -> None:
    """An emptied collection still has its dimension."""
    three.delete(ids=["a", "b", "c"])

    assert three.query(query_embeddings=[1, 2])["ids"] == [[]]
    with pytest.raises(InvalidDimensionError):
        three.query(query_embeddings=[1, 2, 3])


def test_exactly_one_kind_of_question(three: chromadb.Collection) -> None:
    """Texts and embeddings together are an error, and so is neither."""
    with pytest.raises(InvalidArgumentError, match="query_embeddings and query_texts"):
        three.query(query_embeddings=[1, 2], query_texts="x")
    with pytest.raises(InvalidArgumentError, match="exactly one"):
        three.query()


def test_texts_without_a_function(three: chromadb.Collection) -> None:
    """A collection without an embedding function says so."""
    with pytest.raises(InvalidArgumentError, match="no embedding function"):
        three.query(query_texts="x")
