"""Text search over the rest backend: asked of a server of ours, done here where the server can't."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chroma_plugin_rest.transport import Transport
from support.server import RunningServer, running_server

import chroma_plugin as chromadb
from chroma_plugin.errors import NotFoundError
from chroma_plugin.ranking import library

BEFORE_TEXT_SEARCH = """
import chroma_plugin.server.routes as routes
routes.ROUTES = tuple(route for route in routes.ROUTES if "search_text" not in route.path)
"""

DOCUMENTS = ["the cat sat", "a dog and a cat", None, "", "cat cat cat"]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(allow_reset=True) as server:
        yield server


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of ours that knows nothing of text search."""
    folder: Path = tmp_path_factory.mktemp("older")
    (folder / "sitecustomize.py").write_text(BEFORE_TEXT_SEARCH)
    with running_server(allow_reset=True, env={"PYTHONPATH": str(folder)}) as server:
        yield server


@pytest.fixture(params=["server", "older"])
def client(request: pytest.FixtureRequest) -> Iterator[chromadb.Client]:
    """A client of an emptied server."""
    server: RunningServer = request.getfixturevalue(request.param)
    with chromadb.HttpClient(server.host, server.port) as client:
        client.reset()
        yield client


def filled(client: chromadb.Client) -> chromadb.Collection:
    collection = client.create_collection("things", embedding_function=None)
    ids = [f"d{row}" for row in range(len(DOCUMENTS))]
    metadatas: Any = [{"row": row} for row in range(len(DOCUMENTS))]
    collection.add(ids=ids, embeddings=[[row, 0] for row in range(5)], documents=DOCUMENTS, metadatas=metadatas)
    return collection


def test_the_same_as_in_memory(client: chromadb.Client) -> None:
    """Ids, scores to the last bit and records, with filters and without."""
    remote, local = filled(client), filled(chromadb.Client())
    for arguments in (
        {"query_texts": ["cat", "dog sat", "?"]},
        {"query_texts": "the cat", "n_results": 1},
        {"query_texts": "cat", "where": {"row": {"$gt": 0}}, "include": ["scores"]},
        {"query_texts": "cat", "ids": ["d0", "d2"], "where_document": {"$contains": "sat"}},
    ):
        assert remote.search_text(**arguments) == local.search_text(**arguments)  # type: ignore[arg-type]
    assert remote.search_hybrid("dog", [0, 0]) == local.search_hybrid("dog", [0, 0])


def test_a_collection_that_is_gone(client: chromadb.Client) -> None:
    """An error of its own, not an older server."""
    collection = filled(client)
    client.delete_collection("things")

    with pytest.raises(NotFoundError, match="does not exist"):
        collection.search_text("cat")


def test_one_request(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of ours is asked once, for however many texts."""
    with chromadb.HttpClient(server.host, server.port) as client:
        client.reset()
        collection = filled(client)
        asked: list[str] = []
        send = Transport.send

        def noted(self: Transport, method: str, path: str, *arguments: Any, **options: Any) -> Any:
            asked.append(path.rpartition("/")[2])
            return send(self, method, path, *arguments, **options)

        monkeypatch.setattr(Transport, "send", noted)
        collection.search_text(["cat", "dog"])

        assert asked == ["search_text"]


async def test_on_an_event_loop(server: RunningServer) -> None:
    """A hundred searches at once, without a thread of their own."""
    async with chromadb.AsyncHttpClient(server.host, server.port) as client:
        await client.reset()
        collection = await client.create_collection("things", embedding_function=None)
        await collection.add(ids=["a", "b"], embeddings=[[1], [2]], documents=["cat", "dog"])
        before = threading.active_count()
        answers = await asyncio.gather(*[collection.search_text("dog") for _ in range(100)])

        assert [answer["ids"] for answer in answers] == [[["b"]]] * 100
        assert threading.active_count() == before


async def test_ranking_here_leaves_the_event_loop_alone(older: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the client has to read and rank everything itself, the texts are split and scored in another thread."""
    async with chromadb.AsyncHttpClient(older.host, older.port) as client:
        await client.reset()
        collection = await client.create_collection("things", embedding_function=None)
        await collection.add(ids=["a", "b"], embeddings=[[1], [2]], documents=["one cat", "one dog"])
        threads: dict[str, int] = {}
        split = library.words_of

        def noted(text: str) -> list[str]:
            threads[text] = threading.get_ident()
            return split(text)

        monkeypatch.setattr(library, "words_of", noted)
        found = await collection.search_text("cat")

        assert found["ids"] == [["a"]]
        assert threads.keys() == {"cat", "one cat", "one dog"}
        assert threading.get_ident() not in (threads["one cat"], threads["one dog"])
