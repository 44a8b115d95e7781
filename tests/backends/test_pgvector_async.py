"""AsyncClient over pgvector: on the event loop, each loop with connections of its own."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from support.postgres import needs_postgres, options

import chroma_plugin as chromadb
from chroma_plugin.errors import ClosedError, NotFoundError

pytestmark = needs_postgres


def settings(place: Path, **more: Any) -> chromadb.Settings:
    return chromadb.Settings(chroma_db_impl="pgvector", **options(place, **more))


async def test_a_round(tmp_path: Path) -> None:
    """Everything that a collection does, awaited; also the way of many records."""
    async with chromadb.AsyncClient(settings(tmp_path)) as client:
        things = await client.create_collection("things", embedding_function=None)
        report = await things.add(ids=["a", "b"], embeddings=[[1, 0], [2, 0]], metadatas=[{"n": 1}, {"n": 2}])
        assert report.added == ["a", "b"]
        assert (await things.get(where={"n": 2}))["ids"] == ["b"]
        assert (await things.query(query_embeddings=[2, 0], n_results=1))["ids"] == [["b"]]
        assert (await things.update(ids="a", documents="a word")).updated == ["a"]
        assert (await things.search_text("word"))["ids"] == [["a"]]
        many = [f"m{number}" for number in range(300)]
        assert len((await things.add(ids=many, embeddings=[[n, 1] for n in range(300)])).added) == 300
        assert len((await things.upsert(ids=[*many, "new"], embeddings=[[n, 1] for n in range(301)])).added) == 1
        assert await things.delete(where={"n": 2}) == {"deleted": 1}
        assert await things.count() == 302
        await client.delete_collection("things")
        with pytest.raises(NotFoundError):
            await things.count()


async def test_an_index_is_built_while_the_loop_goes_on(tmp_path: Path) -> None:
    async with chromadb.AsyncClient(settings(tmp_path, index_from=100)) as client:
        things = await client.create_collection("things", embedding_function=None)
        await things.add(ids=[f"i{n}" for n in range(200)], embeddings=[[n, 1] for n in range(200)])
        await things.create_index()
        assert (await things.info())["store"]["index_state"] == "ready"
        found = await things.query(query_embeddings=[[5, 1], [150, 1]], n_results=1)
        assert found["ids"] == [["i5"], ["i150"]]


async def test_many_queries_need_no_threads(tmp_path: Path) -> None:
    """A hundred queries at once share the few connections of the pool, without a thread of theirs."""
    async with chromadb.AsyncClient(settings(tmp_path)) as client:
        things = await client.create_collection("things", embedding_function=None)
        await things.add(ids=[f"i{n}" for n in range(100)], embeddings=[[n, 0] for n in range(100)])
        before = most = threading.active_count()

        async def ask(number: int) -> list[list[str]]:
            nonlocal most
            found = await things.query(query_embeddings=[number, 0], n_results=1)
            most = max(most, threading.active_count())
            return found["ids"]

        answers = await asyncio.gather(*[ask(number) for number in range(100)])
        assert answers == [[[f"i{number}"]] for number in range(100)]
        assert most == before


async def test_a_call_that_is_given_up_harms_no_other(tmp_path: Path) -> None:
    """Cancelled reads give their connections back."""
    async with chromadb.AsyncClient(settings(tmp_path, pool_size=1)) as client:
        things = await client.create_collection("things", embedding_function=None)
        await things.add(ids="a", embeddings=[1, 0])
        for _ in range(20):
            task = asyncio.create_task(things.get())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await things.count() == 1


def test_a_client_of_several_loops(tmp_path: Path) -> None:
    """Each loop has a pool; those of loops that have ended are closed with the client."""
    client = chromadb.AsyncClient(settings(tmp_path))

    async def write(id: str) -> int:
        things = await client.get_or_create_collection("things", embedding_function=None)
        await things.upsert(ids=id, embeddings=[1, 0])
        return await things.count()

    assert asyncio.run(write("a")) == 1
    assert asyncio.run(write("b")) == 2

    async def close() -> None:
        await client.close()
        with pytest.raises(ClosedError):
            await client.heartbeat()

    asyncio.run(close())
