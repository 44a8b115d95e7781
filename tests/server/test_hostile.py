"""Requests that are meant to hurt: each gets an answer, the server lives, nothing has changed."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from support.server import RunningServer

HUGE_OR = {"$or": [{"n": i} for i in range(20_000)]}
DEEP_AND: Any = {"n": 1}
for _ in range(400):
    DEEP_AND = {"$and": [DEEP_AND]}
DEEP_LIST = b"[" * 5000 + b"]" * 5000
DEEP_OBJECT = b'{"a":' * 900 + b"1" + b"}" * 900

DEEP_FUNCTION = (
    b'{"new_configuration": {"embedding_function": {"type": "known", "name": "a", "config": %s}}}' % DEEP_OBJECT
)


def _body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


ONE = {"ids": ["x"], "embeddings": [[1, 2]]}

HOSTILE: list[tuple[str, str, bytes]] = [
    ("POST", "get", _body(where=HUGE_OR)),
    ("POST", "get", _body(where={"$and": [HUGE_OR]})),
    ("POST", "delete", _body(where=HUGE_OR)),
    ("POST", "query", _body(query_embeddings=[[1, 2]], where=HUGE_OR)),
    ("POST", "get", _body(where=DEEP_AND)),
    ("POST", "delete", _body(where=DEEP_AND)),
    ("POST", "get", b'{"where": ' + DEEP_LIST + b"}"),
    ("POST", "get", DEEP_LIST),
    ("POST", "add", b'{"ids": ["x"], "embeddings": [[1, 2]], "metadatas": [' + DEEP_OBJECT + b"]}"),
    ("POST", "add", b'{"ids": ["x"], "embeddings": ' + DEEP_LIST + b"}"),
    ("POST", "get", b""),
    ("POST", "get", b"{"),
    ("POST", "get", b"null"),
    ("POST", "get", b"[]"),
    ("POST", "get", b'"text"'),
    ("POST", "get", b"\xff\xfe{}"),
    ("POST", "get", b'{"ids": ["\\ud800"]}'),
    ("POST", "get", b'{"ids": [NaN]}'),
    ("POST", "get", b"\x00" * 1000),
    ("POST", "add", b'{"ids": ["x"], "embeddings": [[NaN, 1]]}'),
    ("POST", "add", b'{"ids": ["x"], "embeddings": [[Infinity, 1]]}'),
    ("POST", "add", b'{"ids": ["x"], "embeddings": [[1e400, 1]]}'),
    ("POST", "add", b'{"ids": ["x"], "embeddings": [[1, 2]], "metadatas": [{"a": 1e400}]}'),
    ("POST", "add", b'{"ids": ["x"], "embeddings": [[1, 2]], "metadatas": [{"a": 1' + b"0" * 5000 + b"}]}"),
    ("POST", "add", _body(**ONE, metadatas=[{"a": 2**80}])),
    ("POST", "add", _body(**ONE, metadatas=[{"a": -(2**80)}])),
    ("POST", "add", _body(**ONE, metadatas=[{"$where": 1}])),
    ("POST", "add", _body(**ONE, metadatas=[{"#id": 1}])),
    ("POST", "add", _body(**ONE, metadatas=[[1]])),
    ("POST", "add", _body(**ONE, documents=[{"a": 1}])),
    ("POST", "add", _body(**ONE, documents="text")),
    ("POST", "add", _body(**ONE, uris=[5])),
    ("POST", "add", _body(ids=[None], embeddings=[[1, 2]])),
    ("POST", "add", _body(ids=[["x"]], embeddings=[[1, 2]])),
    ("POST", "add", _body(ids={"x": 1}, embeddings=[[1, 2]])),
    ("POST", "add", _body(ids=["x"], embeddings=[[[1, 2]]])),
    ("POST", "add", _body(ids=["x"], embeddings=[[1, [2]]])),
    ("POST", "add", _body(ids=["x"], embeddings=[["1", "2"]])),
    ("POST", "add", _body(ids=["x"], embeddings=[[]])),
    ("POST", "add", _body(ids=["x"], embeddings=[{"a": 1}])),
    ("POST", "add", _body(ids=["x"], embeddings=[[0] * 100_000])),
    ("POST", "add", _body(ids=["x"] * 5000, embeddings=[[1, 2]] * 5000)),
    ("POST", "query", _body(query_embeddings=[[1, 2]], n_results=-1)),
    ("POST", "query", _body(query_embeddings=[[1, 2]], n_results="many")),
    ("POST", "query", _body(query_embeddings=[1, "x"])),
    ("POST", "query", _body(query_embeddings="AAAA")),
    ("POST", "get", _body(limit=-(2**70))),
    ("POST", "get", _body(offset=-1)),
    ("POST", "get", _body(limit={"$gt": 1})),
    ("POST", "get", _body(where={"a": {"$regex": "("}})),
    ("POST", "get", _body(where={"a": {"$in": []}, "b": {"$bad": 1}})),
    ("POST", "get", _body(where={"a": {"$eq": {"$gt": 1}}})),
    ("POST", "get", _body(where_document={"$contains": 5})),
    ("POST", "get", _body(where_document={"$regex": "(" * 5000})),
    ("POST", "get", _body(include=["documents"] * 3 + ["../../etc/passwd"])),
    ("PUT", "", _body(new_name="../../../../tmp/x")),
    ("PUT", "", _body(new_name="x" * 10_000)),
    ("PUT", "", _body(new_metadata={"a": float(10)}, new_configuration={"hnsw": {"max_neighbors": 10**9}})),
    ("PUT", "", _body(new_configuration={"embedding_function": {"type": "known", "name": 5}})),
    ("PUT", "", DEEP_FUNCTION),
    ("POST", "store/put", b'{"records": {"ids": ["x"], "embeddings": "AAAAAAAAAAA=", "dimension": -2}}'),
    ("POST", "store/put", b'{"records": {"ids": ["x"], "embeddings": "AAAAAAAAAAA=", "dimension": 99999999999999}}'),
    ("POST", "store/scan", b'{"where": ' + b'{"not": ' * 900 + b"{}" + b"}" * 901),
    ("POST", "store/count", _body(where={"or": [{"path": ["n"], "op": "$eq", "value": 1}] * 20_000})),
    ("POST", "store/search", _body(embeddings="AAAA", dimension=1, k=2**70)),
    ("GET", "count?limit=" + "9" * 5000, b""),
    ("GET", "../../../../etc/passwd", b""),
    ("GET", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", b""),
    ("GET", "%00", b""),
    ("GET", "%ff%fe", b""),
    ("DELETE", "count", b""),
    ("PATCH", "", b"{}"),
    ("BREW", "count", b""),
]  # fmt: skip


def _state(api: httpx.Client, collection: str) -> Any:
    scanned = api.post(f"{collection}/store/scan", json={}).json()
    return scanned, api.get(collection.replace("/collections/", "/collections/by-id/")).json()


@pytest.mark.parametrize(("method", "route", "body"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_request(
    api: httpx.Client, three: str, server: RunningServer, method: str, route: str, body: bytes
) -> None:
    """Some 4xx with a trace id and a short answer, or a harmless success; never a crash, never a change."""
    before = _state(api, three)
    url = f"{three}/{route}" if route else three
    answer = api.request(method, url, content=body or None)

    assert answer.status_code < 500, answer.text
    assert answer.headers["chroma-trace-id"]
    assert len(answer.content) < 2000
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error", "message"}
    assert _state(api, three) == before
    assert server.process.poll() is None


def test_names_and_ids_are_only_data(api: httpx.Client, three: str, database: str) -> None:
    """Quotes, semicolons, NUL and path tricks in ids, keys, values and filters match themselves and nothing else."""
    nasty = ["'; DROP TABLE records; --", '"', "\\", "$eq", "%s{0}", "\u0000", "../..", "' OR '1'='1", "😀" * 100]
    rows = [
        {"ids": [text], "embeddings": [[1, 2]], "metadatas": [{f"k{text}": text}], "documents": [text]}
        for text in nasty
    ]
    for row in rows:
        assert api.post(f"{three}/add", json=row).status_code == 201
    for text in nasty:
        for body in (
            {"ids": [text]},
            {"where": {f"k{text}": text}},
            {"where_document": {"$contains": text}, "ids": [text]},
        ):
            assert api.post(f"{three}/get", json=body).json()["ids"] == [text], body
        assert api.get(f"{database}/collections/{text.encode().hex()}").status_code == 404
    assert api.post(f"{three}/delete", json={"ids": nasty}).json() == {"deleted": len(nasty)}


def test_large_but_legal(api: httpx.Client, three: str) -> None:
    """A document of 5 MB, an id of 100 kB, 20,000 ids asked for: served."""
    big = {"ids": ["i" * 100_000], "embeddings": [[1, 2]], "documents": ["d" * 5_000_000]}
    assert api.post(f"{three}/add", json=big).status_code == 201
    ids = [*map(str, range(20_000)), "a"]
    assert api.post(f"{three}/get", json={"ids": ids}).json()["ids"] == ["a"]
    assert api.post(f"{three}/query", json={"query_embeddings": [[1, 2]], "n_results": 2**63}).status_code == 200
    assert api.post(f"{three}/get", json={"limit": 2**62, "offset": 2**62}).json()["ids"] == []
