"""The record routes: what goes in and comes out on the wire."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import numpy as np
import pytest


def encoded(*rows: list[float]) -> list[str]:
    return [base64.b64encode(np.array(row, dtype="<f4").tobytes()).decode() for row in rows]


def everything(api: httpx.Client, collection: str) -> dict[str, Any]:
    answer = api.post(f"{collection}/get", json={"include": ["embeddings", "metadatas", "documents", "uris"]})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


@pytest.mark.parametrize("rows", [[[1.5, 2.0], [3.0, 4.0]], encoded([1.5, 2.0], [3.0, 4.0])], ids=["lists", "base64"])
def test_add_takes_both_forms_of_embeddings(api: httpx.Client, collection: str, rows: list[Any]) -> None:
    """Lists of numbers and base64 of float32 are the same records."""
    answer = api.post(f"{collection}/add", json={"ids": ["a", "b"], "embeddings": rows})

    assert (answer.status_code, answer.json()) == (201, {})
    assert everything(api, collection) == {
        "ids": ["a", "b"],
        "embeddings": [[1.5, 2.0], [3.0, 4.0]],
        "documents": [None, None],
        "metadatas": [None, None],
        "uris": [None, None],
        "include": ["embeddings", "metadatas", "documents", "uris"],
    }


def test_add_leaves_known_ids_alone(api: httpx.Client, three: str) -> None:
    """201 and no word about it, as Chroma answers."""
    answer = api.post(f"{three}/add", json={"ids": ["a", "d"], "embeddings": [[9, 9], [4, 0]]})

    assert (answer.status_code, answer.json()) == (201, {})
    result = everything(api, three)
    assert result["ids"] == ["a", "b", "c", "d"]
    assert result["embeddings"][0] == [1.0, 0.0]


def test_update_merges_and_passes_over_unknown_ids(api: httpx.Client, three: str) -> None:
    """Embeddings that are null stay; a metadata key that is null goes."""
    body = {
        "ids": ["a", "unknown", "b"],
        "embeddings": [None, [7, 7], [8, 8]],
        "metadatas": [{"n": None, "m": 1}, None, None],
    }
    answer = api.post(f"{three}/update", json=body)

    assert (answer.status_code, answer.json()) == (200, {})
    result = everything(api, three)
    assert result["ids"] == ["a", "b", "c"]
    assert result["embeddings"] == [[1.0, 0.0], [8.0, 8.0], [3.0, 0.0]]
    assert result["metadatas"] == [{"m": 1}, {"n": 2}, None]
    assert result["documents"] == ["one apple", "two pears", None]


def test_update_without_embeddings(api: httpx.Client, three: str) -> None:
    """All null, and none at all, change the documents only."""
    for number, embeddings in enumerate([None, [None]]):
        body = {"ids": ["c"], "embeddings": embeddings, "documents": [f"text {number}"]}
        assert api.post(f"{three}/update", json=body).status_code == 200
        assert everything(api, three)["documents"][2] == f"text {number}"
    assert everything(api, three)["embeddings"][2] == [3.0, 0.0]


def test_upsert_changes_and_adds(api: httpx.Client, three: str) -> None:
    """Metadata of known records is merged."""
    body = {"ids": ["a", "d"], "embeddings": encoded([5, 5], [6, 6]), "metadatas": [{"x": True}, {"y": 0.5}]}
    assert api.post(f"{three}/upsert", json=body).json() == {}

    result = everything(api, three)
    assert result["ids"] == ["a", "b", "c", "d"]
    assert result["metadatas"] == [{"n": 1, "x": True}, {"n": 2}, None, {"y": 0.5}]


def test_get_defaults_and_filters(api: httpx.Client, three: str) -> None:
    """Metadata and documents by default; ids in their order; empty filters are no filter; an empty list is nothing."""
    assert api.post(f"{three}/get", json={}).json() == {
        "ids": ["a", "b", "c"],
        "embeddings": None,
        "documents": ["one apple", "two pears", None],
        "uris": None,
        "metadatas": [{"n": 1}, {"n": 2}, None],
        "include": ["metadatas", "documents"],
    }
    for body, ids in [
        ({"ids": ["c", "a", "unknown"]}, ["c", "a"]),
        ({"ids": []}, []),
        ({"where": {"n": {"$gt": 1}}}, ["b"]),
        ({"where": {}, "where_document": {}}, ["a", "b", "c"]),
        ({"where_document": {"$contains": "apple"}}, ["a"]),
        ({"limit": 1, "offset": 1}, ["b"]),
        ({"limit": 0}, []),
        ({"include": []}, ["a", "b", "c"]),
        ({"ids": None, "where": None, "limit": None, "offset": None, "include": None}, ["a", "b", "c"]),
    ]:
        assert api.post(f"{three}/get", json=body).json()["ids"] == ids, body


def test_query(api: httpx.Client, three: str) -> None:
    """One list per query, nearest first; fewer records than asked for are all of them."""
    answer = api.post(f"{three}/query", json={"query_embeddings": [[3, 0], [1, 0]], "n_results": 2})

    assert answer.json() == {
        "ids": [["c", "b"], ["a", "b"]],
        "embeddings": None,
        "documents": [[None, "two pears"], ["one apple", "two pears"]],
        "uris": None,
        "metadatas": [[None, {"n": 2}], [{"n": 1}, {"n": 2}]],
        "distances": [[0.0, 1.0], [0.0, 1.0]],
        "include": ["metadatas", "documents", "distances"],
    }
    body = {"query_embeddings": [[0, 0]], "ids": ["b", "unknown"], "include": ["embeddings"]}
    found = api.post(f"{three}/query", json=body).json()
    assert (found["ids"], found["embeddings"], found["distances"]) == ([["b"]], [[[2.0, 0.0]]], None)


def test_query_of_an_empty_collection(api: httpx.Client, collection: str) -> None:
    """An empty list per query."""
    assert api.post(f"{collection}/query", json={"query_embeddings": [[1, 2], [3, 4]]}).json()["ids"] == [[], []]


def test_delete(api: httpx.Client, three: str) -> None:
    """The number says how many were there; nothing asked is nothing deleted."""
    assert api.post(f"{three}/delete", json={}).json() == {"deleted": 0}
    assert api.post(f"{three}/delete", json={"ids": []}).json() == {"deleted": 0}
    assert api.post(f"{three}/delete", json={"ids": ["a", "unknown"]}).json() == {"deleted": 1}
    assert api.post(f"{three}/delete", json={"where": {"n": 2}, "limit": 5}).json() == {"deleted": 1}
    assert api.get(f"{three}/count").json() == 1


def test_count_and_indexing_status(api: httpx.Client, three: str) -> None:
    """Every write is counted and searchable when it is acknowledged."""
    assert api.get(f"{three}/count", params={"read_level": "index_and_wal"}).json() == 3
    assert api.get(f"{three}/indexing_status").json() == {
        "num_indexed_ops": 3,
        "num_unindexed_ops": 0,
        "total_ops": 3,
        "op_indexing_progress": 1.0,
    }


MISTAKES: list[tuple[str, dict[str, Any], int, str]] = [
    ("add", {}, 400, "InvalidArgumentError"),
    ("add", {"ids": []}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": None}, 400, "InvalidArgumentError"),
    ("add", {"ids": "x", "embeddings": [[1, 2]]}, 400, "InvalidArgumentError"),
    ("add", {"ids": [""], "embeddings": [[1, 2]]}, 400, "InvalidArgumentError"),
    ("add", {"ids": [1], "embeddings": [[1, 2]]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x", "x"], "embeddings": [[1, 2], [1, 2]]}, 400, "DuplicateID"),
    ("add", {"ids": ["x", "y"], "embeddings": [[1, 2]]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": [[1, 2, 3]]}, 400, "InvalidDimension"),
    ("add", {"ids": ["x", "y"], "embeddings": [[1, 2], [1]]}, 400, "InvalidDimension"),
    ("add", {"ids": ["x", "y"], "embeddings": [*encoded([1, 2]), *encoded([1])]}, 400, "InvalidDimension"),
    ("add", {"ids": ["x", "y"], "embeddings": [*encoded([1, 2]), [1, 2]]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": ["AAAA"]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": ["!!"]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": ["é"]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": encoded([float("nan"), 1.0])}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": [[True, 1]]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": [["a", 1]]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": [[1e39, 1]]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": [[1, 2]], "metadatas": [{"a": 2**63}]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": [[1, 2]], "metadatas": [{"a": 2**80}]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": [[1, 2]], "metadatas": [{"a": [2**80]}]}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": [[1, 2]], "metadatas": [{"": 1}]}, 400, "InvalidArgumentError"),
    (
        "add",
        {"ids": ["x"], "embeddings": [[1, 2]], "metadatas": [{"chroma:document": "x"}]},
        400,
        "InvalidArgumentError",
    ),
    ("add", {"ids": ["x"], "embeddings": [[1, 2]], "metadatas": {"a": 1}}, 400, "InvalidArgumentError"),
    ("add", {"ids": ["x"], "embeddings": [[1, 2]], "documents": [1]}, 400, "InvalidArgumentError"),
    ("upsert", {"ids": ["x"]}, 400, "InvalidArgumentError"),
    ("update", {"ids": ["a"], "embeddings": [[1, 2], None]}, 400, "InvalidArgumentError"),
    ("update", {"ids": ["a", "b"], "embeddings": [[1, 2, 3], None]}, 400, "InvalidDimension"),
    ("update", {"ids": ["a", "a"], "embeddings": [[1, 2], None]}, 400, "DuplicateID"),
    ("get", {"ids": "a"}, 400, "InvalidArgumentError"),
    ("get", {"where": []}, 400, "InvalidArgumentError"),
    ("get", {"where": {"$bad": 1}}, 400, "InvalidArgumentError"),
    ("get", {"where": {"a": 2**80}}, 400, "InvalidArgumentError"),
    ("get", {"limit": -1}, 400, "InvalidArgumentError"),
    ("get", {"limit": "1"}, 400, "InvalidArgumentError"),
    ("get", {"offset": 1.5}, 400, "InvalidArgumentError"),
    ("get", {"include": ["nothing"]}, 400, "InvalidArgumentError"),
    ("get", {"include": [1]}, 400, "InvalidArgumentError"),
    ("get", {"include": "documents"}, 400, "InvalidArgumentError"),
    ("query", {}, 400, "InvalidArgumentError"),
    ("query", {"query_embeddings": []}, 400, "InvalidArgumentError"),
    ("query", {"query_embeddings": [[]]}, 400, "InvalidArgumentError"),
    ("query", {"query_embeddings": [[1, 2, 3]]}, 400, "InvalidDimension"),
    ("query", {"query_embeddings": [[1, 2]], "n_results": 0}, 400, "InvalidArgumentError"),
    ("query", {"query_embeddings": [[1, 2]], "n_results": True}, 400, "InvalidArgumentError"),
    ("delete", {"where": {}}, 400, "InvalidArgumentError"),
    ("delete", {"ids": ["a"], "limit": 1}, 400, "InvalidArgumentError"),
    ("search", {}, 400, "InvalidArgumentError"),
    ("fork", {"new_name": "other"}, 501, "UnsupportedError"),
    ("functions/attach", {}, 501, "UnsupportedError"),
]


@pytest.mark.parametrize(("route", "body", "status", "name"), MISTAKES)
def test_mistakes(api: httpx.Client, three: str, route: str, body: dict[str, Any], status: int, name: str) -> None:
    """A clear error with a trace id, and nothing has changed."""
    before = everything(api, three)
    answer = api.post(f"{three}/{route}", content=_json(body))

    assert (answer.status_code, answer.json()["error"]) == (status, name), answer.text
    assert answer.json()["message"]
    assert len(answer.headers["chroma-trace-id"]) == 32
    assert everything(api, three) == before


def _json(body: Any) -> bytes:
    import json

    return json.dumps(body).encode()


def test_wide_floats_stay_floats(api: httpx.Client, collection: str) -> None:
    """Only integers that do not fit are refused, not the floats of the same size."""
    raw = b'{"ids": ["a"], "embeddings": [[1]], "metadatas": [{"x": 1e30, "y": 9223372036854775807, "z": 1.0}]}'
    assert api.post(f"{collection}/add", content=raw).status_code == 201
    stored = everything(api, collection)["metadatas"][0]
    assert stored == {"x": 1e30, "y": 2**63 - 1, "z": 1.0}
    assert type(stored["z"]) is float


def test_every_value_comes_back(api: httpx.Client, collection: str) -> None:
    """Lists, objects, null and text of all kinds survive the way."""
    metadata = {"list": [1, "a", None, True], "nested": {"a.b": {"c": 0.1}}, "none": None, "text": 'q"\\\n\u0000é😀'}
    body = {"ids": ["😀/..\u0000'"], "embeddings": [[0.1]], "metadatas": [metadata], "documents": ["\u0000é"]}
    assert api.post(f"{collection}/add", json=body).status_code == 201
    result = everything(api, collection)
    assert (result["ids"], result["metadatas"], result["documents"]) == (body["ids"], [metadata], ["\u0000é"])
    assert np.float32(result["embeddings"][0][0]) == np.float32(0.1)
