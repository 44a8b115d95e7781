"""The routes around the records: collections, databases, tenants, the server itself."""

from __future__ import annotations

import sys
import uuid
from typing import Any

import httpx
import pytest
from support.server import RunningServer, running_server

T = "/api/v2/tenants/default_tenant"


def refused(answer: httpx.Response, status: int, name: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, name), answer.text
    assert len(answer.headers["chroma-trace-id"]) == 32


def test_a_collection_is_described(api: httpx.Client, database: str) -> None:
    """With everything that clients read; twice the name is 409, or the same collection when that was asked for."""
    body = {
        "name": "described",
        "metadata": {"purpose": "test"},
        "configuration": {"hnsw": {"space": "cosine", "ef_search": 50}, "spann": None},
        "get_or_create": False,
    }
    created = api.post(f"{database}/collections", json=body).json()

    assert str(uuid.UUID(created["id"])) == created["id"]
    assert created | {"id": "", "configuration_json": {}, "schema": {}} == {
        "id": "",
        "name": "described",
        "configuration_json": {},
        "schema": {},
        "metadata": {"purpose": "test"},
        "dimension": None,
        "tenant": "default_tenant",
        "database": "default_database",
        "log_position": 0,
        "version": 0,
    }
    hnsw = created["configuration_json"]["hnsw"]
    assert (hnsw["space"], hnsw["ef_search"], hnsw["max_neighbors"]) == ("cosine", 50, 16)
    refused(api.post(f"{database}/collections", json=body), 409, "UniqueConstraintError")
    again = api.post(f"{database}/collections", json={"name": "described", "get_or_create": True})
    assert again.json() == created
    for path in ("described", created["id"], f"by-id/{created['id']}"):
        assert api.get(f"{database}/collections/{path}").json() == created
    listed = api.get(f"{database}/collections").json()
    assert created in listed
    assert api.get(f"{database}/collections_count").json() == len(listed)
    assert api.get(f"{database}/collections", params={"limit": 1, "offset": len(listed) - 1}).json() == [created]
    assert api.delete(f"{database}/collections/described").json() == {}
    refused(api.get(f"{database}/collections/described"), 404, "NotFoundError")


BAD_COLLECTIONS: list[tuple[dict[str, Any], int, str]] = [
    ({}, 400, "InvalidArgumentError"),
    ({"name": None}, 400, "InvalidArgumentError"),
    ({"name": 5}, 400, "InvalidArgumentError"),
    ({"name": "ab"}, 400, "InvalidArgumentError"),
    ({"name": "../../etc/passwd"}, 400, "InvalidArgumentError"),
    ({"name": "127.0.0.1"}, 400, "InvalidArgumentError"),
    ({"name": "good", "metadata": []}, 400, "InvalidArgumentError"),
    ({"name": "good", "metadata": {"hnsw:space": "round"}}, 400, "InvalidArgumentError"),
    ({"name": "good", "configuration": {"hnsw": {"M": 5}}}, 400, "InvalidArgumentError"),
    ({"name": "good", "configuration": {"hnsw": {"max_neighbors": 10**9}}}, 400, "InvalidArgumentError"),
    ({"name": "good", "configuration": {"other": {}}}, 400, "InvalidArgumentError"),
    ({"name": "good", "configuration": {"spann": {"nprobe": 1}}}, 400, "InvalidArgumentError"),
    ({"name": "good", "configuration": {"spann": {"space": "round"}}}, 400, "InvalidArgumentError"),
    ({"name": "good", "configuration": {"spann": {"ef_search": "high"}}}, 400, "InvalidArgumentError"),
    ({"name": "good", "configuration": {"spann": {}, "hnsw": {}}}, 400, "InvalidArgumentError"),
    ({"name": "good", "configuration": {"embedding_function": "os.system"}}, 400, "InvalidArgumentError"),
    ({"name": "good", "configuration": {"embedding_function": {"type": "known"}}}, 400, "InvalidArgumentError"),
    ({"name": "good", "schema": []}, 400, "InvalidArgumentError"),
    ({"name": "good", "schema": {"keys": 3}}, 400, "InvalidArgumentError"),
    ({"name": "good", "get_or_create": "yes"}, 400, "InvalidArgumentError"),
]


@pytest.mark.parametrize(("body", "status", "name"), BAD_COLLECTIONS)
def test_bad_collections(api: httpx.Client, database: str, body: dict[str, Any], status: int, name: str) -> None:
    """A clear error, and no collection."""
    before = api.get(f"{database}/collections_count").json()
    refused(api.post(f"{database}/collections", json=body), status, name)
    assert api.get(f"{database}/collections_count").json() == before


