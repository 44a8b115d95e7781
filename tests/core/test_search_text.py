"""Collection.search_text: what it takes and gives, on every kind of store."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import chroma_plugin as chromadb
from chroma_plugin.errors import ClosedError, InvalidArgumentError, NotFoundError


def test_the_answer(three: chromadb.Collection) -> None:
    """Columns like those of a query, with scores, of which higher is better, instead of distances."""
    found = three.search_text(["apples three", "apple"])

    assert found["ids"] == [["c"], ["a"]]
    assert found["documents"] == [["three apples"], ["one apple"]]
    assert found["metadatas"] == [[{"n": 3, "kind": "odd"}], [{"n": 1, "kind": "odd"}]]
    assert found["included"] == ["metadatas", "documents", "scores"]
    assert found["embeddings"] is found["distances"] is found["uris"] is found["data"] is None
    assert [len(scores) for scores in found["scores"]] == [1, 1]
    assert found["scores"][0][0] == pytest.approx(2 * found["scores"][1][0])
    assert found["scores"][1][0] > 0


def test_include(three: chromadb.Collection) -> None:
    """Only what is asked for; the key for scores is there only then."""
    found = three.search_text("pears", include=["embeddings", "uris"])

    assert found["ids"] == [["b"]]
    assert found["embeddings"][0].tolist() == [[2.0, 0.0]]
    assert (found["uris"], found["documents"], found["metadatas"]) == ([[None]], None, None)
    assert "scores" not in found
    assert "scores" not in three.query(query_embeddings=[1, 0])


def test_one_text_or_many(three: chromadb.Collection) -> None:
    """A single text is a list of one; each has its own results; one without words has none."""
    assert three.search_text("two")["ids"] == [["b"]]
    assert three.search_text(["two", "?!", "nothing of it", "two"])["ids"] == [["b"], [], [], ["b"]]


def test_n_results(three: chromadb.Collection) -> None:
    """At most so many, the best; as many as have a word, were they more than there are."""
    three.add(ids=["d"], embeddings=[[4, 0]], documents=["apples apples apples"])

    assert three.search_text("apples", n_results=1)["ids"] == [["d"]]
    assert three.search_text("apples", n_results=100)["ids"] == [["d", "c"]]


def test_filters_restrict_what_is_found(three: chromadb.Collection) -> None:
    """By metadata, by document, by id; the scores stay what they are."""
    query = "one two three apples pears apple"
    [every], [scores] = (three.search_text(query)[name] for name in ("ids", "scores"))
    score_of = dict(zip(every, scores, strict=True))

    for found, left in [
        (three.search_text(query, where={"kind": "odd"}), {"a", "c"}),
        (three.search_text(query, where_document={"$contains": "pears"}), {"b"}),
        (three.search_text(query, where={"n": {"$gt": 1}}, where_document={"$not_contains": "pear"}), {"c"}),
        (three.search_text(query, ids=["c", "nobody", "b"]), {"b", "c"}),
        (three.search_text(query, ids="b", where={"n": 2}), {"b"}),
        (three.search_text(query, ids=[]), set()),
        (three.search_text(query, where={"n": 77}), set()),
    ]:
        assert set(found["ids"][0]) == left
        assert found["scores"][0] == [score_of[id] for id in found["ids"][0]]


def test_records_without_document(collection: chromadb.Collection) -> None:
    """They are not found, and do not count."""
    assert collection.search_text("cat")["ids"] == [[]]
    collection.add(ids=["a", "b"], embeddings=[[1], [2]], documents=[None, "cat"])
    alone = collection.search_text("cat")

    assert alone["ids"] == [["b"]]
    collection.add(ids=["c"], embeddings=[[3]])
    assert collection.search_text("cat") == alone


def test_every_change_is_seen(three: chromadb.Collection) -> None:
    """Right after add, update, upsert and delete."""
    three.add(ids="d", embeddings=[4, 0], documents="a pear")
    assert three.search_text("pear")["ids"] == [["d"]]
    three.update(ids="a", documents="one pear pear")
    assert three.search_text("pear")["ids"] == [["a", "d"]]
    three.upsert(ids=["d", "e"], embeddings=[[4, 0], [5, 0]], documents=["no fruit", "pear!"])
    assert three.search_text("pear")["ids"] == [["e", "a"]]
    three.update(ids="e", metadatas={"n": 5})
    assert three.search_text("pear", where={"n": 5})["ids"] == [["e"]]
    three.delete(where={"n": 5})
    assert three.search_text("pear")["ids"] == [["a"]]
    assert three.search_text("apple")["ids"] == [[]]


def test_nothing_is_embedded(texts: chromadb.Collection, lengths: Any) -> None:
    """A text search needs no model."""
    texts.add(ids="a", documents="some words")
    before = len(lengths.asked)

    assert texts.search_text("words")["ids"] == [["a"]]
    assert len(lengths.asked) == before


def test_without_a_data_loader(three: chromadb.Collection) -> None:
    """Data can't be included."""
    with pytest.raises(InvalidArgumentError, match="data_loader"):
        three.search_text("apple", include=["data"])


