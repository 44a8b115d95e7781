"""AsyncClient over the rest backend: on the event loop, without a thread per call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.server import RunningServer, running_server

import chroma_plugin as chromadb
from chroma_plugin.errors import ClosedError, NotFoundError


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(allow_reset=True) as server:
        yield server


@pytest.fixture(autouse=True)
def emptied(server: RunningServer) -> None:
    with chromadb.HttpClient(server.host, server.port) as client:
        client.reset()


def client_of(server: RunningServer) -> chromadb.AsyncClient:
    return chromadb.AsyncHttpClient(server.host, server.port)


async def collection_of(client: chromadb.AsyncClient, **more: Any) -> chromadb.AsyncCollection:
    return await client.create_collection("things", embedding_function=None, **more)


async def test_a_round(server: RunningServer) -> None:
    """Everything that a collection does, awaited."""
    async with client_of(server) as client:
        collection = await collection_of(client)
        report = await collection.add(ids=["a", "b"], embeddings=[[1, 0], [2, 0]], metadatas=[{"n": 1}, {"n": 2}])
        assert report.added == ["a", "b"]
        assert (await collection.get(where={"n": 2}))["ids"] == ["b"]
        assert (await collection.query(query_embeddings=[2, 0], n_results=1))["ids"] == [["b"]]
        assert (await collection.update(ids="a", metadatas={"n": None})).updated == ["a"]
        assert (await collection.upsert(ids="c", embeddings=[3, 0])).added == ["c"]
        assert await collection.delete(where={"n": 2}) == {"deleted": 1}
        assert await collection.count() == 2
        await client.delete_collection("things")
        with pytest.raises(NotFoundError):
            await collection.count()


async def test_many_queries_need_no_threads(server: RunningServer) -> None:
    """Two hundred queries at once are answered rightly by one loop, one pool, and no thread of theirs."""
    async with client_of(server) as client:
        collection = await collection_of(client)
        await collection.add(ids=[f"i{n}" for n in range(200)], embeddings=[[n, 0] for n in range(200)])
        before = threading.active_count()
        most = before

        async def ask(number: int) -> list[list[str]]:
            nonlocal most
            found = await collection.query(query_embeddings=[number, 0], n_results=1)
            most = max(most, threading.active_count())
            return found["ids"]

        answers = await asyncio.gather(*[ask(number) for number in range(200)])

        assert answers == [[[f"i{number}"]] for number in range(200)]
        assert most == before


async def test_writes_of_many_tasks_come_one_after_the_other(server: RunningServer) -> None:
    """An upsert merges with what is stored; none of forty at once loses what another wrote."""
    async with client_of(server) as client:
        collection = await collection_of(client)
        await collection.add(ids="a", embeddings=[1, 0])

        await asyncio.gather(*[collection.upsert(ids="a", metadatas={f"k{number}": number}) for number in range(40)])

        found = (await collection.get("a"))["metadatas"][0]
        assert found == {f"k{number}": number for number in range(40)}


async def test_a_cancelled_read_leaves_the_client_usable(server: RunningServer) -> None:
    """Reads are given up when their task is cancelled; the next calls work."""
    async with client_of(server) as client:
        collection = await collection_of(client)
        await collection.add(ids="a", embeddings=[1, 0])
        tasks = [asyncio.create_task(collection.get()) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)

        assert {type(each) for each in ended} == {asyncio.CancelledError}
        assert await collection.count() == 1


async def test_a_cancelled_write_is_finished(server: RunningServer) -> None:
    """Cancelling the task does not stop a write that was begun, nor leave its turn to nobody."""
    async with client_of(server) as client:
        collection = await collection_of(client)
        task = asyncio.create_task(collection.add(ids="a", embeddings=[1, 0]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await collection.add(ids="b", embeddings=[2, 0])

        assert (await collection.get())["ids"] == ["a", "b"]


async def test_a_waiting_writer_may_be_cancelled(server: RunningServer) -> None:
    """Those behind it still get their turn."""
    async with client_of(server) as client:
        collection = await collection_of(client)
        tasks = [asyncio.create_task(collection.add(ids=f"i{n}", embeddings=[n, 0])) for n in range(30)]
        await asyncio.sleep(0.01)
        for task in tasks[5:25]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await collection.add(ids="last", embeddings=[1, 1])

        ids = set((await collection.get())["ids"])
        assert {f"i{n}" for n in (*range(5), *range(25, 30))} | {"last"} <= ids


async def test_the_loop_goes_on_while_a_server_thinks(server: RunningServer) -> None:
    """Threads of catalogue calls and tasks of record calls use one collection without blocking the loop."""
    async with client_of(server) as client:
        collection = await collection_of(client)
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0)

        heart = asyncio.create_task(beat())
        names = [f"name{number}" for number in range(10)]
        await asyncio.gather(
            *[collection.modify(name=name) for name in names],
            *[collection.upsert(ids=f"i{n}", embeddings=[n, 0]) for n in range(20)],
            *[client.list_collections() for _ in range(10)],
        )
        heart.cancel()

        assert await collection.count() == 20
        assert collection.name in names
        assert beats > 20


async def test_after_close(server: RunningServer) -> None:
    """Calls raise ClosedError, and the pool is gone."""
    client = await client_of(server)
    collection = await collection_of(client)
    await collection.count()
    await client.close()

    with pytest.raises(ClosedError):
        await collection.count()
    await client.close()


async def test_close_waits_for_what_runs(server: RunningServer) -> None:
    """Closing while calls are under way lets them end or refuses them, and hangs nowhere."""
    client = await client_of(server)
    collection = await collection_of(client)
    calls = [asyncio.create_task(collection.upsert(ids=f"i{n}", embeddings=[n, 0])) for n in range(20)]
    await asyncio.sleep(0.01)
    await asyncio.wait_for(client.close(), 30)

    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert all(not isinstance(each, BaseException) or isinstance(each, ClosedError) for each in ended), ended


def test_one_client_on_two_loops(server: RunningServer) -> None:
    """Each event loop has connections of its own."""
    client = client_of(server)

    async def first() -> None:
        collection = await collection_of(client)
        await collection.add(ids="a", embeddings=[1, 0])

    async def second() -> int:
        collection = await client.get_collection("things")
        count = await collection.count()
        await client.close()
        return count

    loops = [asyncio.new_event_loop(), asyncio.new_event_loop()]
    try:
        loops[0].run_until_complete(first())
        assert loops[1].run_until_complete(second()) == 1
    finally:
        for loop in loops:
            loop.run_until_complete(asyncio.sleep(0.05))
            loop.close()
