"""How a store is made: langchain-chroma's parameters, clients, collections, embeddings."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from chroma_plugin_langchain import ChromaPluginEmbeddings, ChromaPluginVectorStore, embedding_function_of
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

import chroma_plugin as chromadb
from chroma_plugin.embedding_functions import HashingEmbeddingFunction
from chroma_plugin.errors import (
    EmbeddingFunctionError,
    InvalidArgumentError,
    NotFoundError,
    UniqueConstraintError,
)

Store = ChromaPluginVectorStore

# chroma_plugin_langchain takes what langchain_chroma.Chroma 1.1.0 takes, in its order.
PARAMETERS = [
    "collection_name",
    "embedding_function",
    "persist_directory",
    "host",
    "port",
    "headers",
    "chroma_cloud_api_key",
    "tenant",
    "database",
    "client_settings",
    "collection_metadata",
    "collection_configuration",
    "client",
    "relevance_score_fn",
    "create_collection_if_not_exists",
]
METHODS = {
    "add_documents": ["documents"],
    "add_images": ["uris", "metadatas", "ids"],
    "add_texts": ["texts", "metadatas", "ids"],
    "as_retriever": [],
    "delete": ["ids"],
    "delete_collection": [],
    "encode_image": ["uri"],
    "fork": ["new_name"],
    "from_documents": ["documents", "embedding", "ids", "collection_name"],
    "from_texts": ["texts", "embedding", "metadatas", "ids", "collection_name"],
    "get": ["ids", "where", "limit", "offset", "where_document", "include"],
    "get_by_ids": ["ids"],
    "max_marginal_relevance_search": ["query", "k", "fetch_k", "lambda_mult", "filter", "where_document"],
    "max_marginal_relevance_search_by_vector": ["embedding", "k", "fetch_k", "lambda_mult", "filter", "where_document"],
    "reset_collection": [],
    "similarity_search": ["query", "k", "filter"],
    "similarity_search_by_image": ["uri", "k", "filter"],
    "similarity_search_by_image_with_relevance_score": ["uri", "k", "filter"],
    "similarity_search_by_vector": ["embedding", "k", "filter", "where_document"],
    "similarity_search_by_vector_with_relevance_scores": ["embedding", "k", "filter", "where_document"],
    "similarity_search_with_score": ["query", "k", "filter", "where_document"],
    "similarity_search_with_vectors": ["query", "k", "filter", "where_document"],
    "update_document": ["document_id", "document"],
    "update_documents": ["ids", "documents"],
}


def test_the_parameters_are_those_of_langchain_chroma() -> None:
    """Changing the import is enough, with positional arguments too."""
    parameters = inspect.signature(Store).parameters

    assert list(parameters)[: len(PARAMETERS)] == PARAMETERS
    assert {"ssl", "embedding", "collection"} <= parameters.keys()


@pytest.mark.parametrize("method", METHODS)
def test_the_methods_are_those_of_langchain_chroma(method: str) -> None:
    """By name and by the order of their arguments."""
    given = list(inspect.signature(getattr(Store, method)).parameters)
    given = given[1:] if given[:1] == ["self"] else given

    assert given[: len(METHODS[method])] == METHODS[method]


SYNC_ONLY = {"as_retriever", "encode_image", "close"}


def test_every_method_has_an_async_twin() -> None:
    """With the same arguments, defaults included."""
    names = [name for name, _ in inspect.getmembers(Store, callable) if not name.startswith("_")]
    for name in names:
        twin = getattr(Store, f"a{name}", None)
        if name in SYNC_ONLY or (name.startswith("a") and name[1:] in names):
            continue
        assert inspect.iscoroutinefunction(twin), f"a{name}"
        assert list(inspect.signature(twin).parameters.items()) == list(
            inspect.signature(getattr(Store, name)).parameters.items()
        ), name


def test_a_directory(tmp_path: Path, compass: Any) -> None:
    """What one store has written another one reads, in the same process and at the same time."""
    path = str(tmp_path / "db")
    with Store("notes", compass, path) as first, Store("notes", compass, persist_directory=path) as second:
        first.add_texts(["1,0"], ids=["a"])
        assert second.similarity_search("1,0") == [Document("1,0", id="a")]
    with Store("notes", compass, path, create_collection_if_not_exists=False) as again:
        assert again.get()["ids"] == ["a"]


def test_a_server(langchain_server: Any, name: str, compass: Any) -> None:
    """Host and port, as with langchain-chroma."""
    with Store(name, compass, host=langchain_server.host, port=langchain_server.port) as store:
        store.add_texts(["1,0"], ids=["a"])
        assert store.similarity_search("1,0") == [Document("1,0", id="a")]


def test_settings(tmp_path: Path, compass: Any) -> None:
    """client_settings alone say where the database is."""
    settings = chromadb.Settings(chroma_db_impl="duckdb+parquet", persist_directory=tmp_path)
    with Store(embedding_function=compass, client_settings=settings) as store:
        assert store._collection.name == "langchain"
        store.add_texts(["1,0"])
    assert any(tmp_path.iterdir())


def test_only_one_place_can_be_named(client: chromadb.Client, compass: Any) -> None:
    """And what is no client or collection of ours is refused with the way out."""
    with pytest.raises(InvalidArgumentError, match="persist_directory and host"):
        Store(embedding_function=compass, persist_directory="x", host="localhost")
    with pytest.raises(InvalidArgumentError, match="client and host"):
        Store(embedding_function=compass, client=client, host="localhost")
    with pytest.raises(InvalidArgumentError, match="import chroma_plugin as chromadb"):
        Store(embedding_function=compass, client=object())  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(InvalidArgumentError, match="collection must be"):
        Store(embedding_function=compass, collection="notes")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(InvalidArgumentError, match="one parameter"):
        Store(embedding_function=compass, embedding=HashingEmbeddingFunction())
    with pytest.raises(TypeError, match="persist_dir"):
        Store(embedding_function=compass, persist_dir="x")  # type: ignore[call-arg]  # wrong on purpose


def test_a_collection_that_must_exist(client: chromadb.Client, name: str, compass: Any) -> None:
    """create_collection_if_not_exists=False raises NotFoundError, and nothing is made."""
    with pytest.raises(NotFoundError):
        Store(name, compass, client=client, create_collection_if_not_exists=False)
    with pytest.raises(NotFoundError):
        client.get_collection(name)


def test_metadata_and_configuration_of_a_new_collection(client: chromadb.Client, name: str, compass: Any) -> None:
    """Both ways to name the space are understood; an existing collection stays as it is."""
    old = Store(name, compass, client=client, collection_metadata={"hnsw:space": "cosine", "about": "cats"})
    again = Store(name, compass, client=client, collection_configuration={"hnsw": {"space": "ip"}})

    for store in (old, again):
        assert store._collection.configuration_json["hnsw"]["space"] == "cosine"
        assert store._collection.metadata["about"] == "cats"


def test_adapt(client: chromadb.Client, name: str, compass: Any) -> None:
    """collection.adapt makes a store of an open collection; with embeddings, or with its own function."""
    collection = client.create_collection(name, embedding_function=HashingEmbeddingFunction(16))
    store = collection.adapt("langchain")
    store.add_texts(["a cat", "a dog"], ids=["a", "b"])

    assert isinstance(store, Store)
    assert store.similarity_search("a cat", k=1)[0].id == "a"
    assert isinstance(store.embeddings, ChromaPluginEmbeddings)
    assert store.embeddings.embed_query("a cat") == pytest.approx(HashingEmbeddingFunction(16)(["a cat"])[0].tolist())
    assert collection.adapt("langchain", embedding=compass).embeddings is compass
    with pytest.raises(InvalidArgumentError, match="two collections"):
        Store("other", collection=collection)


def test_a_collection_alone_is_enough(client: chromadb.Client, name: str, compass: Any) -> None:
    """A store over a collection empties, copies and deletes it."""
    collection = client.create_collection(name, embedding_function=None)
    store = collection.adapt("langchain", embedding=compass)
    store.add_texts(["1,0"])

    assert [document.page_content for document in store.fork(f"{name}-copy").similarity_search("1,0")] == ["1,0"]
    store.reset_collection()
    assert collection.count() == 0
    store.delete_collection()
    with pytest.raises(NotFoundError):
        client.get_collection(name)


def test_a_client_that_turned_to_another_database(client: chromadb.Client, name: str, compass: Any) -> None:
    """A collection of the same name there is not taken for this one."""
    store = Store(collection=client.create_collection(name, embedding_function=None), embedding=compass)
    client.create_database(f"{name}-other")
    client.set_database(f"{name}-other")
    client.create_collection(name, embedding_function=None)

    with pytest.raises(InvalidArgumentError, match="another"):
        store.delete_collection()
    client.get_collection(name)


def test_with_its_client_a_collection_is_deleted(client: chromadb.Client, name: str, compass: Any) -> None:
    """collection= and client= together."""
    collection = client.create_collection(name, embedding_function=None)
    Store(collection=collection, client=client, embedding=compass).delete_collection()

    with pytest.raises(NotFoundError):
        client.get_collection(name)


def test_reset_and_delete(client: chromadb.Client, name: str, compass: Any) -> None:
    """Reset keeps name, metadata, and space, and takes another dimension; delete leaves a store that says so."""
    client.create_collection(name, metadata={"about": "cats"}, configuration={"hnsw": {"space": "cosine"}})
    store = Store(name, compass, client=client)
    store.add_texts(["1,0"])
    store.reset_collection()

    assert store._collection.metadata == {"about": "cats"}
    assert store._collection.configuration_json["hnsw"]["space"] == "cosine"
    assert store.add_embeddings([[1, 2, 3]], ids=["a"]) == ["a"]

    store.delete_collection()
    for call in (lambda: store.similarity_search("1,0"), lambda: store._collection, store.delete_collection):
        with pytest.raises(NotFoundError, match="reset_collection"):
            call()
    with pytest.raises(NotFoundError):
        client.get_collection(name)

    store.reset_collection()
    assert store.similarity_search("1,0") == []
    assert store._collection.metadata == {"about": "cats"}


def test_a_collection_without_a_function_stays_one(client: chromadb.Client, name: str) -> None:
    """Also after a reset, and in a copy."""
    client.create_collection(name, embedding_function=None)
    store = Store(name, client=client)
    store.reset_collection()

    assert store.embeddings is None
    assert store.fork(f"{name}-copy").embeddings is None


def test_forks_are_whole(client: chromadb.Client, name: str, compass: Any) -> None:
    """A copy has all records, of more than one page, with metadata, vectors and order; a taken name is refused."""
    store = Store(name, compass, client=client)
    count = 5_001
    store.add_embeddings([[n, 1.0] for n in range(count)], [{"n": n} for n in range(count)], map(str, range(count)))
    copy = store.fork(f"{name}-copy")

    everything = ["embeddings", "metadatas", "documents"]
    mine, theirs = store.get(include=everything), copy.get(include=everything)
    assert copy.embeddings is compass
    assert mine["ids"] == theirs["ids"]
    assert mine["metadatas"] == theirs["metadatas"]
    assert (mine["embeddings"] == theirs["embeddings"]).all()
    with pytest.raises(UniqueConstraintError):
        store.fork(f"{name}-copy")


class Words(chromadb.EmbeddingFunction[Any]):
    """Queries and documents have different vectors."""

    def __call__(self, input: list[str]) -> list[list[float]]:
        return [[len(text), 1.0] for text in input]

    def embed_query(self, input: list[str]) -> list[list[float]]:
        return [[len(text), 2.0] for text in input]


def test_a_chroma_function_as_embeddings() -> None:
    """Documents by its call, questions by its embed_query, and the function itself on the way back."""
    function = Words()
    embeddings = ChromaPluginEmbeddings(function)

    assert isinstance(embeddings, Embeddings)
    assert embeddings.embed_documents(["a", "bb"]) == [[1, 1], [2, 1]]
    assert embeddings.embed_documents([]) == []
    assert embeddings.embed_query("ccc") == [3, 2]
    assert embedding_function_of(embeddings) is function
    assert ChromaPluginEmbeddings("hashing").embed_query("x") == ChromaPluginEmbeddings("hashing").embed_query("x")


async def test_a_chroma_function_as_embeddings_in_async_code() -> None:
    """The same, off the event loop."""
    embeddings = ChromaPluginEmbeddings(Words())

    assert await embeddings.aembed_documents(["a"]) == [[1, 1]]
    assert await embeddings.aembed_query("a") == [1, 2]


def test_embeddings_as_a_chroma_function(client: chromadb.Client, name: str, compass: Any) -> None:
    """Questions by embed_query; a collection takes it, and remembers that there was one."""
    collection = client.create_collection(name, embedding_function=embedding_function_of(compass))
    collection.add(ids=["a"], documents=["1,0"])

    assert collection.query(query_texts="1,0")["ids"] == [["a"]]
    assert compass.calls == [("documents", 1), ("query", 1)]
    assert collection.configuration_json["embedding_function"] == {"type": "legacy"}
    with pytest.raises(InvalidArgumentError):
        embedding_function_of(None)
    with pytest.raises(InvalidArgumentError):
        ChromaPluginEmbeddings(None)


def test_what_a_collection_remembers(client: chromadb.Client, name: str, compass: Any) -> None:
    """A named function survives, so that the store opens without it; LangChain's embeddings are 'legacy'."""
    Store(name, ChromaPluginEmbeddings("hashing"), client=client).add_texts(["a cat"], ids=["a"])

    assert client.get_collection(name).configuration_json["embedding_function"]["name"] == "hashing"
    assert Store(name, client=client).similarity_search("a cat")[0].id == "a"
    assert client.get_collection(name).query(query_texts="a cat")["ids"] == [["a"]]

    other = Store(f"{name}-other", compass, client=client)
    assert other._collection.configuration_json["embedding_function"] == {"type": "legacy"}
    assert Store(f"{name}-other", compass, client=client).similarity_search("1,0") == []


