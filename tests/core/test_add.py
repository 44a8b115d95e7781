"""Collection.add."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import chroma_plugin as chromadb
from chroma_plugin.errors import (
    DuplicateIDError,
    IDAlreadyExistsError,
    InvalidArgumentError,
    InvalidDimensionError,
)
from chroma_plugin.requests.uncollected import uncollected


def everything(collection: chromadb.Collection) -> dict[str, Any]:
    """All that a collection holds, in a form that can be compared."""
    got = collection.get(include=["embeddings", "documents", "metadatas", "uris"])
    return {**got, "embeddings": got["embeddings"].tolist()}


def test_one_record_without_lists(collection: chromadb.Collection) -> None:
    """A single item needs no list, in any column."""
    report = collection.add(ids="a", embeddings=[1.5, 2.5], metadatas={"k": 1}, documents="text", uris="file:a")

    assert report.added == ["a"]
    assert everything(collection) == {
        "ids": ["a"],
        "embeddings": [[1.5, 2.5]],
        "documents": ["text"],
        "metadatas": [{"k": 1}],
        "uris": ["file:a"],
        "data": None,
        "included": ["embeddings", "documents", "metadatas", "uris"],
    }


def test_columns_left_out_are_none(collection: chromadb.Collection) -> None:
    """Documents, metadata and URIs may be left out, as a whole or for some records."""
    collection.add(ids=["a", "b"], embeddings=[[1], [2]], metadatas=[None, {"k": 1}])

    got = collection.get(include=["documents", "metadatas", "uris"])

    assert got["documents"] == [None, None]
    assert got["metadatas"] == [None, {"k": 1}]
    assert got["uris"] == [None, None]


def test_known_ids_stay(three: chromadb.Collection) -> None:
    """Records whose ids are known stay as they are, the others are added, and the report says which."""
    before = three.get("a")

    with pytest.warns(chromadb.ExistingIDsWarning, match="'a'"):
        report = three.add(ids=["a", "d"], embeddings=[[9, 9], [4, 0]], documents=["new", "four"])

    assert (report.added, report.ignored) == (["d"], ["a"])
    assert three.get("a") == before
    assert three.count() == 4


def test_the_warning_comes_once(three: chromadb.Collection) -> None:
    """The same collection object warns about known ids only the first time."""
    with pytest.warns(chromadb.ExistingIDsWarning):
        three.add(ids="a", embeddings=[1, 1])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        three.add(ids="a", embeddings=[1, 1])


def test_known_ids_are_not_embedded(texts: chromadb.Collection, lengths: Any) -> None:
    """Only documents with new ids go to the embedding function."""
    texts.add(ids=["a", "b"], documents=["1", "22"])
    texts.add(ids=["a", "c", "b"], documents=["x", "333", "y"], on_conflict="ignore")

    assert lengths.asked == [["1", "22"], ["333"]]


def test_known_ids_are_not_checked_for_dimension(three: chromadb.Collection) -> None:
    """A call whose ids are all known changes nothing, so their dimension does not matter."""
    report = three.add(ids=["a"], embeddings=[[1, 2, 3, 4, 5]], on_conflict="ignore")

    assert (report.added, report.ignored) == ([], ["a"])


def test_known_ids_need_no_embedding(three: chromadb.Collection) -> None:
    """Documents with known ids are ignored even where nothing could embed them."""
    report = three.add(ids=["a", "b"], documents=["x", "y"], on_conflict="ignore")

    assert report.ignored == ["a", "b"]


def test_on_conflict_error_adds_nothing(three: chromadb.Collection) -> None:
    """on_conflict="error" names the known ids and leaves everything as it was."""
    before = everything(three)

    with pytest.raises(IDAlreadyExistsError, match="'b'"):
        three.add(ids=["z", "b"], embeddings=[[1, 1], [2, 2]], on_conflict="error")

    assert everything(three) == before


def test_on_conflict_replace_replaces_the_whole_record(three: chromadb.Collection) -> None:
    """on_conflict="replace" leaves nothing of the old record but its place."""
    report = three.add(ids=["d", "b"], embeddings=[[4, 0], [7, 7]], on_conflict="replace")

    assert (report.added, report.replaced, report.ignored) == (["d"], ["b"], [])
    got = three.get(include=["embeddings", "documents", "metadatas"])
    assert got["ids"] == ["a", "b", "c", "d"]
    assert got["embeddings"][1].tolist() == [7, 7]
    assert (got["documents"][1], got["metadatas"][1]) == (None, None)


def test_another_dimension_adds_nothing(three: chromadb.Collection) -> None:
    """The first write fixes the dimension; another one is refused with both numbers before anything is written."""
    before = everything(three)

    with pytest.raises(InvalidDimensionError, match=r"dimension 2, .* dimension 3"):
        three.add(ids=["x"], embeddings=[[1, 2, 3]])

    assert everything(three) == before


def test_a_new_record_needs_an_embedding(collection: chromadb.Collection) -> None:
    """Without an embedding function, records without embeddings are refused."""
    with pytest.raises(InvalidArgumentError, match="no embedding function"):
        collection.add(ids="a", documents="text")
    with pytest.raises(InvalidArgumentError, match="need an embedding"):
        collection.add(ids="a", metadatas={"k": 1})

    assert collection.count() == 0


def test_a_missing_document_is_named(texts: chromadb.Collection) -> None:
    """A record with neither embedding nor document is named, and none of the batch is added."""
    with pytest.raises(InvalidArgumentError, match="'b'"):
        texts.add(ids=["a", "b"], documents=["text", None])

    assert texts.count() == 0


def test_an_id_twice(collection: chromadb.Collection) -> None:
    """An id that stands twice in a call is refused by name."""
    with pytest.raises(DuplicateIDError, match="'a'"):
        collection.add(ids=["a", "b", "a"], embeddings=[[1], [2], [3]])

    assert collection.count() == 0


def test_what_the_caller_keeps_is_his(collection: chromadb.Collection) -> None:
    """Changing the arguments after the call, or a result, changes nothing in the collection."""
    embeddings = np.ones((1, 2), dtype=np.float32)
    metadata = {"list": [1, {"deep": 1}]}
    collection.add(ids="a", embeddings=embeddings, metadatas=metadata)
    before = everything(collection)

    embeddings[0, 0] = 9
    metadata["list"][1]["deep"] = 9
    got = collection.get(include=["metadatas", "embeddings"])
    got["metadatas"][0]["list"].append(9)
    got["embeddings"][0, 0] = 9

    assert everything(collection) == before


def test_a_hundred_thousand_at_once() -> None:
    """One call adds 100,000 records."""
    collection = chromadb.Client().create_collection("many", embedding_function=None)
    count = 100_000
    embeddings = np.arange(2 * count, dtype=np.float32).reshape(count, 2)

    report = collection.add(ids=[str(i) for i in range(count)], embeddings=embeddings)

    assert len(report.added) == collection.count() == count
    assert collection.query(query_embeddings=embeddings[77_777], n_results=1)["ids"] == [["77777"]]


def test_images_go_to_the_embedding_function(client: chromadb.Client) -> None:
    """Images are embedded as they are; they are not stored."""
    collection = client.create_collection("images", embedding_function=lambda images: [i.sum(0) for i in images])

    collection.add(ids=["a", "b"], images=[np.ones((2, 3)), np.zeros((2, 3))])

    assert collection.get(include=["embeddings"])["embeddings"].tolist() == [[2, 2, 2], [0, 0, 0]]


def test_uris_are_loaded_and_embedded(client: chromadb.Client) -> None:
    """With a data_loader, URIs without anything else are opened and embedded, and come back as data."""
    collection = client.create_collection(
        "uris",
        embedding_function=lambda things: [[len(thing)] for thing in things],
        data_loader=lambda uris: [uri.removeprefix("file:") for uri in uris],
    )

    collection.add(ids=["a", "b"], uris=["file:x", "file:yyy"])

    got = collection.get(include=["embeddings", "uris", "data"])
    assert got["embeddings"].tolist() == [[1], [3]]
    assert got["uris"] == ["file:x", "file:yyy"]
    assert got["data"] == ["x", "yyy"]
    assert collection.query(query_uris="file:zzz", n_results=1)["ids"] == [["b"]]


def test_the_report_reads_well(three: chromadb.Collection) -> None:
    """The repr of a report says how many and which."""
    report = three.add(ids=["a", "x"], embeddings=[[1, 1], [2, 2]], on_conflict="ignore")

    assert repr(report) == "AddReport(added=1 ('x'), ignored=1 ('a'), replaced=0)"


LAST = 9_999


@pytest.mark.parametrize(
    ("column", "bad"),
    [
        ("ids", "broken \ud800 text"),
        ("embeddings", [float("nan")]),
        ("documents", "broken \ud800 text"),
        ("metadatas", {"text": "broken \ud800 text"}),
        ("metadatas", {"number": 2**63}),
    ],
)
def test_the_last_of_a_bulk_is_checked_like_the_first(collection: chromadb.Collection, column: str, bad: Any) -> None:
    """An error names the row that is to blame, however many stand before it, and nothing is added."""
    columns: dict[str, list[Any]] = {
        "ids": [str(number) for number in range(LAST + 1)],
        "embeddings": [[1.0]] * (LAST + 1),
        "documents": ["text"] * (LAST + 1),
        "metadatas": [{"number": 1}] * (LAST + 1),
    }
    columns[column][LAST] = bad

    with pytest.raises(InvalidArgumentError, match=rf"{column}\[{LAST}\]"):
        collection.add(**columns)
    assert collection.count() == 0


@pytest.fixture
def collections() -> Iterator[list[dict[str, int]]]:
    """What Python's search for garbage told of itself; what the test does to it is undone."""
    told: list[dict[str, int]] = []

    def tell(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            told.append(info)

    gc.callbacks.append(tell)
    yield told
    gc.callbacks.remove(tell)
    gc.enable()


def test_a_bulk_of_metadata_is_not_searched_for_garbage(collections: list[dict[str, int]]) -> None:
    """Python would look for garbage after every 700 dicts. Whether it may look at all is left as it was."""
    with chromadb.EphemeralClient() as client:
        things = client.create_collection("things", embedding_function=None)
        things.add(ids="first", embeddings=[1.0], metadatas={"number": 1})
        metadatas = [{"number": number} for number in range(20_000)]
        collections.clear()

        things.add(ids=list(map(str, range(20_000))), embeddings=np.ones((20_000, 1)), metadatas=metadatas)

        assert len(collections) < 10
        assert gc.isenabled()
        gc.disable()
        things.add(ids="last", embeddings=[1.0], metadatas={"number": 1})
        assert not gc.isenabled()


def test_threads_leave_the_search_for_garbage_on() -> None:
    """Whoever comes while it is off for somebody else does not take that for how it was; whoever goes leaves it off for
    who is still there.
    """
    uncollected.__enter__()
    uncollected.__enter__()
    uncollected.__exit__()
    off = not gc.isenabled()
    uncollected.__exit__()

    assert off
    assert gc.isenabled()
