"""The routes under /store/: a store's own questions and answers, nothing lost on the way."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import numpy as np
import pytest

from chroma_plugin.filters import Key
from chroma_plugin.filters.wire import to_wire


def matrix(*rows: list[float]) -> str:
    return base64.b64encode(np.array(rows, dtype="<f4").tobytes()).decode()


def floats(text: str, dimension: int) -> list[list[float]]:
    rows: list[list[float]] = np.frombuffer(base64.b64decode(text), "<f4").reshape(-1, dimension).tolist()
    return rows


def records(ids: list[str], rows: list[list[float]], **columns: Any) -> dict[str, Any]:
    blank: list[None] = [None] * len(ids)
    columns = {"documents": blank, "metadatas": blank, "uris": None} | columns
    return {"records": {"ids": ids, "embeddings": matrix(*rows), "dimension": len(rows[0]), **columns}}


@pytest.fixture
def store(api: httpx.Client, three: str) -> str:
    return f"{three}/store"


def test_put_and_scan(api: httpx.Client, store: str) -> None:
    """Known records are replaced whole and keep their place."""
    body = records(["b", "d"], [[8, 8], [4, 4]], documents=[None, "four"], metadatas=[{"x": None}, None])
    assert api.post(f"{store}/put", json=body).json() == {}

    found = api.post(f"{store}/scan", json={}).json()["records"]
    assert found["ids"] == ["a", "b", "c", "d"]
    assert floats(found["embeddings"], found["dimension"]) == [[1, 0], [8, 8], [3, 0], [4, 4]]
    assert found["documents"] == ["one apple", None, None, "four"]
    assert found["metadatas"] == [{"n": 1}, {"x": None}, None, None]
    assert found["uris"] == ["u:a", None, None, None]


def test_insert_says_what_was_known(api: httpx.Client, store: str) -> None:
    """And leaves that alone."""
    answer = api.post(f"{store}/insert", json=records(["a", "d"], [[9, 9], [4, 4]]))
    assert answer.json() == {"known": ["a"]}
    found = api.post(f"{store}/scan", json={"ids": ["d", "a"], "fields": ["embeddings"]}).json()["records"]
    assert (found["ids"], found["documents"]) == (["d", "a"], None)
    assert floats(found["embeddings"], 2) == [[4, 4], [1, 0]]


def test_update_replaces_columns(api: httpx.Client, store: str) -> None:
    """None inside a column is None afterwards; unknown ids are passed over."""
    body = {"records": {"ids": ["a", "gone"], "documents": [None, "x"], "metadatas": [{"m": [1]}, None]}}
    assert api.post(f"{store}/update", json=body).json() == {}
    found = api.post(f"{store}/scan", json={"ids": ["a", "gone"]}).json()["records"]
    assert (found["ids"], found["documents"], found["metadatas"]) == (["a"], [None], [{"m": [1]}])


def test_merge_changes_what_is_given(api: httpx.Client, store: str) -> None:
    """Metadata key by key; None leaves a document, and takes a key away; unknown ids are passed over."""
    before = api.post(f"{store}/scan", json={"ids": ["a"]}).json()["records"]
    body = {"records": {"ids": ["gone", "a"], "documents": ["x", None], "metadatas": [None, {"m": [1], "n": None}]}}
    assert api.post(f"{store}/merge", json=body).json() == {"merged": ["a"]}
    after = api.post(f"{store}/scan", json={"ids": ["a", "gone"]}).json()["records"]
    assert after == {**before, "metadatas": [{"m": [1]}]}


def test_filters_and_order(api: httpx.Client, store: str) -> None:
    """Any filter of ours, also those that Chroma can't say, and any order."""
    where = to_wire(~(Key("n") == 1) & (Key("n").exists()))
    assert api.post(f"{store}/scan", json={"where": where}).json()["records"]["ids"] == ["b"]
    assert api.post(f"{store}/count", json={"where": where}).json() == {"count": 1}
    assert api.post(f"{store}/count", json={}).json() == {"count": 3}
    order = [{"path": ["n"], "descending": True}, {"path": "#id", "descending": True}]
    body = {"order": order, "limit": 2, "offset": 1, "fields": []}
    assert api.post(f"{store}/scan", json=body).json()["records"]["ids"] == ["a", "c"]
    assert api.post(f"{store}/delete_where", json={"where": where}).json() == {"deleted": 1}
    assert api.post(f"{store}/delete", json={"ids": ["a", "b"]}).json() == {"deleted": 1}
    assert api.post(f"{store}/scan", json={"ids": []}).json()["records"]["ids"] == []


def test_search(api: httpx.Client, store: str) -> None:
    """Distances bit for bit; ids, filter and a bound restrict."""
    ask = {"embeddings": matrix([0.0, 0.0], [3.0, 0.0]), "dimension": 2, "count": 2, "k": 2, "metric": "l2"}
    first, second = api.post(f"{store}/search", json={**ask, "fields": ["documents"]}).json()["hits"]
    assert (first["records"]["ids"], second["records"]["ids"]) == (["a", "b"], ["c", "b"])
    assert first["records"]["documents"] == ["one apple", "two pears"]
    assert floats(first["distances"], 1) == [[1], [4]]
    narrow = {"ids": ["b", "c"], "max_distance": 1.0, "exact": True, "where": to_wire(Key("n") == 2)}
    hits = api.post(f"{store}/search", json={**ask, **narrow}).json()["hits"]
    assert [hit["records"]["ids"] for hit in hits] == [[], ["b"]]


