"""Collection.update and upsert."""

from __future__ import annotations

from typing import Any

import pytest

import chroma_plugin as chromadb
from chroma_plugin.errors import InvalidArgumentError, InvalidDimensionError


def record(collection: chromadb.Collection, id: str) -> dict[str, Any]:
    """One record as a dict of its parts."""
    got = collection.get(id, include=["embeddings", "documents", "metadatas", "uris"])
    return {
        "embedding": got["embeddings"][0].tolist(),
        "document": got["documents"][0],
        "metadata": got["metadatas"][0],
        "uri": got["uris"][0],
    }


def test_a_bare_update_does_nothing(three: chromadb.Collection) -> None:
    """update() without arguments is an update of nothing."""
    before = three.get()

    report = three.update()

    assert (list(report.updated), list(report.unknown)) == ([], [])
    assert three.get() == before


def test_only_what_is_given_changes(three: chromadb.Collection) -> None:
    """Columns that are left out stay."""
    three.update(ids="a", embeddings=[7, 7])
    assert record(three, "a") == {
        "embedding": [7, 7],
        "document": "one apple",
        "metadata": {"n": 1, "kind": "odd"},
        "uri": None,
    }

    three.update(ids="a", documents="new", uris="file:a")
    assert record(three, "a")["document"] == "new"
    assert record(three, "a")["uri"] == "file:a"
    assert record(three, "a")["embedding"] == [7, 7]


def test_metadata_is_merged(three: chromadb.Collection) -> None:
    """New keys are added, given ones changed, None removes one, and None for a record leaves it alone."""
    three.update(ids=["a", "b"], metadatas=[{"n": 10, "kind": None, "new": True}, None])

    assert three.get(ids=["a", "b"])["metadatas"] == [{"n": 10, "new": True}, {"n": 2, "kind": "even"}]


def test_the_last_key_removed(three: chromadb.Collection) -> None:
    """Metadata without keys is no metadata."""
    three.update(ids="a", metadatas={"n": None, "kind": None})

    assert three.get("a")["metadatas"] == [None]


def test_a_document_that_is_none_stays(three: chromadb.Collection) -> None:
    """Among given documents, None keeps the old one."""
    three.update(ids=["a", "b"], documents=[None, "new"])

    assert three.get(ids=["a", "b"])["documents"] == ["one apple", "new"]


def test_nothing_but_unknown_ids(three: chromadb.Collection) -> None:
    """Nothing happens, whatever is given for them."""
    report = three.update(ids=["x", "y"], embeddings=[[1, 2], [3, 4]], documents=["d", None])

    assert (list(report.updated), list(report.unknown)) == ([], ["x", "y"])
    assert three.count() == 3


def test_unknown_ids_are_reported(three: chromadb.Collection) -> None:
    """Unknown ids are ignored; the report names them."""
    report = three.update(ids=["x", "c", "a"], metadatas=[{"m": 0}, {"m": 1}, {"m": 2}])

    assert (list(report.updated), list(report.unknown)) == (["c", "a"], ["x"])
    assert three.get(ids=["a", "c"])["metadatas"] == [{"n": 1, "kind": "odd", "m": 2}, {"n": 3, "kind": "odd", "m": 1}]
    assert three.count() == 3


def test_a_new_document_is_embedded(texts: chromadb.Collection, lengths: Any) -> None:
    """Documents are embedded again, only those that are given and known."""
    texts.add(ids=["a", "b", "c"], documents=["1", "22", "333"])
    texts.update(ids=["b", "x", "a"], documents=["4444", "unknown", None])

    assert lengths.asked[1:] == [["4444"]]
    assert texts.get(include=["embeddings"])["embeddings"].tolist() == [[1, 0], [4, 0], [3, 0]]
    assert texts.get()["documents"] == ["1", "4444", "333"]


def test_a_given_embedding_is_not_made(texts: chromadb.Collection, lengths: Any) -> None:
    """With an embedding beside it, the document is not embedded."""
    texts.add(ids="a", documents="1")
    texts.update(ids="a", documents="22", embeddings=[5, 5])

    assert lengths.asked == [["1"]]
    assert record(texts, "a")["embedding"] == [5, 5]


