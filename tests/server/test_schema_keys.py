"""The schema of a collection lists the keys of its metadata, and what its owner switched off can't be filtered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from support.server import running_server

import chroma_plugin as chromadb
from chroma_plugin.server import ServerConfig, create_app, keys

Add = dict[str, Any]


def schema_of(api: httpx.Client, collection: str) -> dict[str, Any]:
    """What the server says about the keys of metadata: each with its types of values and whether they are indexed."""
    described = api.get(collection.replace("/collections/", "/collections/by-id/")).json()["schema"]["keys"]
    return {
        key: {kind: [index["enabled"] for index in indexes.values()] for kind, indexes in types.items()}
        for key, types in described.items()
        if not key.startswith("#")
    }


def added(api: httpx.Client, collection: str, *metadatas: dict[str, Any] | None) -> None:
    ids = [f"{len(metadatas)}-{number}" for number in range(len(metadatas))]
    body = {
        "ids": ids,
        "embeddings": [[1, 2]] * len(ids),
        "metadatas": metadatas,
        "documents": ["one apple"] * len(ids),
    }
    assert api.post(f"{collection}/upsert", json=body).json() == {}


def switched(key: str, kind: str, index: str, *, on: bool = False) -> dict[str, Any]:
    return {"defaults": {}, "keys": {key: {kind: {index: {"enabled": on, "config": {}}}}}}


@pytest.fixture
def off(api: httpx.Client, database: str, request: pytest.FixtureRequest) -> str:
    """A collection with one record, where filters on strings under ``tag`` are switched off."""
    body = {"name": request.node.name[:60].strip("_[]").replace("[", "-"), "schema": None, "get_or_create": True}
    body["schema"] = switched("tag", "string", "string_inverted_index")
    collection = f"{database}/collections/{api.post(f'{database}/collections', json=body).json()['id']}"
    added(api, collection, {"tag": "x", "n": 1})
    return collection


def test_keys_are_listed_with_the_types_of_their_values(api: httpx.Client, collection: str) -> None:
    """Each key with an index for each type; the elements of lists count; what is None counts for nothing."""
    assert schema_of(api, collection) == {}
    added(api, collection, {"s": "x", "i": 1, "f": 1.5, "b": True, "none": None}, None, {"i": "one", "l": [1, 2.5]})

    assert schema_of(api, collection) == {
        "s": {"string": [False, True]},
        "i": {"int": [True], "string": [False, True]},
        "f": {"float": [True]},
        "b": {"bool": [True]},
        "l": {"int": [True], "float": [True]},
    }


def test_only_what_was_written_counts(api: httpx.Client, three: str) -> None:
    """Known ids of an add and unknown ids of an update leave no keys; deleting takes none away."""
    one: Add = {"ids": ["a"], "embeddings": [[1, 2]]}
    assert api.post(f"{three}/add", json={**one, "metadatas": [{"ignored": 1}]}).status_code == 201
    assert api.post(f"{three}/update", json={"ids": ["a", "no"], "metadatas": [{"m": 1}, {"gone": 1}]}).json() == {}
    assert api.post(f"{three}/delete", json={"ids": ["a", "b", "c"]}).json() == {"deleted": 3}

    assert sorted(schema_of(api, three)) == ["m", "n"]


def test_writes_of_our_own_clients_count(api: httpx.Client, collection: str) -> None:
    """Those of the extension are listed as well."""
    record = {"ids": ["a"], "embeddings": "AAAAAA==", "dimension": 1, "documents": [None], "metadatas": [{"k": 1}]}
    assert api.post(f"{collection}/store/put", json={"records": record}).json() == {}
    change = {"ids": ["a"], "metadatas": [{"k": "text"}]}
    assert api.post(f"{collection}/store/update", json={"records": change}).json() == {}

    assert schema_of(api, collection) == {"k": {"int": [True], "string": [False, True]}}


def test_keys_outlive_the_server(tmp_path: Path) -> None:
    """They are there after a restart, in the list of collections, and invisible to whoever opens the directory."""
    with running_server(tmp_path / "store") as server, httpx.Client(base_url=server.url) as api:
        database = "/api/v2/tenants/default_tenant/databases/default_database"
        made = api.post(f"{database}/collections", json={"name": "things"}).json()
        added(api, f"{database}/collections/{made['id']}", {"year": 2026})
    with running_server(tmp_path / "store") as server, httpx.Client(base_url=server.url) as api:
        [listed] = api.get(f"{database}/collections").json()
    assert "year" in listed["schema"]["keys"]
    assert "schema" not in listed["configuration_json"]
    with chromadb.PersistentClient(tmp_path / "store") as client:
        configuration = client.get_collection("things").configuration_json
        client.create_collection("copy", configuration=configuration)
    assert sorted(configuration) == ["embedding_function", "hnsw", "spann"]


async def test_keys_of_a_collection_that_was_filled_in_process() -> None:
    """They are read from the records when the collection is asked for."""
    with chromadb.Client() as client:
        things = client.create_collection("things", embedding_function=None)
        things.add(ids=["a", "b"], embeddings=[[1.0], [2.0]], metadatas=[{"n": 1}, {"s": "x"}])
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(client, ServerConfig())), base_url="http://localhost"
        ) as api:
            path = "/api/v2/tenants/default_tenant/databases/default_database/collections"
            found = (await api.get(f"{path}/things")).json()
            body = {"ids": ["c"], "embeddings": [[3.0]], "metadatas": [{"new": True}]}
            assert (await api.post(f"{path}/{found['id']}/add", json=body)).status_code == 201
            after = (await api.get(f"{path}/things")).json()
    assert {"n", "s"} <= set(found["schema"]["keys"])
    assert {"n", "s", "new"} <= set(after["schema"]["keys"])


def test_the_list_of_keys_is_bounded(api: httpx.Client, collection: str) -> None:
    """A key for every record does not make a schema of that size; the filter works all the same."""
    most = keys.MOST_KEYS
    added(api, collection, *({f"key{number}": number} for number in range(most + 50)))
    added(api, collection, {"one-more": 1})

    assert len(schema_of(api, collection)) == most
    assert len(api.post(f"{collection}/get", json={"where": {"one-more": 1}}).json()["ids"]) == 1


@pytest.mark.parametrize(
    "where",
    [
        {"tag": "x"},
        {"tag": {"$ne": "x"}},
        {"tag": {"$in": ["x", 1]}},
        {"tag": {"$contains": "x"}},
        {"tag": {"$regex": "x"}},
        {"$or": [{"n": 1}, {"$and": [{"n": 1}, {"tag": {"$nin": ["x"]}}]}]},
    ],
)
def test_a_key_that_was_switched_off_is_not_filtered(api: httpx.Client, off: str, where: dict[str, Any]) -> None:
    """get, query and delete say so, with the words of Chroma's own server, and nothing is deleted."""
    for route, body in (("get", {}), ("query", {"query_embeddings": [[1, 2]]}), ("delete", {})):
        answer = api.post(f"{off}/{route}", json={**body, "where": where})
        assert (answer.status_code, answer.json()["error"]) == (400, "InvalidArgumentError")
        assert "Cannot filter using metadata key 'tag' with type 'Str'" in answer.json()["message"]
    assert api.get(f"{off}/count").json() == 1