def test_spann_is_served_by_hnsw(api: httpx.Client, database: str) -> None:
    """The space is kept, and the answer shows what it became, as with Chroma's own server on one machine."""
    asked = {"space": "cosine", "ef_search": 20, "max_neighbors": 10, "search_nprobe": 5}
    body = {"name": "once-spann", "configuration": {"spann": asked}}
    configuration = api.post(f"{database}/collections", json=body).json()["configuration_json"]

    assert configuration["spann"] is None
    assert {name: configuration["hnsw"][name] for name in ("space", "ef_search", "max_neighbors")} == {
        "space": "cosine",
        "ef_search": 100,
        "max_neighbors": 16,
    }


@pytest.mark.parametrize(
    ("configured", "legacy", "space"),
    [({"space": "ip"}, "l2", "ip"), ({"space": "l2"}, "cosine", "cosine"), ({"ef_search": 50}, "cosine", "cosine")],
)
def test_a_space_said_twice(
    api: httpx.Client, database: str, configured: dict[str, Any], legacy: str, space: str
) -> None:
    """The configuration counts more than the metadata, but its default, which clients write by themselves, less."""
    name = f"twice-{configured.get('space', 'none')}"
    body = {"name": name, "configuration": {"hnsw": configured}, "metadata": {"hnsw:space": legacy}}
    created = api.post(f"{database}/collections", json=body).json()

    assert created["configuration_json"]["hnsw"]["space"] == space
    assert created["metadata"] == {"hnsw:space": legacy}


def test_modify(api: httpx.Client, three: str, database: str) -> None:
    """Name, metadata and what may change of the index; a taken name is 409; what can't change is refused."""
    body = {"new_name": "renamed", "new_metadata": {"a": 1}, "new_configuration": {"hnsw": {"ef_search": 7}}}
    assert api.put(three, json=body).json() == {}
    changed = api.get(f"{database}/collections/renamed").json()
    assert (changed["metadata"], changed["configuration_json"]["hnsw"]["ef_search"]) == ({"a": 1}, 7)
    assert changed["dimension"] == 2
    assert api.put(three, json={}).json() == {}
    assert api.get(f"{database}/collections/renamed").json() == changed
    other = api.post(f"{database}/collections", json={"name": "taken-name"}).json()["id"]
    refused(api.put(f"{database}/collections/{other}", json={"new_name": "renamed"}), 409, "UniqueConstraintError")
    refused(api.put(three, json={"new_configuration": {"hnsw": {"space": "ip"}}}), 400, "InvalidArgumentError")
    refused(api.put(three, json={"new_name": "x"}), 400, "InvalidArgumentError")


def test_an_embedding_function_is_only_data(api: httpx.Client, database: str) -> None:
    """It is stored as it is, whatever it names, and kept to its name by a change."""
    function = {"type": "known", "name": "os.system", "config": {"trust_remote_code": True, "model": "../x"}}
    body = {"name": "with-function", "configuration": {"embedding_function": function}}
    created = api.post(f"{database}/collections", json=body).json()
    assert created["configuration_json"]["embedding_function"] == function
    path = f"{database}/collections/{created['id']}"
    other = {"new_configuration": {"embedding_function": {**function, "name": "other"}}}
    refused(api.put(path, json=other), 400, "EmbeddingFunctionError")
    same = {**function, "config": {"model": "new"}}
    assert api.put(path, json={"new_configuration": {"embedding_function": same}}).json() == {}
    assert api.get(path).json()["configuration_json"]["embedding_function"] == same


def test_collections_that_are_not_there(api: httpx.Client, database: str) -> None:
    """404 for names and ids that are unknown, 400 for what is no id where one is needed."""
    gone = f"{database}/collections/{uuid.uuid4()}"
    refused(api.get(gone), 404, "NotFoundError")
    refused(api.delete(gone), 404, "NotFoundError")
    refused(api.put(gone, json={}), 404, "NotFoundError")
    refused(api.get(f"{gone}/count"), 404, "NotFoundError")
    refused(api.post(f"{gone}/add", json={}), 404, "NotFoundError")
    refused(api.get(f"{database}/collections/by-id/nothing"), 400, "InvalidUUID")
    refused(api.get(f"{database}/collections/nothing/count"), 400, "InvalidUUID")
    refused(api.get(f"{database}/collections/nothing"), 404, "NotFoundError")
    refused(api.get("/api/v2/tenants/default_tenant/databases/nowhere/collections"), 404, "NotFoundError")
    refused(api.post(f"{T}/databases/nowhere/collections", json={"name": "abc"}), 404, "NotFoundError")
    refused(api.get(f"{database}/collections", params={"limit": "x"}), 400, "InvalidArgumentError")
    refused(api.get(f"{database}/collections", params={"offset": "-1"}), 400, "InvalidArgumentError")


