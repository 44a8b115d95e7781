"""How a store finds its collection, and how it is written down."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import chroma_plugin_haystack
import pytest
from chroma_plugin_haystack import ChromaPluginDocumentStore, ChromaPluginEmbeddingRetriever
from haystack import Document
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils import Secret
from support.server import RunningServer, running_server

import chroma_plugin as chromadb
from chroma_plugin.errors import AuthorizationError, ClosedError, InvalidArgumentError, UnsupportedError
from chroma_plugin.plugins import PluginManager

DOCUMENT = Document(id="a", content="text", embedding=[1.0, 0.0])


def test_in_memory_by_default() -> None:
    """Two stores never share documents by accident."""
    one, other = ChromaPluginDocumentStore(), ChromaPluginDocumentStore()
    one.write_documents([DOCUMENT])
    assert (one.count_documents(), other.count_documents()) == (1, 0)


def test_in_a_directory(tmp_path: Path) -> None:
    """The documents are there next time; the collection is made as the parameters say, once."""
    store = ChromaPluginDocumentStore("papers", persist_path=tmp_path, distance_function="ip", metadata={"by": "us"})
    store.write_documents([DOCUMENT])
    store.close()
    store.close()
    with pytest.raises(ClosedError):
        store.count_documents()
    with chromadb.PersistentClient(tmp_path) as client:
        collection = client.get_collection("papers")
        assert collection.configuration_json["hnsw"]["space"] == "ip"
        assert collection.metadata == {"by": "us"}
    again = ChromaPluginDocumentStore("papers", persist_path=tmp_path)
    assert again.filter_documents() == [DOCUMENT]
    again.close()


def test_on_a_server(haystack_server: RunningServer) -> None:
    """By host and port, or by settings."""
    one = ChromaPluginDocumentStore("by-host", host=haystack_server.host, port=haystack_server.port)
    one.write_documents([DOCUMENT], policy=DuplicatePolicy.OVERWRITE)
    fields = {
        "chroma_api_impl": "rest",
        "chroma_server_host": haystack_server.host,
        "chroma_server_http_port": haystack_server.port,
    }
    other = ChromaPluginDocumentStore("by-host", settings=fields)
    assert other.filter_documents() == [DOCUMENT]
    one.close()
    other.close()


def test_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is read from the environment when the store is opened, and is never written down."""
    secret = "a-secret-that-is-long-enough"
    monkeypatch.setenv("MY_TOKEN", secret)
    with running_server(env={"CHROMA_PLUGIN_TOKEN": secret}) as server:
        store = ChromaPluginDocumentStore(host=server.host, port=server.port, token=Secret.from_env_var("MY_TOKEN"))
        store.write_documents([DOCUMENT])
        written = json.dumps(store.to_dict())
        assert secret not in written
        again = ChromaPluginDocumentStore.from_dict(json.loads(written))
        assert again.count_documents() == 1
        with pytest.raises(AuthorizationError):
            ChromaPluginDocumentStore(host=server.host, port=server.port).count_documents()
        store.close()
        again.close()


def test_to_dict_and_back() -> None:
    """Every parameter comes back, and the dict that was read is not changed."""
    store = ChromaPluginDocumentStore(
        "papers",
        host="example.org",
        port=8001,
        ssl=True,
        token=Secret.from_env_var("MY_TOKEN", strict=False),
        settings={"timeout": 5, "chroma_server_headers": Secret.from_env_var("HEADERS")},
        tenant="t",
        database="d",
        distance_function="l2",
        embedding_function="hashing",
        metadata={"by": "us"},
        embedding_dim=3,
        exact_embeddings=False,
        strict_datetime_comparison=True,
    )
    written = store.to_dict()
    text = json.dumps(written)
    again = ChromaPluginDocumentStore.from_dict(written)
    assert json.dumps(written) == text
    assert again.to_dict() == written
    assert written["type"] == "chroma_plugin_haystack.store.ChromaPluginDocumentStore"
    assert ChromaPluginDocumentStore.from_dict(ChromaPluginDocumentStore().to_dict()).count_documents() == 0


