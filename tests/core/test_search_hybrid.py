"""Collection.search_hybrid: two searches fused, on every kind of store."""

from __future__ import annotations

from typing import Any

import pytest

import chroma_plugin as chromadb
from chroma_plugin.errors import EmbeddingFunctionError, InvalidArgumentError, InvalidDimensionError
from chroma_plugin.ranking import reciprocal_rank_fusion, relative_score_fusion


@pytest.fixture
def fruit(collection: chromadb.Collection) -> chromadb.Collection:
    """Ten records on a line; apples are far from the origin."""
    collection.add(
        ids=[f"r{n}" for n in range(10)],
        embeddings=[[n, 0] for n in range(10)],
        documents=[f"number {n} " + "apple " * max(0, n - 6) for n in range(10)],
        metadatas=[{"n": n} for n in range(10)],
    )
    return collection


def sides(collection: chromadb.Collection, text: str, embedding: list[float], k: int, **filters: Any) -> Any:
    """What the two searches give by themselves: ids and scores."""
    dense = collection.query(query_embeddings=embedding, n_results=k, include=["distances"], **filters)
    words = collection.search_text(text, n_results=k, include=["scores"], **filters)
    return (
        {id: -distance for id, distance in zip(dense["ids"][0], dense["distances"][0], strict=True)},
        dict(zip(words["ids"][0], words["scores"][0], strict=True)),
    )


@pytest.mark.parametrize("fusion", ["rrf", "relative"])
@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("filters", [{}, {"where": {"n": {"$lt": 9}}}, {"ids": ["r1", "r8", "r7"]}], ids=str)
def test_it_is_the_fusion_of_both(
    fruit: chromadb.Collection, fusion: Any, alpha: float, filters: dict[str, Any]
) -> None:
    """With weights alpha and 1 - alpha, of the same records."""
    both = sides(fruit, "apple 3", [0.2, 0], 50, **filters)
    fuse = {"rrf": reciprocal_rank_fusion, "relative": relative_score_fusion}[fusion]
    expected = fuse(both, [alpha, 1 - alpha])[:4]

    found = fruit.search_hybrid("apple 3", [0.2, 0], n_results=4, fusion=fusion, alpha=alpha, **filters)

    assert list(zip(found["ids"][0], found["scores"][0], strict=True)) == expected


def test_the_answer(fruit: chromadb.Collection) -> None:
    """Columns like those of search_text."""
    found = fruit.search_hybrid(["apple", "3"], [[9, 0], [3, 0]], n_results=1)

    assert found["ids"] == [["r9"], ["r3"]]
    assert found["documents"] == [["number 9 apple apple apple "], ["number 3 "]]
    assert found["metadatas"] == [[{"n": 9}], [{"n": 3}]]
    assert found["included"] == ["metadatas", "documents", "scores"]
    assert found["distances"] is found["embeddings"] is None
    assert found["scores"] == [[pytest.approx(1 / 61)], [pytest.approx(1 / 61)]]


def test_dense_alone_and_text_alone(fruit: chromadb.Collection) -> None:
    """alpha=1 gives the order of a query, alpha=0 that of search_text, and the other side is not asked."""
    dense = fruit.query(query_embeddings=[5.2, 0], n_results=6)["ids"]
    assert fruit.search_hybrid("apple", [5.2, 0], n_results=6, alpha=1)["ids"] == dense
    assert fruit.search_hybrid("!", [5.2, 0], n_results=6, alpha=1.0)["ids"] == dense
    text = fruit.search_text("apple")["ids"]
    assert fruit.search_hybrid("apple", alpha=0)["ids"] == text == [["r9", "r8", "r7"]]
    assert fruit.search_hybrid("apple", [5.2, 0], alpha=0, fusion="relative")["ids"] == text


def test_candidates(fruit: chromadb.Collection) -> None:
    """Each side offers so many; by default four times as many as are wanted, at least fifty."""
    assert fruit.search_hybrid("apple", [0, 0], candidates=1)["ids"] == [["r0", "r9"]]
    assert len(fruit.search_hybrid("apple", [0, 0], candidates=3)["ids"][0]) == 6
    assert len(fruit.search_hybrid("apple", [0, 0])["ids"][0]) == 10


def test_texts_are_embedded_once(texts: chromadb.Collection, lengths: Any) -> None:
    """All of them in one call of the embedding function, and not at all when the dense side has no weight."""
    texts.add(ids=["a", "b"], documents=["cat", "a long text about dogs"])
    lengths.asked.clear()

    found = texts.search_hybrid(["cat", "dogs"], n_results=1)
    texts.search_hybrid(["cat", "dogs"], alpha=0)

    assert found["ids"] == [["a"], ["b"]]
    assert lengths.asked == [["cat", "dogs"]]


def test_an_empty_collection(collection: chromadb.Collection) -> None:
    """Nothing is found, whatever the dimension."""
    found = collection.search_hybrid(["x", "y"], [[1, 2], [3, 4]], include=["documents", "embeddings", "scores"])

    assert found["ids"] == found["documents"] == found["scores"] == [[], []]
    assert [len(matrix) for matrix in found["embeddings"]] == [0, 0]


def test_records_without_document(fruit: chromadb.Collection) -> None:
    """They come by their embeddings."""
    fruit.add(ids="bare", embeddings=[0.1, 0])

    assert fruit.search_hybrid("apple", [0.1, 0], n_results=3, alpha=0.9)["ids"][0][0] == "bare"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fusion": "sum"}, "fusion must be one of 'rrf', 'relative', not str 'sum'"),
        ({"fusion": None}, "fusion must be one of"),
        ({"fusion": ["rrf"]}, "fusion must be one of"),
        ({"alpha": 1.01}, "alpha must be from 0 to 1"),
        ({"alpha": -0.1}, "alpha must be from 0 to 1"),
        ({"alpha": float("nan")}, "alpha must be a number"),
        ({"alpha": "0.5"}, "alpha must be a number"),
        ({"alpha": True}, "alpha must be a number"),
        ({"candidates": 0}, "candidates must be at least 1"),
        ({"candidates": 2.5}, "candidates must be an int"),
        ({"query_embeddings": [[1, 2], [3, 4]]}, "there are 2 embeddings and 1 query_texts"),
        ({"query_embeddings": []}, "query_embeddings holds no numbers"),
        ({"query_embeddings": ["x"]}, "query_embeddings must hold numbers"),
    ],
    ids=str,
)
def test_what_is_refused(fruit: chromadb.Collection, arguments: dict[str, Any], message: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(InvalidArgumentError, match=message.replace("[", r"\[")):
        fruit.search_hybrid("apple", **{"query_embeddings": [1, 0], **arguments})


def test_another_dimension(fruit: chromadb.Collection) -> None:
    """The error holds both."""
    with pytest.raises(InvalidDimensionError, match=r"dimension 2, .* dimension 3"):
        fruit.search_hybrid("apple", [1, 2, 3])


def test_without_an_embedding_function(fruit: chromadb.Collection) -> None:
    """Embeddings are needed, unless only the text counts."""
    with pytest.raises(EmbeddingFunctionError, match="no embedding function"):
        fruit.search_hybrid("apple")
    assert fruit.search_hybrid("apple", alpha=0)["ids"] == [["r9", "r8", "r7"]]
