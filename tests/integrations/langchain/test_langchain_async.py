"""Async: models are awaited, the loop is never blocked, and async clients and collections are awaited themselves."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chroma_plugin_langchain import ChromaPluginEmbeddings, ChromaPluginVectorStore
from langchain_core.documents import Document

import chroma_plugin as chromadb
from chroma_plugin.errors import UnsupportedError

Store = ChromaPluginVectorStore


@pytest.fixture(params=["memory", "duckdb", "rest"])
async def aclient(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[chromadb.AsyncClient]:
    """An async client of each backend."""
    if request.param == "memory":
        client = chromadb.AsyncClient()
    elif request.param == "duckdb":
        client = chromadb.AsyncClient(path=tmp_path / "store")
    else:
        server = request.getfixturevalue("langchain_server")
        client = chromadb.AsyncHttpClient(server.host, server.port)
    async with client:
        yield client


async def round_of_calls(store: Store) -> None:
    """Every async method does its work."""
    assert await store.aadd_documents([Document("1,0 one apple", metadata={"n": 1}, id="a"), Document("0,1", id="b")])
    assert await store.aadd_texts(["1,1"], ids=["c"]) == ["c"]
    assert await store.aadd_embeddings([[-1, 0]], ids=["d"], texts=["-1,0"]) == ["d"]
    assert [d.id for d in await store.asimilarity_search("1,0", k=2)] == ["a", "c"]
    assert [d.id for d in await store.asimilarity_search("1,0", filter={"n": 1})] == ["a"]
    assert (await store.asimilarity_search_with_score("1,0", k=1))[0][1] == pytest.approx(0, abs=1e-6)
    found = await store.asimilarity_search_with_relevance_scores("1,0", k=4, score_threshold=0.5)
    assert [d.id for d, _ in found] == ["a", "c"]
    assert [d.id for d in await store.asimilarity_search_by_vector([0, 1], k=1)] == ["b"]
    relevant = await store.asimilarity_search_by_vector_with_relevance_scores([0, 1], k=1)
    assert relevant[0][1] == pytest.approx(1)
    assert len(await store.asimilarity_search_with_vectors("1,0")) == 4
    assert (await store.amax_marginal_relevance_search("1,0", k=2))[0].id == "a"
    assert (await store.amax_marginal_relevance_search_by_vector([1, 0], k=2))[0].id == "a"
    assert (await store.ahybrid_search("1,0 apple", k=1))[0].id == "a"
    assert (await store.ahybrid_search_with_score("1,0 apple", k=1))[0][1] > 0
    assert (await store.atext_search("apple"))[0].id == "a"
    assert (await store.atext_search_with_score("apple"))[0][1] > 0
    assert [d.id for d in await store.as_retriever(search_kwargs={"k": 1}).ainvoke("0,1")] == ["b"]
    assert await store.aupdate_documents(["b", "z"], [Document("0,2"), Document("9,9")]) == ["b"]
    assert await store.aupdate_document("c", Document("2,2")) == ["c"]
    assert [d.page_content for d in await store.aget_by_ids(["c", "b"])] == ["2,2", "0,2"]
    copy = await store.afork(f"{store._collection.name}-copy")
    assert await store.adelete(["a", "unknown"]) is True
    assert await store.adelete(filter={"n": 1}) is True
    assert (await store.aget())["ids"] == ["b", "c", "d"]
    assert len((await copy.aget())["ids"]) == 4
    await store.areset_collection()
    assert (await store.aget())["ids"] == []
    await store.adelete_collection()


async def test_all_methods_with_a_client(store: Store) -> None:
    """A sync client, used in async code."""
    await round_of_calls(store)


async def test_all_methods_with_an_async_client(aclient: chromadb.AsyncClient, name: str, compass: Any) -> None:
    """Nothing is opened before the first await."""
    configuration = {"hnsw": {"space": "cosine"}}
    store = Store(name, compass, client=aclient, collection_configuration=configuration)
    assert repr(store) == f"ChromaPluginVectorStore('{name}')"

    await round_of_calls(store)
    assert {call for call, _ in compass.calls} == {"adocuments", "aquery"}


async def test_an_async_collection(aclient: chromadb.AsyncClient, name: str) -> None:
    """With its own embedding function; the class methods take it, too."""
    collection = await aclient.create_collection(name, embedding_function=ChromaPluginEmbeddings("hashing").function)
    store = await Store.afrom_texts(["a cat", "a dog"], ids=["a", "b"], collection=collection)

    assert [d.id for d in await store.asimilarity_search("a cat", k=1)] == ["a"]
    assert [d.id for d in await store.amax_marginal_relevance_search("a cat", k=1)] == ["a"]
    assert isinstance(store.embeddings, ChromaPluginEmbeddings)
    await store.areset_collection()
    assert await collection.count() == 0


async def test_sync_methods_refuse_an_async_client(aclient: chromadb.AsyncClient, name: str, compass: Any) -> None:
    """They say what to do, and no model was asked."""
    store = Store(name, compass, client=aclient)
    for call in (
        lambda: store.add_texts(["1,0"]),
        lambda: store.similarity_search("1,0"),
        lambda: store.delete(["a"]),
        store.get,
        store.reset_collection,
        lambda: Store.from_texts(["1,0"], compass, client=aclient),
    ):
        with pytest.raises(UnsupportedError, match="must be awaited"):
            call()
    assert compass.calls == []


async def test_from_texts_and_from_documents(tmp_path: Path, compass: Any) -> None:
    """Each has a database of its own; or the place that is named."""
    texts = await Store.afrom_texts(["1,0"], compass, [{"n": 1}], ["a"])
    documents = await Store.afrom_documents([Document("0,1", id="b")], compass)
    async with await Store.afrom_texts(["1,0"], compass, persist_directory=str(tmp_path)) as kept:
        assert len((await kept.aget())["ids"]) == 1

    assert (await texts.aget_by_ids(["a"]))[0].metadata == {"n": 1}
    assert (await documents.aget())["ids"] == ["b"]
    with pytest.raises(ValueError, match="There must be one of"):
        await Store.afrom_texts(["1,0"], compass, ids=["a", "b"])


async def test_images(tmp_path: Path) -> None:
    """Image models have no async methods; they run off the loop."""
    threads: list[int] = []

    class Pictures:
        """Only looks like LangChain's class."""

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[1.0, 1.0] for _ in texts]

        def embed_query(self, text: str) -> list[float]:
            return [1.0, 1.0]

        def embed_image(self, uris: list[str]) -> list[list[float]]:
            threads.append(threading.get_ident())
            return [[Path(uri).stat().st_size, 1.0] for uri in uris]

    file = tmp_path / "a.png"
    file.write_bytes(b"xyz")
    store = Store(embedding_function=Pictures())

    (id,) = await store.aadd_images([str(file)])
    assert (await store.asimilarity_search_by_image(str(file)))[0].id == id
    scored = await store.asimilarity_search_by_image_with_relevance_score(str(file))
    assert scored[0][1] == pytest.approx(1)
    assert (await store.asimilarity_search("text"))[0].id == id
    assert threading.get_ident() not in threads

    plain = Store(embedding_function=ChromaPluginEmbeddings("hashing"))
    with pytest.raises(UnsupportedError, match="embed_image"):
        await plain.aadd_images([str(file)])
    with pytest.raises(UnsupportedError, match="embed_image"):
        plain.add_images([str(file)])


class Slow(chromadb.EmbeddingFunction[Any]):
    """Blocks its thread, as a model does."""

    def __call__(self, input: list[str]) -> list[list[float]]:
        time.sleep(0.3)
        return [[1.0, 0.0] for _ in input]


async def test_the_loop_is_not_blocked() -> None:
    """While a blocking model works and thousands of documents are stored, other tasks go on."""
    store = Store(embedding_function=ChromaPluginEmbeddings(Slow()))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await store.aadd_texts([f"{n}" for n in range(100)])
    await store.asimilarity_search("question")
    ticking.cancel()

    assert ticks > 20


async def test_many_tasks_at_once(store: Store) -> None:
    """Writers and readers in one loop, each sees what it should."""

    async def work(number: int) -> None:
        id = str(number)
        await store.aadd_texts([f"1,{number}"], [{"n": number}], [id])
        assert [d.id for d in await store.asimilarity_search(f"1,{number}", k=3, filter={"n": number})] == [id]

    await asyncio.gather(*(work(number) for number in range(32)))

    assert store._collection.count() == 32
