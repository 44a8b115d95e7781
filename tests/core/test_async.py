"""AsyncClient and AsyncCollection."""

from __future__ import annotations

import asyncio
import inspect
import threading
from pathlib import Path
from typing import Any

import pytest
from support.server import free_port

import chroma_plugin as chromadb
from chroma_plugin.errors import ClosedError, InvalidArgumentError, NotFoundError, UnreachableError


def public(cls: type) -> dict[str, Any]:
    """The public methods of a class."""
    return {
        name: member
        for name, member in inspect.getmembers(cls, callable)
        if not name.startswith("_") and not isinstance(member, type)
    }


@pytest.mark.parametrize(
    ("sync", "asynchronous"),
    [(chromadb.Client, chromadb.AsyncClient), (chromadb.Collection, chromadb.AsyncCollection)],
    ids=["client", "collection"],
)
def test_the_two_have_the_same_methods(sync: type, asynchronous: type) -> None:
    """Every method is there in both, with the same parameters; what does work is a coroutine."""
    assert public(sync).keys() == public(asynchronous).keys()
    for name, method in public(sync).items():
        twin = public(asynchronous)[name]
        assert inspect.signature(method).parameters == inspect.signature(twin).parameters, name
        needs_no_await = twin is method or name == "clear_system_cache"
        # A block is begun by ``async with``.
        assert inspect.iscoroutinefunction(twin) or needs_no_await or name == "transaction", name
    if sync is chromadb.Client:  # collections are made by clients
        assert inspect.signature(sync).parameters.keys() == inspect.signature(asynchronous).parameters.keys()


async def test_a_round() -> None:
    """Everything that Collection does, awaited."""
    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("things", embedding_function=None)
        report = await collection.add(ids=["a", "b"], embeddings=[[1, 0], [2, 0]], metadatas=[{"n": 1}, {"n": 2}])
        assert report.added == ["a", "b"]
        assert (await collection.get(where={"n": 2}))["ids"] == ["b"]
        assert (await collection.peek(1))["embeddings"].tolist() == [[1, 0]]
        assert (await collection.query(query_embeddings=[2, 0], n_results=1))["ids"] == [["b"]]
        assert (await collection.update(ids="a", metadatas={"n": None})).updated == ["a"]
        assert (await collection.upsert(ids="c", embeddings=[3, 0])).added == ["c"]
        assert await collection.delete(where={"n": 2}) == {"deleted": 1}
        assert await collection.count() == 2
        await collection.modify(name="renamed")
        await collection.create_index()
        await client.compact()
        assert (await collection.info())["count"] == 2

        assert await client.get_collection("renamed") == collection
        assert [found.name for found in await client.list_collections()] == ["renamed"]
        await client.delete_collection("renamed")
        with pytest.raises(NotFoundError):
            await collection.count()


async def test_three_ways_to_begin(tmp_path: Path) -> None:
    """A client may be used at once, awaited, or entered."""
    client = chromadb.AsyncClient(path=tmp_path)
    assert await client.count_collections() == 0
    assert await client is client
    async with client as entered:
        assert entered is client
    with pytest.raises(ClosedError):
        await client.count_collections()
    await client.close()


async def test_opening_errors_come_from_the_first_call() -> None:
    """What Client raises, the first awaited call raises."""
    with pytest.raises(NotFoundError):
        await chromadb.AsyncClient(database="nothing")
    with pytest.raises(UnreachableError, match="Nothing listens at"):
        await chromadb.AsyncHttpClient("127.0.0.1", free_port())


async def test_closed_collections() -> None:
    """After close a collection raises ClosedError."""
    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("things", embedding_function=None)

    with pytest.raises(ClosedError):
        await collection.count()


async def test_many_at_once() -> None:
    """Calls of many tasks at once lose nothing."""
    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("things", embedding_function=None)
        await asyncio.gather(*(collection.add(ids=f"id{i}", embeddings=[i, 0]) for i in range(100)))

        assert await collection.count() == 100


async def test_a_slow_model_does_not_starve_storage() -> None:
    """While more embedding calls wait than there are threads, reads go on, and the event loop is free."""
    release = threading.Event()

    def slow(texts: list[str]) -> list[list[float]]:
        assert release.wait(30)
        return [[1.0] for _ in texts]

    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("slow", embedding_function=slow)
        adding = [asyncio.create_task(collection.add(ids=f"id{i}", documents="x")) for i in range(20)]
        await asyncio.sleep(0.05)
        assert await collection.count() == 0
        assert not any(task.done() for task in adding)
        release.set()
        await asyncio.gather(*adding)
        assert await collection.count() == 20


async def test_errors_of_arguments() -> None:
    """Wrong arguments raise as in Collection, and nothing is written."""
    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("things", embedding_function=None)
        with pytest.raises(InvalidArgumentError):
            await collection.add(ids=["a", "a"], embeddings=[[1], [2]])
        with pytest.raises(InvalidArgumentError):
            await collection.query()

        assert await collection.count() == 0


async def test_warnings_point_at_the_caller() -> None:
    """Warnings come as in Collection, once, with the caller's line."""
    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("things", embedding_function=None)
        await collection.add(ids="a", embeddings=[1])
        with pytest.warns(chromadb.ExistingIDsWarning) as caught:
            await collection.add(ids="a", embeddings=[1])
        await collection.add(ids="a", embeddings=[1])
        assert [warning.filename for warning in caught] == [__file__]
        with pytest.warns(chromadb.NothingDeletedWarning):
            await collection.delete()
