"""Document stores on every backend. Haystack's telemetry is off before anything imports Haystack."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.backends import BACKENDS, settings
from support.server import RunningServer, running_server

import chroma_plugin as chromadb

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
pytest.importorskip("haystack")

KINDS = ("threads", "awaited")


@pytest.fixture(scope="session")
def haystack_server() -> Iterator[RunningServer]:
    """A server in memory for all tests here; each has a collection of its own."""
    with running_server() as server:
        yield server


def settings_of(backend: str, request: pytest.FixtureRequest) -> chromadb.Settings:
    if backend != "rest":
        path: Path = request.getfixturevalue("tmp_path")
        return chromadb.Settings(**settings(backend, path))
    server: RunningServer = request.getfixturevalue("haystack_server")
    return chromadb.Settings(
        chroma_api_impl="rest", chroma_server_host=server.host, chroma_server_http_port=server.port
    )


def new(**more: Any) -> dict[str, Any]:
    """The arguments of a new collection."""
    configuration = {"hnsw": {"space": "cosine"}}
    return {"name": f"c{uuid4().hex}", "embedding_function": None, "configuration": configuration, **more}


@pytest.fixture(params=BACKENDS)
def collection(request: pytest.FixtureRequest) -> Iterator[chromadb.Collection]:
    """An empty collection of each backend, with cosine distances."""
    with chromadb.Client(settings_of(request.param, request)) as client:
        yield client.create_collection(**new())


@pytest.fixture
def document_store(collection: chromadb.Collection) -> Any:
    """A store on each backend."""
    from chroma_plugin_haystack import ChromaPluginDocumentStore

    return ChromaPluginDocumentStore(collection=collection)


@pytest.fixture(params=[f"{backend}-{kind}" for backend in BACKENDS for kind in KINDS])
async def async_store(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A store on each backend, with a Collection and with an AsyncCollection."""
    from chroma_plugin_haystack import ChromaPluginDocumentStore

    backend, kind = request.param.split("-")
    settings = settings_of(backend, request)
    if kind == "threads":
        with chromadb.Client(settings) as client:
            yield ChromaPluginDocumentStore(collection=client.create_collection(**new()))
        return
    async with chromadb.AsyncClient(settings) as client:
        yield ChromaPluginDocumentStore(collection=await client.create_collection(**new()))