@pytest.mark.parametrize(
    "parameters",
    [
        {"host": "example.org", "token": Secret.from_token("a-secret")},
        {"settings": {"chroma_client_auth_credentials": "a-secret"}},
        {"settings": {"chroma_server_headers": {"X-Chroma-Token": "a-secret"}}},
        {"host": "https://user:a-secret@example.org"},
    ],
    ids=["token", "credentials", "headers", "url"],
)
def test_secrets_are_never_written_down(parameters: dict[str, Any]) -> None:
    """A secret that is not a Secret from the environment is refused, and not shown."""
    with pytest.raises(ValueError) as refusal:
        ChromaPluginDocumentStore(**parameters).to_dict()
    assert "a-secret" not in str(refusal.value)


def test_an_open_collection_cannot_be_written_down() -> None:
    """A store that was given a collection or a client says why."""
    client = chromadb.Client()
    collection = client.create_collection("papers", embedding_function=None)
    for store in (ChromaPluginDocumentStore(collection=collection), ChromaPluginDocumentStore(client=client)):
        with pytest.raises(ValueError, match="persist_path"):
            store.to_dict()
        store.close()
    assert client.count_collections() == 1  # what was given stays open


def test_two_answers_to_where() -> None:
    """Are refused at once."""
    client = chromadb.Client()
    collection = client.create_collection("papers", embedding_function=None)
    for parameters in (
        {"collection": collection, "client": client},
        {"collection": collection, "persist_path": "x"},
        {"client": client, "host": "localhost"},
        {"persist_path": "x", "host": "localhost"},
        {"host": "localhost", "token": "text"},
        {"distance_function": "cosinus"},
    ):
        with pytest.raises(InvalidArgumentError):
            ChromaPluginDocumentStore(**parameters)


def test_adapt() -> None:
    """``collection.adapt("haystack")`` is a store on that collection; options are parameters of the store."""
    client = chromadb.Client(plugins=PluginManager([chroma_plugin_haystack]))
    collection = client.create_collection("papers", embedding_function=None)
    store = collection.adapt("haystack", embedding_dim=2)
    assert isinstance(store, ChromaPluginDocumentStore)
    store.write_documents([DOCUMENT, Document(id="b")])
    assert collection.count() == 2


def test_a_collection_keeps_its_embedding_function() -> None:
    """Opening a collection that others made neither needs nor changes its embedding function."""
    client = chromadb.Client()
    collection = client.create_collection("papers", embedding_function="hashing")
    collection.add(ids="a", documents="some text")
    store = ChromaPluginDocumentStore("papers", client=client)
    assert store.count_documents() == 1
    assert store.hybrid_retrieval("some text")[0].id == "a"


async def test_a_store_of_an_async_collection_must_be_awaited() -> None:
    """The methods that block say what to do."""
    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("papers", embedding_function=None)
        store = ChromaPluginDocumentStore(collection=collection)
        with pytest.raises(UnsupportedError, match="_async"):
            store.count_documents()
        assert await store.count_documents_async() == 0


def test_components_take_only_our_store() -> None:
    """And a positive top_k."""
    with pytest.raises(TypeError, match="ChromaPluginDocumentStore"):
        ChromaPluginEmbeddingRetriever(document_store="store")
    with pytest.raises(ValueError, match="top_k"):
        ChromaPluginEmbeddingRetriever(document_store=ChromaPluginDocumentStore(), top_k=0)


def test_without_haystack() -> None:
    """Importing the package imports no Haystack; its names say how to install what is missing."""
    program = """
        import sys

        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "haystack":
                    raise ModuleNotFoundError(name)

        sys.meta_path.insert(0, Missing())
        import chroma_plugin_haystack
        import chroma_plugin as chromadb
        from chroma_plugin.errors import MissingDependencyError
        from chroma_plugin.plugins import PluginManager

        client = chromadb.Client(plugins=PluginManager([chroma_plugin_haystack]))
        collection = client.create_collection("papers", embedding_function=None)
        for ask in (lambda: chroma_plugin_haystack.ChromaPluginDocumentStore, lambda: collection.adapt("haystack")):
            try:
                ask()
            except MissingDependencyError as error:
                assert "pip install 'chroma-plugin[haystack]'" in str(error)
            else:
                raise AssertionError("nothing was raised")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)


def test_importing_the_package_is_light() -> None:
    """No Haystack, no numpy, before a name is used."""
    program = "import sys, chroma_plugin_haystack; print({'haystack', 'numpy', 'duckdb'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "set()"
