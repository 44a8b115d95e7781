"""Collection.get, peek and count."""

from __future__ import annotations

import numpy as np
import pytest

import chroma_plugin as chromadb
from chroma_plugin import Key
from chroma_plugin.errors import DuplicateIDError, InvalidArgumentError


def test_the_shape_of_the_result(three: chromadb.Collection) -> None:
    """Every key is there, and what was not included is None."""
    assert three.get(ids="a") == {
        "ids": ["a"],
        "embeddings": None,
        "documents": ["one apple"],
        "uris": None,
        "data": None,
        "metadatas": [{"n": 1, "kind": "odd"}],
        "included": ["metadatas", "documents"],
    }


def test_embeddings_are_a_float32_matrix(three: chromadb.Collection) -> None:
    """Embeddings come as one array of shape (n, d), also when there are none."""
    embeddings = three.get(include=["embeddings"])["embeddings"]

    assert embeddings.dtype == np.float32
    assert embeddings.tolist() == [[1, 0], [2, 0], [3, 0]]
    assert len(three.get(ids=[], include=["embeddings"])["embeddings"]) == 0


def test_an_empty_collection(collection: chromadb.Collection) -> None:
    """Nothing there is empty columns, not None."""
    got = collection.get(include=["embeddings", "documents", "metadatas", "uris"])

    assert (got["ids"], got["documents"], got["metadatas"], got["uris"]) == ([], [], [], [])
    assert got["embeddings"].shape[0] == 0
    assert collection.count() == 0


def test_order_of_the_request(three: chromadb.Collection) -> None:
    """With ids the records come in that order, unknown ones left out."""
    assert three.get(ids=["c", "nobody", "a"])["ids"] == ["c", "a"]


def test_order_of_insertion(three: chromadb.Collection) -> None:
    """Without ids the records come as they were inserted; updating moves nothing."""
    three.update(ids="a", metadatas={"n": 9})

    assert three.get()["ids"] == ["a", "b", "c"]


def test_ids_and_filters_both_restrict(three: chromadb.Collection) -> None:
    """ids, where and where_document are all applied."""
    got = three.get(ids=["c", "b", "a"], where={"kind": "odd"}, where_document={"$contains": "apples"})

    assert got["ids"] == ["c"]


def test_an_empty_filter_is_no_filter(three: chromadb.Collection) -> None:
    """{} matches everything."""
    assert three.get(where={}, where_document={})["ids"] == ["a", "b", "c"]


def test_a_key_expression_as_where(three: chromadb.Collection) -> None:
    """Where takes a Key expression as well as a dict."""
    assert three.get(where=(Key("n") > 1) & (Key("kind") == "odd"))["ids"] == ["c"]


def test_limit_and_offset_after_the_filter(three: chromadb.Collection) -> None:
    """Pages count what the filter left."""
    assert three.get(where={"kind": "odd"}, limit=1, offset=1)["ids"] == ["c"]
    assert three.get(limit=2)["ids"] == ["a", "b"]
    assert three.get(offset=2)["ids"] == ["c"]
    assert three.get(offset=10)["ids"] == []
    assert three.get(limit=0)["ids"] == []


def test_limit_and_offset_on_ids(three: chromadb.Collection) -> None:
    """Pages of ids keep the order of the request."""
    assert three.get(ids=["c", "b", "a"], limit=1, offset=1)["ids"] == ["b"]


def test_order_by(three: chromadb.Collection) -> None:
    """order_by sorts, "-" turns it round, and a page is cut from what was sorted."""
    assert three.get(order_by="-n")["ids"] == ["c", "b", "a"]
    assert three.get(order_by=["kind", "-n"])["ids"] == ["b", "c", "a"]
    assert three.get(order_by=Key("n"), limit=1, offset=1)["ids"] == ["b"]
    assert three.get(order_by="-n", where={"kind": "odd"})["ids"] == ["c", "a"]
    assert three.get(ids=["b", "a"], order_by="n")["ids"] == ["a", "b"]


def test_order_by_puts_missing_last(three: chromadb.Collection) -> None:
    """Records without the key come last in both directions, in the order of insertion."""
    three.add(ids=["x", "y"], embeddings=[[0, 0], [0, 0]])

    assert three.get(order_by="n")["ids"] == ["a", "b", "c", "x", "y"]
    assert three.get(order_by="-n")["ids"] == ["c", "b", "a", "x", "y"]


def test_an_id_twice(three: chromadb.Collection) -> None:
    """Asking for an id twice is an error, as in Chroma."""
    with pytest.raises(DuplicateIDError):
        three.get(ids=["a", "a"])


def test_peek(three: chromadb.Collection) -> None:
    """Peek gives the first 5 with embeddings."""
    three.add(ids=list("defg"), embeddings=[[0, 0]] * 4)

    got = three.peek()

    assert got["ids"] == list("abcde")
    assert got["embeddings"].shape == (5, 2)
    assert three.peek(2)["ids"] == ["a", "b"]


def test_count_with_filters(three: chromadb.Collection) -> None:
    """Count takes the filters of get."""
    assert three.count() == 3
    assert three.count(where={"kind": "odd"}) == 2
    assert three.count(where_document={"$contains": "apple"}, where={"n": {"$gt": 1}}) == 1


def test_data_needs_a_loader(three: chromadb.Collection) -> None:
    """include=["data"] without a data_loader says what is missing."""
    with pytest.raises(InvalidArgumentError, match="data_loader"):
        three.get(include=["data"])