def test_tenants_and_databases(api: httpx.Client) -> None:
    """Made, found, listed, deleted; collections of one are not in another."""
    assert api.post("/api/v2/tenants", json={"name": "acme"}).json() == {}
    refused(api.post("/api/v2/tenants", json={"name": "acme"}), 409, "UniqueConstraintError")
    refused(api.post("/api/v2/tenants", json={"name": "a"}), 400, "InvalidArgumentError")
    assert api.get("/api/v2/tenants/acme").json() == {"name": "acme", "resource_name": None}
    refused(api.get("/api/v2/tenants/nobody"), 404, "NotFoundError")
    refused(api.patch("/api/v2/tenants/acme", json={"resource_name": "x"}), 501, "UnsupportedError")
    databases = "/api/v2/tenants/acme/databases"
    for name in ("one", "two"):
        assert api.post(databases, json={"name": name}).json() == {}
    refused(api.post(databases, json={"name": "one"}), 409, "UniqueConstraintError")
    refused(api.post("/api/v2/tenants/nobody/databases", json={"name": "one"}), 404, "NotFoundError")
    one = api.get(f"{databases}/one").json()
    assert (one["name"], one["tenant"]) == ("one", "acme")
    assert [found["name"] for found in api.get(databases).json()] == ["one", "two"]
    assert api.get(databases, params={"limit": 1}).json() == [one]
    created = api.post(f"{databases}/one/collections", json={"name": "things"}).json()
    refused(api.get(f"{databases}/two/collections/by-id/{created['id']}"), 404, "NotFoundError")
    refused(api.get(f"{T}/databases/default_database/collections/{created['id']}/count"), 404, "NotFoundError")
    assert api.delete(f"{databases}/one").json() == {}
    refused(api.get(f"{databases}/one"), 404, "NotFoundError")
    refused(api.delete(f"{databases}/one"), 404, "NotFoundError")


def test_the_server_itself(api: httpx.Client) -> None:
    """What clients ask when they connect, and before they write."""
    for path in ("/api/v2", "/api/v2/heartbeat"):
        assert api.get(path).json()["nanosecond heartbeat"] > 10**18
    assert api.get("/api/v2/healthcheck").json() == {"is_executor_ready": True, "is_log_client_ready": True}
    assert [part.isdigit() for part in api.get("/api/v2/version").json().split(".")] == [True] * 3
    assert api.get("/api/v2/pre-flight-checks").json() == {
        "max_batch_size": 100_000,
        "supports_base64_encoding": True,
        "chroma_plugin": {"version": 1, "max_body_bytes": 64 * 2**20},
    }
    assert api.get("/api/v2/auth/identity").json() == {
        "user_id": "",
        "tenant": "default_tenant",
        "databases": ["default_database"],
    }
    assert api.head("/api/v2/heartbeat").status_code == 200


def test_paths_that_lead_nowhere(api: httpx.Client, database: str) -> None:
    """404 and 405 with an error like all others; the first version of the API is 410."""
    refused(api.get("/nothing"), 404, "NotFoundError")
    refused(api.get(f"{database}/collections/"), 404, "NotFoundError")
    refused(api.delete("/api/v2/heartbeat"), 405, "ChromaError")
    refused(api.get("/api/v2/collections/some:crn"), 501, "UnsupportedError")
    for method in ("GET", "POST"):
        for path in ("/api/v1", "/api/v1/collections", "/api/v1/collections/x/add"):
            refused(api.request(method, path), 410, "Unimplemented")


def test_reset_is_off_unless_the_server_was_started_so(api: httpx.Client, three: str, server: RunningServer) -> None:
    """403 without, and nothing is gone; with the flag everything is."""
    refused(api.post("/api/v2/reset"), 403, "AuthorizationError")
    assert api.get(f"{three}/count").json() == 3
    with running_server(allow_reset=True) as other, httpx.Client(base_url=other.url) as api:
        api.post(f"{T}/databases/default_database/collections", json={"name": "things"})
        assert api.post("/api/v2/reset").json() is True
        assert api.get(f"{T}/databases/default_database/collections_count").json() == 0


def test_media_types(api: httpx.Client, three: str) -> None:
    """JSON, or nothing said, is JSON; other types, which web pages may send unasked, are 415."""
    for headers in ({"content-type": "application/json; charset=utf-8"}, {}):
        assert api.post(f"{three}/get", content=b"{}", headers=headers).status_code == 200
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        refused(api.post(f"{three}/get", content=b"{}", headers={"content-type": kind}), 415, "ChromaError")


def test_nothing_heavy_is_imported_by_the_package() -> None:
    """`import chroma_plugin.server` loads no web framework."""
    import subprocess

    heavy = ("starlette", "uvicorn", "prometheus_client")
    code = f"import sys, chroma_plugin.server; print([name for name in {heavy} if name in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
