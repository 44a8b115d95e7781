"""The application itself: panics, time, too many at once, other people's clients."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from support import plain_backend

import chroma_plugin as chromadb
from chroma_plugin.plugins import PluginManager
from chroma_plugin.server import Limits, ServerConfig, create_app
from chroma_plugin.types import Records, Scan

DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"


@pytest.fixture
def client() -> Iterator[chromadb.Client]:
    """A client in this process, of a backend that is made of defaults."""
    with chromadb.Client(chroma_db_impl="plain", plugins=PluginManager([plain_backend])) as client:
        client.create_collection("things", embedding_function=None).add(ids=["a"], embeddings=[[1, 2]])
        yield client


@asynccontextmanager
async def calling(client: chromadb.Client, config: ServerConfig | None = None) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(client, config), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as api:
        yield api


def path_of(client: chromadb.Client) -> str:
    return f"{DATABASE}/collections/{client.get_collection('things').id}"


async def test_a_client_of_this_process_is_served(client: chromadb.Client) -> None:
    """What one side writes the other reads, and the database stays the client's."""
    async with calling(client) as api:
        answer = await api.post(f"{path_of(client)}/add", json={"ids": ["b"], "embeddings": [[3, 4]]})
        assert answer.status_code == 201
    assert client.get_collection("things").count() == 2


async def test_a_panic_is_one_answer(
    client: chromadb.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with a trace id that the log has, nothing of the cause in the answer, and the next request is served."""

    def panic(self: plain_backend.PlainStore, request: Scan) -> Iterator[Records]:
        raise ZeroDivisionError("the cause")

    async with calling(client) as api:
        with monkeypatch.context() as patched:
            patched.setattr(plain_backend.PlainStore, "scan", panic)
            with caplog.at_level(logging.ERROR, "chroma_plugin.server"):
                answer = await api.post(f"{path_of(client)}/get", json={})
        assert (answer.status_code, answer.json()["error"]) == (500, "InternalError")
        assert "the cause" not in answer.text
        assert answer.headers["chroma-trace-id"] in caplog.text
        assert "the cause" in caplog.text
        assert (await api.post(f"{path_of(client)}/get", json={})).status_code == 200


async def test_slow_work_is_given_up(client: chromadb.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """504 after the time that was set; others are served meanwhile."""
    go = threading.Event()
    scan = plain_backend.PlainStore.scan

    def slow(self: plain_backend.PlainStore, request: Scan) -> Iterator[Records]:
        go.wait(20)
        yield from scan(self, request)

    monkeypatch.setattr(plain_backend.PlainStore, "scan", slow)
    async with calling(client, ServerConfig(limits=Limits(seconds=0.2))) as api:
        waiting = asyncio.create_task(api.post(f"{path_of(client)}/get", json={}))
        assert (await api.get("/api/v2/heartbeat")).status_code == 200
        answer = await waiting
        go.set()
        assert (answer.status_code, answer.json()["error"]) == (504, "ChromaError")


async def test_too_many_at_once(client: chromadb.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After for those above the limit; all others get their answer."""
    go = threading.Event()
    scan = plain_backend.PlainStore.scan

    def slow(self: plain_backend.PlainStore, request: Scan) -> Iterator[Records]:
        go.wait(20)
        yield from scan(self, request)

    monkeypatch.setattr(plain_backend.PlainStore, "scan", slow)
    # The metrics count the records, which would be a scan, too.
    monkeypatch.setattr(plain_backend.PlainStore, "count", lambda self: 0)
    async with calling(client, ServerConfig(limits=Limits(concurrent=3, threads=2))) as api:
        tasks = [asyncio.create_task(api.post(f"{path_of(client)}/get", json={})) for _ in range(5)]
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        metrics = await api.get("/metrics")
        go.set()
        answers = [task.result() for task in done] + [await task for task in waiting]
    assert 'chroma_plugin_queue_length{kind="read"} 1.0' in metrics.text
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, 200, 200, 503, 503]
    for answer in answers:
        if answer.status_code == 503:
            assert (answer.headers["retry-after"], answer.json()["error"]) == ("1", "RateLimitError")


async def test_bodies_together(client: chromadb.Client) -> None:
    """503 when they would fill the memory that was set aside; what was held is given back."""
    config = ServerConfig(limits=Limits(body_bytes=1000, buffered_bytes=100))
    async with calling(client, config) as api:
        answer = await api.post(f"{path_of(client)}/get", content=b" " * 200 + b"{}")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        for _ in range(10):
            assert (await api.post(f"{path_of(client)}/get", content=b" " * 50 + b"{}")).status_code == 200


async def test_readers_do_not_wait_for_writers(client: chromadb.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one thread of each kind and a write that hangs, reads of the same collection come back."""
    go = threading.Event()
    put = plain_backend.PlainStore.put

    def slow(self: plain_backend.PlainStore, records: Records) -> None:
        go.wait(20)
        put(self, records)

    monkeypatch.setattr(plain_backend.PlainStore, "put", slow)
    async with calling(client, ServerConfig(limits=Limits(threads=1))) as api:
        path = path_of(client)
        writes: list[asyncio.Task[Any]] = [
            asyncio.create_task(api.post(f"{path}/upsert", json={"ids": [id], "embeddings": [[5, 6]]})) for id in "xyz"
        ]
        for _ in range(5):
            assert (await api.get(f"{path}/count")).json() == 1
        go.set()
        assert [(await write).status_code for write in writes] == [200, 200, 200]
        assert (await api.get(f"{path}/count")).json() == 4


async def test_a_closed_database_is_not_healthy(client: chromadb.Client) -> None:
    """503 from the health check, 410 from the rest, not a crash."""
    path = path_of(client)
    async with calling(client) as api:
        client.close()
        answer = await api.get("/api/v2/healthcheck")
        assert (answer.status_code, answer.json()["is_executor_ready"]) == (503, False)
        assert (await api.get(f"{path}/count")).json()["error"] == "ClosedError"