def test_data_is_loaded(client: chromadb.Client) -> None:
    """What stands behind the URIs of what was found."""
    collection = client.create_collection("things", embedding_function=None, data_loader=lambda uris: [*uris])
    collection.add(ids=["a", "b"], embeddings=[[1], [2]], documents=["cat", "dog"], uris=["u:a", "u:b"])

    assert collection.search_text("dog", include=["data"])["data"] == [["u:b"]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"query_texts": None},
        {"query_texts": []},
        {"query_texts": [None]},
        {"query_texts": 5},
        {"query_texts": ["x", 5]},
        {"query_texts": "\ud800"},
        {"query_texts": "x", "n_results": 0},
        {"query_texts": "x", "n_results": 1.5},
        {"query_texts": "x", "ids": [""]},
        {"query_texts": "x", "where": {"$bad": 1}},
        {"query_texts": "x", "where_document": 3},
        {"query_texts": "x", "include": ["distances"]},
        {"query_texts": "x", "include": ["score"]},
    ],
    ids=str,
)
def test_what_is_refused(three: chromadb.Collection, arguments: dict[str, Any]) -> None:
    """Wrong arguments, by both searches."""
    with pytest.raises(InvalidArgumentError):
        three.search_text(**arguments)
    with pytest.raises(InvalidArgumentError):
        three.search_hybrid(**arguments, query_embeddings=[1, 0])


def test_a_collection_that_is_gone(client: chromadb.Client, three: chromadb.Collection) -> None:
    """It says so; and so does a client that was closed."""
    other = client.create_collection("other", embedding_function=None)
    client.delete_collection("things")
    with pytest.raises(NotFoundError):
        three.search_text("apple")
    client.close()
    with pytest.raises(ClosedError):
        other.search_text("apple")


async def test_awaited() -> None:
    """The async collection gives the same; a hundred tasks at once, beside writes, each see one moment."""
    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("things", embedding_function=None)
        await collection.add(ids=["a", "b"], embeddings=[[1, 0], [0, 1]], documents=["cat", "dog cat"])
        assert (await collection.search_text("dog"))["ids"] == [["b"]]
        assert (await collection.search_hybrid("dog", [1, 0]))["ids"] == [["b", "a"]]

        async def write(number: int) -> None:
            ids = [f"{number}-{row}" for row in range(10)]
            await collection.add(ids=ids, embeddings=np.ones((10, 2)), documents=["cow"] * 10)

        answers = await asyncio.gather(
            *[write(number) for number in range(10)],
            *[collection.search_text("cow", n_results=1_000) for _ in range(90)],
        )
        assert all(len(answer["ids"][0]) % 10 == 0 for answer in answers if answer is not None)
        assert len((await collection.search_text("cow", n_results=1_000))["ids"][0]) == 100
