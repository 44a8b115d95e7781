"""The awaited methods do what the others do, and never keep the event loop waiting."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from chroma_plugin_llamaindex import ChromaPluginVectorStore
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from support.server import RunningServer

import chroma_plugin as chromadb
from chroma_plugin.errors import UnsupportedError

MODES = ["default", "mmr", "text_search", "sparse", "hybrid", "semantic_hybrid"]
EVEN = MetadataFilters(filters=[MetadataFilter(key="even", value=1)])
NODES = [
    TextNode(
        id_=f"n{row}",
        text=f"text number {row} of {'the fox' if row % 3 else 'a dog'}",
        embedding=[1.0, row / 5],
        metadata={"even": row % 2 == 0},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"d{row % 4}")},
    )
    for row in range(20)
]


def query(mode: str, **fields: Any) -> VectorStoreQuery:
    return VectorStoreQuery(
        query_embedding=[1.0, 1.0],
        query_str="fox number 3",
        similarity_top_k=4,
        mode=VectorStoreQueryMode(mode),
        **fields,
    )


@pytest.fixture(params=["memory", "duckdb", "rest"])
async def async_store(
    request: pytest.FixtureRequest, tmp_path: Path, server: RunningServer
) -> AsyncIterator[ChromaPluginVectorStore]:
    """An empty store over an AsyncCollection."""
    if request.param == "rest":
        client = await chromadb.AsyncHttpClient(server.host, server.port)
    else:
        client = chromadb.AsyncClient(path=None if request.param == "memory" else tmp_path / "store")
    async with client:
        yield ChromaPluginVectorStore(await client.create_collection(f"n-{uuid4().hex}", embedding_function=None))


@pytest.fixture(params=["Collection", "AsyncCollection"])
def either(
    request: pytest.FixtureRequest, local_store: ChromaPluginVectorStore, async_store: ChromaPluginVectorStore
) -> ChromaPluginVectorStore:
    return local_store if request.param == "Collection" else async_store


def test_every_method_of_the_base_class_that_awaits_is_overridden() -> None:
    """Those of the base class call the blocking ones, on the loop."""
    awaited = [name for name, _ in inspect.getmembers(BasePydanticVectorStore, inspect.iscoroutinefunction)]

    assert {"async_add", "adelete", "aquery", "aget_nodes", "adelete_nodes", "aclear"} <= set(awaited)
    for name in awaited:
        assert name in vars(ChromaPluginVectorStore), name


def test_both_faces_have_the_same_parameters() -> None:
    """An awaited method takes what its blocking twin takes."""
    for name in ("add", "delete", "query", "get_nodes", "delete_nodes", "clear"):
        awaited = getattr(ChromaPluginVectorStore, "async_add" if name == "add" else f"a{name}")
        blocking = getattr(ChromaPluginVectorStore, name)
        assert inspect.signature(awaited) == inspect.signature(blocking), name


async def test_awaited_methods_do_what_the_others_do(either: ChromaPluginVectorStore) -> None:
    """Adding, replacing, reading, querying, deleting and clearing, with either kind of collection."""

    async def ids() -> list[str]:
        return [node.node_id for node in await either.aget_nodes()]

    assert await either.async_add([]) == []
    assert await either.async_add(NODES) == [node.node_id for node in NODES]
    assert await either.async_add([NODES[0].model_copy(update={"text": "new"})]) == ["n0"]
    first = (await either.aget_nodes(["n0"]))[0]
    assert (first.get_content(), first.embedding) == ("new", [1.0, 0.0])
    assert await either.aget_nodes([]) == []
    assert [node.node_id for node in await either.aget_nodes(["n3", "n2"], EVEN)] == ["n2"]
    found = await either.aquery(query("default", filters=EVEN, doc_ids=["d0"]), where_document={"$contains": "fox"})
    assert found.ids == ["n4", "n8", "n16"]

    await either.adelete("d0")
    await either.adelete_nodes(["n1"])
    await either.adelete_nodes(filters=EVEN)
    await either.adelete_nodes()
    await either.adelete_nodes([])
    assert await ids() == ["n3", "n5", "n7", "n9", "n11", "n13", "n15", "n17", "n19"]
    await either.aclear()
    assert await ids() == []


@pytest.mark.parametrize("mode", MODES)
async def test_awaited_queries_give_the_same(
    local_store: ChromaPluginVectorStore, async_store: ChromaPluginVectorStore, mode: str
) -> None:
    """In every mode: blocking, awaited in a thread, and over an AsyncCollection (whose space is l2)."""
    local_store.add(NODES)
    await async_store.async_add(NODES)

    blocking = local_store.query(query(mode))
    awaited = await local_store.aquery(query(mode))
    native = await async_store.aquery(query(mode))

    assert blocking == awaited
    assert len(native.ids or []) == len(native.similarities or []) == 4
    if mode in ("text_search", "sparse"):
        assert native.ids == blocking.ids
        assert native.similarities == pytest.approx(blocking.similarities)


async def test_a_store_of_an_async_collection_refuses_to_block(async_store: ChromaPluginVectorStore) -> None:
    """The methods that would have to wait say what to do instead, also for a call with nothing to do but wait."""
    calls: list[Callable[[], Any]] = [
        lambda: async_store.add(NODES),
        lambda: async_store.query(query("default")),
        async_store.get_nodes,
        lambda: async_store.delete("d0"),
        lambda: async_store.delete_nodes(["n0"]),
        async_store.clear,
    ]
    for call in calls:
        with pytest.raises(UnsupportedError, match="await"):
            call()


async def test_many_tasks_at_once(either: ChromaPluginVectorStore) -> None:
    """Thirty-two tasks that add, query and delete see each its own nodes."""

    async def work(task: int) -> list[str] | None:
        nodes = [
            TextNode(id_=f"t{task}-{row}", text="words", embedding=[1.0, task / 32], metadata={"task": task})
            for row in range(10)
        ]
        await either.async_add(nodes)
        await either.adelete_nodes([f"t{task}-0"])
        own = MetadataFilters(filters=[MetadataFilter(key="task", value=task)])
        return (await either.aquery(VectorStoreQuery([1.0, 0.5], similarity_top_k=20, filters=own))).ids

    for task, ids in enumerate(await asyncio.gather(*map(work, range(32)))):
        assert sorted(ids or []) == sorted(f"t{task}-{row}" for row in range(1, 10))


@pytest.mark.parametrize("kind", ["Collection", "AsyncCollection"])
async def test_the_loop_never_waits_for_the_store(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the collection is busy, and while nodes become records, the loop runs other tasks.

    The engine is held until the loop has run another task; on the loop that would never happen.
    """
    from chroma_plugin_llamaindex import store as module

    loop_ran = threading.Event()
    held: list[str] = []

    def hold(function: Callable[..., Any]) -> Callable[..., Any]:
        def held_back(*args: Any, **kwargs: Any) -> Any:
            asyncio_loop.call_soon_threadsafe(loop_ran.set)
            assert loop_ran.wait(30), f"{function.__name__} ran on the event loop"
            loop_ran.clear()
            held.append(function.__name__)
            return function(*args, **kwargs)

        return held_back

    asyncio_loop = asyncio.get_running_loop()
    for name in ("records_of", "nodes_of"):
        monkeypatch.setattr(module, name, hold(getattr(module, name)))
    for name in ("add", "get", "query", "search_text", "delete"):
        monkeypatch.setattr(chromadb.Collection, name, hold(getattr(chromadb.Collection, name)))

    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("nodes", embedding_function=None)
        store = (
            ChromaPluginVectorStore(collection) if kind == "AsyncCollection" else await collection.adapt("llamaindex")
        )
        awaitables: list[Callable[[], Awaitable[Any]]] = [
            lambda: store.async_add(NODES),
            store.aget_nodes,
            lambda: store.aquery(query("hybrid")),
            lambda: store.adelete("d0"),
            lambda: store.adelete_nodes(["n1"]),
            store.aclear,
        ]
        for awaitable in awaitables:
            await awaitable()

    assert {"records_of", "nodes_of"} <= set(held)
    if kind == "Collection":
        assert {"add", "get", "query", "search_text", "delete"} <= set(held)


async def test_the_timer_ticks_during_a_large_add(local_store: ChromaPluginVectorStore) -> None:
    """The official adapter's timer does not tick once while it adds 4,000 nodes."""
    vectors = np.random.default_rng(0).normal(size=(4_000, 32)).tolist()
    nodes = [TextNode(id_=f"n{row}", text="text", embedding=vector) for row, vector in enumerate(vectors)]
    adding = asyncio.create_task(local_store.async_add(nodes))
    ticks = 0
    while not adding.done():
        await asyncio.sleep(0.001)
        ticks += 1

    assert len(await adding) == 4_000
    assert ticks > 1