def test_a_collection_of_a_plain_client_takes_any_embeddings(client: chromadb.Client, name: str, compass: Any) -> None:
    """As in LangChain's own examples: the collection was made with the default function, and never used with it.

    Another function with a name is refused.
    """
    client.create_collection(name)
    store = Store(name, compass, client=client)
    store.add_texts(["1,0"])

    assert store.similarity_search("1,0")[0].page_content == "1,0"
    with pytest.raises(EmbeddingFunctionError):
        Store(name, HashingEmbeddingFunction(), client=client)


def test_without_any_function_the_error_says_what_to_do(client: chromadb.Client, name: str) -> None:
    """Vectors can still be added and searched."""
    collection = client.create_collection(name, embedding_function=None)
    store = collection.adapt("langchain")
    store.add_embeddings([[1, 0]], ids=["a"], texts=["one"])

    assert store.embeddings is None
    assert store.similarity_search_by_vector([1, 0])[0].page_content == "one"
    assert store.text_search("one")[0].id == "a"
    with pytest.raises(EmbeddingFunctionError, match="no embedding function"):
        store.similarity_search("one")


class Broken(Embeddings):
    """Returns what it is told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.answer

    def embed_query(self, text: str) -> list[float]:
        return self.answer


@pytest.mark.parametrize("answer", [[], [[1.0]], [[1.0], [1.0, 2.0]], [["a"], ["b"]], None, [[], []]])
def test_wrong_embeddings_are_named(answer: Any) -> None:
    """Whatever is not one vector for each text is an error with the model's name, and nothing is added."""
    store = Store(embedding_function=Broken(answer))
    with pytest.raises(EmbeddingFunctionError, match="Broken returned"):
        store.add_texts(["a", "b"])

    assert store.get()["ids"] == []


def test_models_get_the_batches_that_were_asked_for(compass: Any) -> None:
    """batch_size; otherwise large calls are cut, so that not all vectors are lists of Python floats at once."""
    store = Store(embedding_function=compass)
    store.add_texts(["1,0"] * 5, batch_size=2)
    store.add_texts(["1,0"] * 4_500)

    assert [count for _, count in compass.calls] == [2, 2, 1, 2_000, 2_000, 500]


def test_a_store_closes_only_what_it_opened(client: chromadb.Client, name: str, compass: Any) -> None:
    """A given client stays open; from_texts that fails leaves nothing open."""
    with Store(name, compass, client=client) as store:
        store.add_texts(["1,0"])
    assert client.get_collection(name).count() == 1

    own = Store(embedding_function=compass)
    own.close()
    own.close()
    with pytest.raises(chromadb.errors.ClosedError):
        own.similarity_search("1,0")
    with pytest.raises(InvalidArgumentError):
        Store.from_texts(["1,0"], compass, [{"bad": object()}])


def test_repr(client: chromadb.Client, name: str, compass: Any) -> None:
    """The name of the collection is what one wants to see."""
    assert repr(Store(name, compass, client=client)) == f"ChromaPluginVectorStore('{name}')"
