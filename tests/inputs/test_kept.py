"""What is odd and legal comes back exactly, is found by filters, and is nothing but data."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from inputs.kept import DOCUMENTS, EMBEDDINGS, IDS, KEYS, VALUES
from inputs.odd import Fresh
from inputs.places import EVERYTHING, Place

import chroma_plugin as chromadb
from chroma_plugin.errors import ClosedError, NotFoundError
from chroma_plugin.filters import Key
from chroma_plugin.testing.judge import true_distances
from chroma_plugin.types import Metric

FEW = ["memory", "duckdb", "rest"]
_long = [pytest.param(place, marks=pytest.mark.faults) for place in EVERYTHING if place not in FEW]
everywhere = pytest.mark.parametrize("place", [*FEW, *_long], indirect=True)


def made(value: Any) -> Any:
    return value.make() if isinstance(value, Fresh) else value


def plain(text: Any) -> Any:
    """The str itself, whatever a subclass says of it."""
    return str.__str__(text) if isinstance(text, str) else text


@everywhere
def test_ids(place: Place) -> None:
    """Any str is an id: kept, found, and deleted alone."""
    ids = [made(id) for id in IDS.values()]
    place.call(place.things, "add")(ids=ids, embeddings=np.ones((len(ids), 2)))

    for id in map(plain, ids):
        assert place.call(place.things, "get")(ids=[id])["ids"] == [id]
        assert place.call(place.things, "get")(where={"#id": id})["ids"] == [id]
    assert place.call(place.things, "delete")(ids=ids) == {"deleted": len(ids)}
    assert place.call(place.things, "get")()["ids"] == ["a", "b", "c"]


@everywhere
def test_documents(place: Place) -> None:
    """Any str is a document; empty is not none."""
    documents = [made(text) for text in DOCUMENTS.values()]
    ids = [f"d{row}" for row in range(len(documents))]
    place.call(place.things, "add")(ids=ids, embeddings=np.ones((len(ids), 2)), documents=documents, uris=documents)

    got = place.call(place.things, "get")(ids=ids, include=["documents", "uris"])
    assert got["documents"] == got["uris"] == [plain(text) for text in documents]
    for id, text in zip(ids, map(plain, documents), strict=True):
        if text:
            assert id in place.call(place.things, "get")(where_document={"$contains": text})["ids"]


@everywhere
def test_metadata(place: Place) -> None:
    """Values come back with their types, under any key, and are found by filters that name both."""
    values = [plain(made(value)) for value in VALUES.values()]
    ids = [f"v{row}" for row in range(len(values))]
    metadatas = [{KEYS[row % len(KEYS)]: made(value)} for row, value in enumerate(VALUES.values())]
    place.call(place.things, "add")(ids=ids, embeddings=np.ones((len(ids), 2)), metadatas=metadatas)

    got = place.call(place.things, "get")(ids=ids)["metadatas"]
    for row, value in enumerate(values):
        key = KEYS[row % len(KEYS)]
        [kept] = [got[row][key]]
        assert (
            (repr(kept), type(kept)) == (repr(int(value)), int)
            if type(value).__name__ == "Whole"
            else (
                repr(value),
                type(value),
            )
        )
        if not isinstance(value, (list, dict)):
            assert ids[row] in place.call(place.things, "get")(where=Key(key) == value)["ids"]


@everywhere
@pytest.mark.parametrize("metric", Metric)
def test_embeddings(place: Place, metric: Metric) -> None:
    """Every finite float32 comes back to the bit; distances are right, or infinite beyond float32, never NaN."""
    configuration = {"hnsw": {"space": metric.value}}
    things = place.call(place.client, "create_collection")(
        "vectors", configuration=configuration, embedding_function=None
    )
    ids, rows = list(EMBEDDINGS), np.array(list(EMBEDDINGS.values()), dtype=np.float32)
    place.call(things, "add")(ids=ids, embeddings=rows)

    got = place.call(things, "get")(include=["embeddings"])["embeddings"]
    assert got.tobytes() == rows.tobytes()
    for query in rows:
        found = place.call(things, "query")(query)
        with np.errstate(over="ignore"):
            truth = dict(zip(ids, true_distances(query, rows, metric).astype(np.float32), strict=True))
        assert found["distances"][0] == sorted(found["distances"][0])
        assert np.allclose(found["distances"][0], [truth[id] for id in found["ids"][0]], rtol=1e-5, atol=1e-6)


@everywhere
@pytest.mark.parametrize("most", [1, 7, 2**31, 2**63 - 1, 2**63, 10**30, np.int8(100)])
def test_large_numbers(place: Place, most: Any) -> None:
    """A limit, an offset or a number of results beyond all records is all of them, or none."""
    get, query = place.call(place.things, "get"), place.call(place.things, "query")
    count = min(3, int(most))
    assert len(get(limit=most)["ids"]) == count
    assert len(get(offset=most)["ids"]) == 3 - count
    assert len(query([1, 2], n_results=most)["ids"][0]) == count
    assert len(place.call(place.things, "search_text")("apple pears", n_results=most)["ids"][0]) == min(2, count)


@everywhere
def test_regular_expressions_that_blow_up(place: Place) -> None:
    """What takes others for ever takes linear time, in documents and in metadata."""
    text = "a" * 50_000 + "!"
    place.call(place.things, "add")(ids="long", embeddings=[1, 2], documents=text, metadatas={"text": text})
    for pattern in ("(a+)+$", "(a|aa)+$", "^(a?){900}a{900}$", "(.*)(.*)(.*)(.*)[^a!]$", "(?i)(a*)*b"):
        assert place.call(place.things, "get")(ids="long", where_document={"$regex": pattern})["ids"] == []
        assert place.call(place.things, "get")(ids="long", where={"text": {"$regex": pattern}})["ids"] == []


@everywhere
def test_arguments_that_change_afterwards(place: Place) -> None:
    """What was given was taken: nothing that happens to it later is seen."""
    vectors, values = np.array([[5.0, 5.0]], dtype=np.float32), [1, [2], {"k": 3}]
    ids, metadata = ["own"], {"list": values}
    place.call(place.things, "add")(ids=ids, embeddings=vectors, metadatas=[metadata])
    vectors[:] = 0
    values[1].append(9)
    values[2]["k"] = 9
    metadata["more"] = 9
    ids[0] = "other"

    got = place.call(place.things, "get")(ids="own", include=["embeddings", "metadatas"])
    assert (got["embeddings"].tolist(), got["metadatas"]) == ([[5, 5]], [{"list": [1, [2], {"k": 3}]}])
    got["metadatas"][0]["list"].append(9)
    assert place.call(place.things, "get")(ids="own")["metadatas"] == [{"list": [1, [2], {"k": 3}]}]


class Meddling(chromadb.EmbeddingFunction[Any]):
    """Changes the caller's lists while the call runs."""

    def __init__(self, *lists: list[Any]) -> None:
        self.lists = lists

    def __call__(self, input: Any) -> list[list[float]]:
        for given in self.lists:
            given[:] = ["changed"] * 7
        return [[1.0, 2.0] for _ in input]


