"""How a store is made, serialised and closed, and what importing costs."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chroma_plugin_llamaindex import ChromaPluginVectorStore
from llama_index.core.schema import TextNode
from support.server import RunningServer

import chroma_plugin as chromadb
from chroma_plugin.errors import ClosedError, InvalidArgumentError, MissingDependencyError, UnsupportedError

NODE = TextNode(id_="n1", text="text", embedding=[1.0, 0.0])


@pytest.fixture
def collection() -> Any:
    with chromadb.Client() as client:
        yield client.create_collection("docs", embedding_function=None)


def test_over_a_collection(collection: chromadb.Collection) -> None:
    """By position, by our name, by the official name, by from_collection, by the hook: all the same."""
    stores = [
        ChromaPluginVectorStore(collection),
        ChromaPluginVectorStore(collection=collection),
        ChromaPluginVectorStore(chroma_collection=collection),
        ChromaPluginVectorStore.from_collection(collection),
        *[collection.adapt(name) for name in ("llamaindex", "llama-index", "llama_index")],
    ]
    stores[0].add([NODE])

    for store in stores:
        assert isinstance(store, ChromaPluginVectorStore)
        assert store.client is collection
        assert store.collection_name == "docs"
        assert [node.node_id for node in store.get_nodes()] == ["n1"]


def test_options_of_adapt(collection: chromadb.Collection) -> None:
    """Keyword arguments of `adapt` are those of the class, and unknown ones are refused."""
    assert collection.adapt("llamaindex", flat_metadata=True).flat_metadata is True
    with pytest.raises(InvalidArgumentError, match="flat_meta"):
        collection.adapt("llamaindex", flat_meta=True)


async def test_adapt_of_an_async_collection() -> None:
    """The adapter has both faces then."""
    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("docs", embedding_function=None)
        store = await collection.adapt("llamaindex")
        await store.async_add([NODE])
        assert await collection.count() == 1


def test_with_a_client() -> None:
    """``client=`` and a name: the collection is made if there is none, without an embedding function."""
    with chromadb.Client() as client:
        kwargs = {"metadata": {"topic": "space"}, "configuration": {"hnsw": {"space": "cosine"}}}
        ChromaPluginVectorStore(client=client, collection_name="docs", collection_kwargs=kwargs).add([NODE])
        made = client.get_collection("docs")
        ChromaPluginVectorStore(client=client, collection_name="docs").close()

        assert made.count() == 1
        assert made.metadata == {"topic": "space"}
        assert made.embedding_function is None
        assert made.configuration_json["hnsw"]["space"] == "cosine"


def test_a_collection_keeps_its_embedding_function() -> None:
    """One that exists is opened with the function it was made with; a new one gets the one that is given."""
    from chroma_plugin.embedding_functions import HashingEmbeddingFunction

    with chromadb.Client() as client:
        client.create_collection("old", embedding_function=HashingEmbeddingFunction(16))
        old = ChromaPluginVectorStore(client=client, collection_name="old")
        new = ChromaPluginVectorStore(
            client=client,
            collection_name="new",
            collection_kwargs={"embedding_function": HashingEmbeddingFunction(32)},
        )

        assert len(old.client.embedding_function(["text"])[0]) == 16
        assert len(new.client.embedding_function(["text"])[0]) == 32


def test_from_params_of_a_directory(tmp_path: Path) -> None:
    """What one store wrote there, the next one reads; closed, it lets go of the files."""
    store = ChromaPluginVectorStore.from_params("docs", persist_dir=str(tmp_path))
    store.add([NODE])
    store.persist("./nowhere")
    store.close()
    with pytest.raises(ClosedError):
        store.get_nodes()

    again = ChromaPluginVectorStore.from_params(collection_name="docs", persist_dir=str(tmp_path))
    assert [node.node_id for node in again.get_nodes()] == ["n1"]
    again.close()


@pytest.mark.parametrize("port_type", [int, str])
def test_from_params_of_a_server(server: RunningServer, port_type: type) -> None:
    """With host and port, as a number or as text, as the official class has them."""
    store = ChromaPluginVectorStore.from_params("docs", host=server.host, port=port_type(server.port), ssl=False)
    store.clear()
    store.add([NODE])

    assert store.client.count() == 1
    store.close()


def test_close_leaves_the_clients_of_others_open(collection: chromadb.Collection) -> None:
    """A store closes only what it opened."""
    ChromaPluginVectorStore(collection).close()

    assert collection.count() == 0


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"collection_name": "docs"},
        {"collection": "docs"},
        {"client": "memory", "collection_name": "docs"},
        {"persist_dir": "somewhere"},
        {"colection_name": "docs"},
    ],
    ids=str,
)
def test_what_names_no_collection_is_refused(
    arguments: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a message that says what to give; nothing is left open."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InvalidArgumentError):
        ChromaPluginVectorStore(**arguments)


def test_async_clients_are_explained() -> None:
    """A store can't wait for an AsyncClient, but the caller can."""
    with pytest.raises(InvalidArgumentError, match=r"await client\.get_or_create_collection"):
        ChromaPluginVectorStore(client=chromadb.AsyncClient(), collection_name="docs")


