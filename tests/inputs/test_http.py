"""Every route of the server under hostile requests: a documented status, a short JSON answer, nothing changed by what
was refused, and a server that lives.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from inputs.requests import Hostile, hostile
from support.server import RunningServer

from chroma_plugin.server.routes import ROUTES, Route

TENANT, DATABASE = "/api/v2/tenants/default_tenant", "/api/v2/tenants/default_tenant/databases/default_database"
LONGEST = 2_000
"""Bytes of a refusal."""
ROUTE = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")


@pytest.fixture
def api(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as api:
        yield api


@pytest.fixture
def place(api: httpx.Client) -> Iterator[dict[str, str]]:
    """The right parts of paths; the collection has three records."""
    made = api.post(f"{DATABASE}/collections", json={"name": "things", "get_or_create": True}).json()
    records = {"embeddings": [[1, 0], [2, 0], [3, 0]], "documents": ["one apple", "two", None], "ids": ["a", "b", "c"]}
    assert api.post(f"{DATABASE}/collections/{made['id']}/upsert", json=records).status_code == 200
    yield {
        "tenant": "default_tenant",
        "database": "default_database",
        "collection": made["id"],
        "function": "function",
        "crn": "crn",
    }
    for found in api.get(f"{DATABASE}/collections").json():
        api.delete(f"{DATABASE}/store/collections/{found['id']}")


def contents(api: httpx.Client) -> Any:
    """All tenants, databases and collections, with the records of each."""
    collections = api.get(f"{DATABASE}/store/collections").json()
    records = [api.post(f"{DATABASE}/collections/{found['id']}/store/scan", json={}).json() for found in collections]
    return api.get("/api/v2/store/tenants").json(), api.get(f"{TENANT}/databases").json(), collections, records


def fault(request: Hostile, answer: httpx.Response) -> str:
    """What is wrong with an answer; empty when nothing is."""
    status = answer.status_code
    if (request.statuses and status not in request.statuses) or (status >= 500 and status != 501):
        return f"{status} {answer.text:.200}"
    if "chroma-trace-id" not in answer.headers:
        return "has no trace id"
    if status >= 400:
        if len(answer.content) > LONGEST:
            return f"takes {len(answer.content)} bytes to refuse"
        if set(answer.json()) != {"error", "message"} or not answer.json()["message"]:
            return f"does not say what is wrong: {answer.text:.200}"
    return ""


def faults(api: httpx.Client, requests: list[Hostile]) -> Iterator[str]:
    """What is wrong with the answers."""
    before = contents(api)
    for request in requests:
        answer = api.request(request.method, request.path, content=request.body, headers=request.headers)
        if found := fault(request, answer):
            yield f"{request.what}: {found}"
        now = contents(api)
        if answer.status_code >= 400 and now != before:
            yield f"{request.what}: {answer.status_code}, and something has changed"
        before = now


def check(api: httpx.Client, route: Route, place: dict[str, str], step: int) -> None:
    found = list(faults(api, list(hostile(route, place))[::step]))
    assert not found
    assert api.get("/api/v2/heartbeat").status_code == 200


@ROUTE
def test_some(api: httpx.Client, place: dict[str, str], route: Route) -> None:
    """One in sixty."""
    check(api, route, place, 60)


@pytest.mark.faults
@ROUTE
def test_all(api: httpx.Client, place: dict[str, str], route: Route) -> None:
    """All of them."""
    check(api, route, place, 1)


@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES}))
def test_other_methods(api: httpx.Client, place: dict[str, str], path: str) -> None:
    """What a path does not take is 405 that names what it takes, and nothing has changed."""
    allowed = {route.method for route in ROUTES if route.path == path} | {"HEAD", "OPTIONS"}
    before = contents(api)
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - allowed:
        answer = api.request(method, path.format(**place))
        assert answer.status_code == 405, (method, path, answer.text)
        assert set(answer.headers["allow"].split(", ")) <= allowed
        assert set(answer.json()) == {"error", "message"}
    assert contents(api) == before