def test_an_empty_store(api: httpx.Client, collection: str) -> None:
    """Nothing is found in it, with columns as for any other."""
    found = api.post(f"{collection}/store/scan", json={}).json()["records"]
    assert (found["ids"], found["documents"], found["metadatas"]) == ([], [], [])
    ask = {"embeddings": matrix([0.0, 0.0]), "dimension": 2, "k": 2}
    [hits] = api.post(f"{collection}/store/search", json=ask).json()["hits"]
    assert (hits["records"]["ids"], hits["distances"]) == ([], "")


def test_search_text(api: httpx.Client, store: str) -> None:
    """One list of records and scores per query; filters, ids and columns as for a search."""
    api.post(f"{store}/put", json=records(["d", "e"], [[4, 0], [5, 0]], documents=["apple apple", "a pear"]))
    ask = {"queries": ["apple", "pear one", "!"], "k": 5, "fields": ["documents"]}
    apple, both, nothing = api.post(f"{store}/search_text", json=ask).json()["ranked"]
    assert apple["records"]["ids"] == ["d", "a"]
    assert apple["records"]["documents"] == ["apple apple", "one apple"]
    assert apple["scores"] == sorted(apple["scores"], reverse=True)
    assert (both["records"]["ids"], both["records"]["metadatas"]) == (["a", "e"], None)
    assert nothing["scores"] == nothing["records"]["ids"] == []

    ask = {"queries": ["apple"], "k": 1, "ids": ["a", "e"], "where": to_wire(Key("n") == 1)}
    [one] = api.post(f"{store}/search_text", json=ask).json()["ranked"]
    assert (one["records"]["ids"], one["records"]["documents"]) == (["a"], None)
    assert one["scores"] == apple["scores"][1:]


def test_optimize_and_stats(api: httpx.Client, store: str) -> None:
    """They answer."""
    assert api.post(f"{store}/optimize").json() == {}
    assert isinstance(api.post(f"{store}/stats").json(), dict)


@pytest.mark.parametrize(
    ("operation", "body", "name"),
    [
        ("put", {}, "InvalidArgumentError"),
        ("put", {"records": []}, "InvalidArgumentError"),
        ("put", {"records": {"ids": ["x"]}}, "InvalidArgumentError"),
        ("put", records(["x"], [[1, 2, 3]]), "InvalidDimension"),
        ("put", records(["x", "x"], [[1, 2], [3, 4]]), "DuplicateID"),
        ("put", records(["x", "y"], [[1, 2]]), "InvalidArgumentError"),
        ("put", records(["x"], [[float("nan"), 2]]), "InvalidArgumentError"),
        ("put", records(["x"], [[1, 2]], metadatas=[{"a": 2**70}]), "InvalidArgumentError"),
        ("put", {"records": {"ids": ["x"], "embeddings": "AAAA", "dimension": 0}}, "InvalidDimension"),
        ("insert", {"records": {"ids": ["x"], "embeddings": "A", "dimension": 1}}, "InvalidArgumentError"),
        ("update", {"records": {"ids": [""]}}, "InvalidArgumentError"),
        ("merge", {"records": {"ids": [""]}}, "InvalidArgumentError"),
        ("delete", {}, "InvalidArgumentError"),
        ("delete_where", {}, "InvalidArgumentError"),
        ("delete_where", {"where": {}}, "InvalidArgumentError"),
        ("scan", {"fields": ["data"]}, "InvalidArgumentError"),
        ("scan", {"fields": [[]]}, "InvalidArgumentError"),
        ("scan", {"order": ["n"]}, "InvalidArgumentError"),
        ("scan", {"order": [{"path": 5}]}, "InvalidArgumentError"),
        ("scan", {"limit": -1}, "InvalidArgumentError"),
        ("count", {"where": {"path": ["a"], "op": "$bad", "value": 1}}, "InvalidArgumentError"),
        ("search", {}, "InvalidArgumentError"),
        ("search", {"embeddings": matrix([1, 2]), "dimension": 2, "k": 0}, "InvalidArgumentError"),
        ("search", {"embeddings": matrix([1, 2]), "dimension": 2, "k": 1, "metric": "ip"}, "InvalidArgumentError"),
        ("search", {"embeddings": matrix([1]), "dimension": 1, "k": 1}, "InvalidDimension"),
        ("search_text", {"k": 1}, "InvalidArgumentError"),
        ("search_text", {"queries": [], "k": 1}, "InvalidArgumentError"),
        ("search_text", {"queries": ["x", None], "k": 1}, "InvalidArgumentError"),
        ("search_text", {"queries": "x", "k": 1}, "InvalidArgumentError"),
        ("search_text", {"queries": ["x"], "k": 0}, "InvalidArgumentError"),
        ("search_text", {"queries": ["x"], "k": 1, "fields": ["scores"]}, "InvalidArgumentError"),
    ],
)
def test_mistakes_change_nothing(
    api: httpx.Client, store: str, operation: str, body: dict[str, Any], name: str
) -> None:
    """400 as for every mistake, all or nothing."""
    import json

    before = api.post(f"{store}/scan", json={}).json()
    answer = api.post(f"{store}/{operation}", content=json.dumps(body).replace("NaN", "null").encode())
    assert (answer.status_code, answer.json()["error"]) == (400, name), answer.text
    assert api.post(f"{store}/scan", json={}).json() == before