@pytest.mark.parametrize("write", ["update", "upsert"])
@pytest.mark.parametrize("id", ["a", "unknown"])
def test_another_dimension_changes_nothing(three: chromadb.Collection, write: str, id: str) -> None:
    """An embedding of another dimension is refused with what came beside it, for known ids and unknown ones."""
    before = three.get()

    with pytest.raises(InvalidDimensionError):
        getattr(three, write)(ids=id, embeddings=[1, 2, 3], metadatas={"n": 100})

    assert three.get() == before


def test_upsert_adds_and_merges(three: chromadb.Collection) -> None:
    """Known ids are merged as by update, the others added, in one call."""
    report = three.upsert(ids=["x", "a"], embeddings=[[9, 9], [8, 8]], metadatas=[{"n": 9}, {"n": None, "m": 1}])

    assert (list(report.added), list(report.replaced)) == (["x"], ["a"])
    assert three.get()["ids"] == ["a", "b", "c", "x"]
    assert record(three, "a") == {
        "embedding": [8, 8],
        "document": "one apple",
        "metadata": {"kind": "odd", "m": 1},
        "uri": None,
    }
    assert record(three, "x")["metadata"] == {"n": 9}


def test_upsert_of_metadata_alone(three: chromadb.Collection) -> None:
    """Known records need no embedding."""
    three.upsert(ids="a", metadatas={"m": 1})

    assert record(three, "a")["metadata"] == {"n": 1, "kind": "odd", "m": 1}
    assert record(three, "a")["embedding"] == [1, 0]


def test_upsert_of_a_new_record_needs_an_embedding(three: chromadb.Collection) -> None:
    """A new id with nothing to embed is refused by name, and the known ones stay."""
    before = three.get()

    with pytest.raises(InvalidArgumentError, match="'x'"):
        three.upsert(ids=["a", "x"], metadatas=[{"m": 1}, {"m": 2}])

    assert three.get() == before


def test_upsert_replaces_metadata_when_asked(three: chromadb.Collection) -> None:
    """metadata_mode="replace" makes the metadata what is given, or none."""
    three.upsert(ids=["a", "b"], metadatas=[{"only": None}, None], metadata_mode="replace")

    assert three.get(ids=["a", "b"])["metadatas"] == [{"only": None}, None]
    assert three.get("a")["documents"] == ["one apple"]


def test_upsert_twice_is_upsert_once(three: chromadb.Collection) -> None:
    """Doing it again changes nothing, also when a key is None."""
    arguments: dict[str, Any] = {"ids": ["x"], "embeddings": [[1, 1]], "metadatas": [{"gone": None, "here": 1}]}
    three.upsert(**arguments)
    once = three.get()
    three.upsert(**arguments)

    assert three.get() == once
    assert three.get("x")["metadatas"] == [{"here": 1}]


def test_documents_without_a_function(three: chromadb.Collection) -> None:
    """Where nothing can embed, a new document changes the document only, by update and by upsert."""
    three.update(ids="a", documents="updated")
    three.upsert(ids="b", documents="upserted")

    assert (record(three, "a")["document"], record(three, "a")["embedding"]) == ("updated", [1, 0])
    assert (record(three, "b")["document"], record(three, "b")["embedding"]) == ("upserted", [2, 0])
    with pytest.raises(InvalidArgumentError, match="no embedding function"):
        three.upsert(ids=["a", "x"], documents=["1", "2"])
    with pytest.raises(InvalidArgumentError, match="no embedding function"):
        three.update(ids="a", images=[[1, 2]])


def test_upsert_embeds_documents(texts: chromadb.Collection, lengths: Any) -> None:
    """Documents without embeddings are embedded in one go, for known and new ids."""
    texts.add(ids="a", documents="1")
    texts.upsert(ids=["b", "a"], documents=["22", "333"])

    assert lengths.asked == [["1"], ["22", "333"]]
    assert texts.get(include=["embeddings"])["embeddings"].tolist() == [[3, 0], [2, 0]]
