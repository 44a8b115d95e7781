"""Clients that change the same records at once, each in its own connection to one server: nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import chroma_plugin_rest.revising
import numpy as np
import pytest
from support.server import RunningServer, running_server

import chroma_plugin as chromadb
from chroma_plugin.errors import StaleReadError
from chroma_plugin.types import Records, Scan

MOST = 100


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """It takes a hundred records in a request."""
    with running_server(limit_batch=MOST) as server:
        yield server


@pytest.fixture
def opened(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[list[chromadb.Collection]]:
    """One collection, by two clients."""
    name = request.node.name.replace("[", "-").strip("]")
    with ExitStack() as stack:
        clients = [stack.enter_context(chromadb.HttpClient(server.host, server.port)) for _ in range(2)]
        yield [client.get_or_create_collection(name, embedding_function=None) for client in clients]


def ids(count: int) -> list[str]:
    return [f"r{number}" for number in range(count)]


def vectors(count: int) -> Any:
    return np.arange(2 * count, dtype=np.float32).reshape(count, 2)


def test_two_clients_merge_into_the_same_records(opened: list[chromadb.Collection]) -> None:
    """Each adds keys to the metadata that the other writes as well, by update and by upsert."""
    opened[0].add(ids="shared", embeddings=[0, 0], documents="stays")

    def write(number: int) -> None:
        for turn in range(40):
            opened[number].update(ids="shared", metadatas={f"{number}-{turn}": turn})
            # Whoever is second finds a record that was not there a moment ago.
            opened[number].upsert(ids=f"new-{turn}", embeddings=[turn, turn], metadatas={f"by{number}": turn})

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, range(2)))
    assert opened[0].get("shared")["metadatas"] == [{f"{n}-{turn}": turn for n in range(2) for turn in range(40)}]
    assert opened[0].get("shared")["documents"] == ["stays"]
    assert opened[0].count(where={"$and": [{"by0": {"$gte": 0}}, {"by1": {"$gte": 0}}]}) == 40


async def test_on_an_event_loop(server: RunningServer) -> None:
    """The same of many calls of one client, beside another client."""
    async with await chromadb.AsyncHttpClient(server.host, server.port) as one:
        things = await one.create_collection("async", embedding_function=None)
        await things.add(ids="a", embeddings=[0, 0])
        async with await chromadb.AsyncHttpClient(server.host, server.port) as two:
            theirs = await two.get_collection("async", embedding_function=None)
            calls = [
                each.update(ids="a", metadatas={f"{number}-{turn}": turn})
                for number, each in enumerate((things, theirs))
                for turn in range(20)
            ]
            await asyncio.gather(*calls)
        found = await things.get("a")
        assert found["metadatas"] == [{f"{n}-{turn}": turn for n in range(2) for turn in range(20)}]


def after_reading(collection: chromadb.Collection, do: Callable[[], object]) -> None:
    """Each time that this client has read something, and before it writes."""
    with collection._handle.reading() as store:
        inner: Any = store
    read = inner.scan

    def scan(request: Scan) -> Iterator[Records]:
        batches = list(read(request))
        do()
        return iter(batches)

    inner.scan = scan


@pytest.mark.parametrize("count", [3, MOST - 1, 5 * MOST])
def test_another_client_was_quicker(opened: list[chromadb.Collection], count: int) -> None:
    """What it has changed, deleted and added is there, whatever fits one request."""
    mine, theirs = opened
    mine.add(ids=ids(count), embeddings=vectors(count), metadatas=[{"old": 1}] * count)
    last, times = f"r{count - 1}", iter(range(100))

    def interrupt() -> None:
        if next(times) == 0:
            mine.update(ids="r0", metadatas={"mine": 1})
            mine.delete(ids=last)
            mine.add(ids="new", embeddings=[7, 7], metadatas={"mine": 2})

    after_reading(theirs, interrupt)
    given = vectors(count + 1) + 1
    report = theirs.upsert(ids=[*ids(count), "new"], embeddings=given, metadatas=[{"theirs": 3}] * (count + 1))
    found = mine.get(ids=["r0", "r1", "new", last], include=["metadatas", "embeddings"])
    assert found["metadatas"] == [
        {"old": 1, "mine": 1, "theirs": 3}, {"old": 1, "theirs": 3}, {"mine": 2, "theirs": 3}, {"theirs": 3}
    ]  # fmt: skip
    assert found["embeddings"] is not None
    assert found["embeddings"][2].tolist() == given[-1].tolist()
    assert mine.count() == count + 1
    assert report.added == [last]


def test_an_update_of_what_another_client_has_deleted(opened: list[chromadb.Collection]) -> None:
    """The report says what was so when it was written, also where the client has to read what it merges with: the
    embeddings of those documents that stay.
    """

    def embed(texts: list[str]) -> Any:
        return vectors(len(texts))

    mine, theirs = (
        collection.client.get_or_create_collection("embedded", embedding_function=embed) for collection in opened
    )
    mine.add(ids=["a", "b", "c"], documents=["old", "old", "old"])
    turns = iter(range(9))
    # They read a first time before they embed.
    after_reading(theirs, lambda: mine.delete(ids="a") if next(turns) == 1 else None)
    assert theirs.update(ids=["a", "b", "c"], documents=["changed", "changed", None]).unknown == ["a"]
    assert mine.get()["documents"] == ["changed", "old"]


def test_others_who_are_always_quicker(opened: list[chromadb.Collection], monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends, and says that nothing was written."""
    monkeypatch.setattr(chroma_plugin_rest.revising, "_ATTEMPTS", 3)
    mine, theirs = opened
    mine.add(ids="a", embeddings=[0, 0], metadatas={"n": 0})
    turns = iter(range(1, 100))
    after_reading(theirs, lambda: mine.update(ids="a", metadatas={"n": next(turns)}))
    with pytest.raises(StaleReadError, match="Nothing was written"):
        theirs.upsert(ids="a", embeddings=[0, 0], metadatas={"theirs": 1})
    # Three times, and once when they looked which dimension the collection has.
    assert mine.get()["metadatas"] == [{"n": 4}]
