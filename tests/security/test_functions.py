"""A stored or sent embedding function is a name that is looked up among those that are registered, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import pytest
from support.server import running_server

import chroma_plugin as chromadb
from chroma_plugin.errors import EmbeddingFunctionError

WATCHED = """
import socket, sys

def refused(*args, **kwargs):
    raise SystemExit("a socket was opened")

import chroma_plugin as chromadb
from chroma_plugin.server import create_app
import asyncio, httpx, json

async def main():
    client = chromadb.Client()
    transport = httpx.ASGITransport(create_app(client), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as api:
        place = "/api/v2/tenants/default_tenant/databases/default_database/collections"
        await api.post(place, json={"name": "first"})
        before = set(sys.modules)
        socket.socket.connect = refused
        for name in ("antigravity", "this:that", "os.system", "sentence_transformer", "huggingface"):
            function = {"type": "known", "name": name, "config": {"model_name": "x/y", "trust_remote_code": True}}
            configuration = {"embedding_function": function}
            made = await api.post(place, json={"name": f"with-{len(name)}-{name[:2]}", "configuration": configuration})
            assert made.status_code < 500, made.text
            found = (await api.get(f"{place}/first")).json()
            put = await api.put(f"{place}/{found['id']}", json={"new_configuration": configuration})
            assert put.status_code < 500, put.text
            if made.status_code == 200:
                await api.post(f"{place}/{made.json()['id']}/query", json={"query_embeddings": [[1, 2]]})
        new = {name for name in set(sys.modules) - before if not name.startswith(("chroma_plugin", "numpy"))}
        assert not new & {"antigravity", "this", "sentence_transformers", "transformers", "torch"}, new

asyncio.run(main())
"""


def test_no_request_imports_or_fetches_anything() -> None:
    """On create, on modify and on query; with names that would do harm if they were imported."""
    done = subprocess.run([sys.executable, "-c", WATCHED], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_known_collection_of_an_unknown_function() -> None:
    """It can be read; only what needs the function is refused, with its name."""
    function: dict[str, Any] = {"type": "known", "name": "os.system", "config": {"command": "touch /tmp/owned"}}
    with running_server() as server:
        collections = f"{server.url}/api/v2/tenants/default_tenant/databases/default_database/collections"
        body = {"name": "theirs", "configuration": {"embedding_function": function}}
        assert httpx.post(collections, json=body).status_code == 200
        with chromadb.HttpClient(port=server.port) as client:
            theirs = client.get_collection("theirs")
            theirs.add(ids="a", embeddings=[1, 2])
            assert theirs.get()["ids"] == ["a"]
            with pytest.raises(EmbeddingFunctionError, match=r"os\.system"):
                theirs.query(query_texts="text")


NO_NETWORK = """
import socket

def refused(*args, **kwargs):
    raise SystemExit("the network was asked for something")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused

import chroma_plugin as chromadb, sys

for options in ({}, {"path": sys.argv[1]}):
    with chromadb.Client(**options) as client:
        things = client.create_collection("things", embedding_function=None)
        things.add(ids=["a", "b"], embeddings=[[1, 2], [3, 4]], documents=["one", "two"], metadatas=[{"k": 1}, None])
        things.query([1, 2], where={"k": {"$regex": "a"}})
        things.search_text("one") if "bm25s" in sys.modules else None
        things.get(where_document={"$contains": "o"})
        client.info(), client.list_collections()
        client.get_or_create_collection("default")
        client.get_collection("default").count()
"""


def test_no_network(tmp_path: Any) -> None:
    """Importing, adding, querying, and making a collection with the default function ask the network for nothing."""
    command = [sys.executable, "-c", NO_NETWORK, str(tmp_path / "store")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