def test_to_dict_and_back(tmp_path: Path) -> None:
    """A store that was opened by its place is restored from what `to_dict` and `to_json` give."""
    kwargs = {"configuration": {"hnsw": {"space": "cosine"}}}
    store = ChromaPluginVectorStore.from_params(
        "docs", persist_dir=str(tmp_path), collection_kwargs=kwargs, flat_metadata=True
    )
    store.add([NODE])

    restored = [
        ChromaPluginVectorStore.from_dict(store.to_dict()),
        ChromaPluginVectorStore.from_json(store.to_json()),
        pickle.loads(pickle.dumps(store)),
    ]

    assert store.to_dict()["class_name"] == "ChromaPluginVectorStore"
    for other in restored:
        assert other.to_dict() == store.to_dict()
        assert other.flat_metadata
        assert [node.node_id for node in other.get_nodes()] == ["n1"]
        other.close()
    store.close()


def test_serialised_stores_hold_no_secrets(server: RunningServer) -> None:
    """Headers may hold a token: neither the dict nor the repr shows them, and they are given again."""
    headers = {"x-chroma-token": "the secret"}
    store = ChromaPluginVectorStore.from_params("docs", host=server.host, port=server.port, headers=headers)

    assert "secret" not in store.to_json() + repr(store) + str(store)
    again = ChromaPluginVectorStore.from_dict(store.to_dict(), headers=headers)
    assert again.headers == headers
    again.close()
    store.close()


def test_a_store_over_a_collection_is_restored_with_one(collection: chromadb.Collection) -> None:
    """Where the collection is can't be told from the object; so it is given again, or the error says so."""
    store = ChromaPluginVectorStore(collection, flat_metadata=True)

    again = ChromaPluginVectorStore.from_dict(store.to_dict(), collection=collection)

    assert again.flat_metadata
    assert again.client is collection
    with pytest.raises(InvalidArgumentError, match="collection="):
        ChromaPluginVectorStore.from_dict(store.to_dict())
    with pytest.raises(UnsupportedError, match="pickled"):
        pickle.dumps(store)
    assert copy.copy(store).client is collection


def test_importing_the_package_imports_no_framework() -> None:
    """Neither does listing or describing the integration."""
    program = """
        import sys, chroma_plugin_llamaindex
        from chroma_plugin.plugins import default_manager
        assert default_manager().integration("llama_index").name == "llamaindex"
        assert not [name for name in sys.modules if name.startswith(("llama_index", "pydantic", "duckdb"))]
    """
    subprocess.run([sys.executable, "-c", "\n".join(map(str.strip, program.splitlines()))], check=True, timeout=120)


def test_without_llama_index(monkeypatch: pytest.MonkeyPatch, collection: chromadb.Collection) -> None:
    """Both doors name the line that installs it."""
    import chroma_plugin_llamaindex as package

    for name in [name for name in sys.modules if name.startswith(("llama_index", "chroma_plugin_llamaindex."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "llama_index", None)
    monkeypatch.setitem(sys.modules, "llama_index.core", None)
    monkeypatch.delitem(vars(package), "ChromaPluginVectorStore", raising=False)

    with pytest.raises(MissingDependencyError, match=r"pip install 'chroma-plugin\[llamaindex\]'"):
        package.ChromaPluginVectorStore  # noqa: B018
    with pytest.raises(MissingDependencyError, match=r"pip install 'chroma-plugin\[llamaindex\]'"):
        collection.adapt("llamaindex")
    with pytest.raises(AttributeError):
        package.SomethingElse  # noqa: B018