def test_what_was_not_switched_off_is_filtered(api: httpx.Client, off: str) -> None:
    """Other types of values under the same key, other keys, documents, ids."""
    for body in ({"where": {"n": 1}}, {"where_document": {"$contains": "apple"}}, {"where": {"tag": {"$ne": 5}}}):
        assert len(api.post(f"{off}/get", json=body).json()["ids"]) == 1
    assert schema_of(api, off) == {"tag": {"string": [False]}, "n": {"int": [True]}}


def test_documents_that_were_switched_off_are_kept(api: httpx.Client, database: str) -> None:
    """They are stored and come back, but no filter looks into them."""
    body = {"name": "no-full-text", "schema": switched("#document", "string", "fts_index")}
    collection = f"{database}/collections/{api.post(f'{database}/collections', json=body).json()['id']}"
    added(api, collection, {"n": 1})

    assert api.post(f"{collection}/get", json={}).json()["documents"] == ["one apple"]
    for body in ({"where_document": {"$contains": "apple"}}, {"where": {"#document": {"$regex": "a"}}}):
        answer = api.post(f"{collection}/get", json=body)
        assert (answer.status_code, "FTS indexing is disabled" in answer.json()["message"]) == (400, True)


def test_a_default_that_was_switched_off(api: httpx.Client, database: str) -> None:
    """It holds for every key that has no switch of its own."""
    asked = switched("chosen", "string", "string_inverted_index", on=True)
    asked["defaults"] = {"string": {"string_inverted_index": {"enabled": False, "config": {}}}}
    made = api.post(f"{database}/collections", json={"name": "default-off", "schema": asked}).json()
    collection = f"{database}/collections/{made['id']}"
    added(api, collection, {"chosen": "x", "other": "x"})

    assert len(api.post(f"{collection}/get", json={"where": {"chosen": "x"}}).json()["ids"]) == 1
    assert api.post(f"{collection}/get", json={"where": {"other": "x"}}).status_code == 400
    assert schema_of(api, collection) == {"chosen": {"string": [True]}, "other": {"string": [False, False]}}


def test_our_own_clients_neither_see_nor_change_it(api: httpx.Client, off: str, database: str) -> None:
    """The list is the server's: a configuration goes back and forth without it, and it stays as it is."""
    id = off.rpartition("/")[2]
    path = f"{database}/store/collections"
    [stored] = api.get(path, params={"id": id}).json()
    assert sorted(stored["configuration"]) == ["embedding_function", "hnsw", "spann"]
    assert api.put(f"{path}/{id}", json={"configuration": stored["configuration"]}).json() == {}
    assert api.post(f"{off}/get", json={"where": {"tag": "x"}}).status_code == 400
    with_it = {**stored["configuration"], "schema": {}}
    assert api.put(f"{path}/{id}", json={"configuration": with_it}).status_code == 400
