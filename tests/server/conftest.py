"""One server in memory for the whole session, and an empty collection for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.server import RunningServer, running_server

DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def api(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as api:
        yield api


@pytest.fixture
def collection(api: httpx.Client) -> str:
    """The path of a new, empty collection."""
    return new_collection(api)


@pytest.fixture
def three(api: httpx.Client, collection: str) -> str:
    """The path of a collection with the records a, b, c."""
    body = {
        "ids": ["a", "b", "c"],
        "embeddings": [[1, 0], [2, 0], [3, 0]],
        "metadatas": [{"n": 1}, {"n": 2}, None],
        "documents": ["one apple", "two pears", None],
        "uris": ["u:a", None, None],
    }
    assert api.post(f"{collection}/add", json=body).status_code == 201
    return collection


def new_collection(api: httpx.Client, database: str = DATABASE, **fields: Any) -> str:
    answer = api.post(f"{database}/collections", json={"name": f"things-{next(_numbers)}", **fields})
    assert answer.status_code == 200, answer.text
    return f"{database}/collections/{answer.json()['id']}"


@pytest.fixture
def database() -> str:
    return DATABASE