@pytest.mark.parametrize("place", FEW, indirect=True)
def test_arguments_that_change_during_the_call(place: Place) -> None:
    """An embedding function that meddles with the lists of the call changes nothing of what is written."""
    ids, documents, metadatas = ["m", "n"], ["one", "two"], [{"k": 1}, {"k": 2}]
    function = Meddling(ids, documents, metadatas)
    meddled = place.call(place.client, "create_collection")("meddled", embedding_function=function)
    place.call(meddled, "add")(ids=ids, documents=documents, metadatas=metadatas)

    got = place.call(meddled, "get")()
    assert (got["ids"], got["documents"], got["metadatas"]) == (["m", "n"], ["one", "two"], [{"k": 1}, {"k": 2}])


CALLS: dict[str, dict[str, Any]] = {
    "add": {"ids": "x", "embeddings": [1, 2]},
    "upsert": {"ids": "x", "embeddings": [1, 2]},
    "update": {"ids": "a", "embeddings": [1, 2]},
    "delete": {"ids": "a"},
    "get": {},
    "peek": {},
    "count": {},
    "query": {"query_embeddings": [1, 2]},
    "explain": {"query_embeddings": [1, 2]},
    "search_text": {"query_texts": "apple"},
    "search_hybrid": {"query_texts": "apple", "query_embeddings": [1, 2]},
    "modify": {"name": "renamed"},
    "create_index": {},
    "info": {},
}


@everywhere
def test_a_deleted_collection(place: Place) -> None:
    """Every method says that it is gone."""
    place.call(place.client, "delete_collection")("things")
    for name, arguments in CALLS.items():
        with pytest.raises(NotFoundError):
            place.call(place.things, name)(**arguments)


@pytest.mark.parametrize("settings", [{}, {"path": "store"}], ids=["memory", "duckdb"])
@pytest.mark.parametrize("awaited", [False, True])
def test_a_closed_client(
    settings: dict[str, Any], awaited: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every method of it and of its collections says that it is closed."""
    monkeypatch.chdir(tmp_path)
    with asyncio.Runner() as loop:

        def done(result: Any) -> Any:
            return loop.run(_awaited(result)) if awaited else result

        client: Any = (chromadb.AsyncClient if awaited else chromadb.Client)(**settings)
        things = done(client.create_collection("things", embedding_function=None))
        done(client.close())
        done(client.close())
        for name, arguments in CALLS.items():
            with pytest.raises(ClosedError):
                done(getattr(things, name)(**arguments))
        for name, given in {
            "list_collections": [],
            "count_collections": [],
            "create_collection": ["more"],
            "get_collection": ["things"],
            "delete_collection": ["things"],
            "heartbeat": [],
            "reset": [],
            "persist": [],
            "compact": [],
            "info": [],
            "get_max_batch_size": [],
            "list_databases": [],
            "create_tenant": ["more"],
            "set_tenant": ["default_tenant"],
            "get_user_identity": [],
        }.items():
            with pytest.raises(ClosedError):
                done(getattr(client, name)(*given))


async def _awaited(result: Any) -> Any:
    return await result
