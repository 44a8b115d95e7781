"""Making, finding, changing and deleting collections."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

import chroma_plugin as chromadb
from chroma_plugin.errors import (
    EmbeddingFunctionError,
    InvalidArgumentError,
    InvalidUUIDError,
    NotFoundError,
    UniqueConstraintError,
    UnsupportedError,
)


def test_create_and_get(client: chromadb.Client) -> None:
    """What is created can be got, with name, id and metadata."""
    made = client.create_collection("things", metadata={"purpose": "test"}, embedding_function=None)

    got = client.get_collection("things")

    assert got == made == client.get_collection_by_id(made.id) == client.get_collection_by_id(str(made.id))
    assert (got.name, got.metadata, got.tenant, got.database) == (
        "things",
        {"purpose": "test"},
        "default_tenant",
        "default_database",
    )
    assert repr(got) == "Collection(name=things)"


def test_a_taken_name(client: chromadb.Client, collection: chromadb.Collection) -> None:
    """A second collection of a name is refused; get_or_create gives the first."""
    with pytest.raises(UniqueConstraintError):
        client.create_collection("things")

    assert client.create_collection("things", get_or_create=True, embedding_function=None) == collection
    assert client.get_or_create_collection("things", metadata={"other": 1}, embedding_function=None).metadata is None


def test_none_of_that_name(client: chromadb.Client) -> None:
    """Getting or deleting what is not there is a NotFoundError that names it."""
    with pytest.raises(NotFoundError, match="'nothing'"):
        client.get_collection("nothing")
    with pytest.raises(NotFoundError, match="'nothing'"):
        client.delete_collection("nothing")
    with pytest.raises(NotFoundError):
        client.get_collection_by_id(uuid4())
    with pytest.raises(InvalidUUIDError):
        client.get_collection_by_id("no uuid")


def test_list_in_the_order_of_creation(client: chromadb.Client) -> None:
    """Collections are listed as they were created, in pages."""
    names = ["ccc", "aaa", "bbb"]
    for name in names:
        client.create_collection(name)

    assert [collection.name for collection in client.list_collections()] == names
    assert [collection.name for collection in client.list_collections(limit=1, offset=1)] == ["aaa"]
    assert client.count_collections() == 3


def test_delete(client: chromadb.Client, three: chromadb.Collection) -> None:
    """A deleted collection is gone, its handles say so, and its name is free."""
    client.delete_collection("things")

    with pytest.raises(NotFoundError, match=r"'things'.*deleted"):
        three.count()
    with pytest.raises(NotFoundError, match="deleted"):
        three.add(ids="x", embeddings=[1, 1])
    with pytest.raises(NotFoundError, match="deleted"):
        three.modify(name="other")
    assert client.create_collection("things", embedding_function=None).count() == 0


def test_modify_is_seen_by_every_handle(client: chromadb.Client, collection: chromadb.Collection) -> None:
    """Name and metadata are those of the collection, not of one object; metadata is replaced."""
    other = client.get_collection("things")
    collection.modify(name="renamed", metadata={"a": 1})
    collection.modify(metadata={"b": 2})

    assert (other.name, other.metadata) == ("renamed", {"b": 2})
    assert client.get_collection("renamed") == collection
    with pytest.raises(NotFoundError):
        client.get_collection("things")


def test_rename_to_a_taken_name(client: chromadb.Client, collection: chromadb.Collection) -> None:
    """Renaming onto another collection is refused and changes nothing."""
    client.create_collection("other")

    with pytest.raises(UniqueConstraintError):
        collection.modify(name="other", metadata={"a": 1})

    assert (collection.name, collection.metadata) == ("things", None)


def test_the_returned_metadata_is_a_copy(client: chromadb.Client) -> None:
    """Changing what metadata or configuration give changes nothing."""
    collection = client.create_collection("things", metadata={"a": [1]})
    collection.metadata["a"].append(2)
    collection.configuration_json["hnsw"]["space"] = "ip"

    assert collection.metadata == {"a": [1]}
    assert collection.configuration_json["hnsw"]["space"] == "l2"


def test_the_embedding_function_is_remembered(client: chromadb.Client, lengths: Any) -> None:
    """The stored configuration names the function; another one is refused, the same one and None are not."""
    made = client.create_collection("texts", embedding_function=lengths)

    assert made.configuration_json["embedding_function"] == {"type": "known", "name": "lengths", "config": {}}
    assert client.get_collection("texts", embedding_function=lengths).embedding_function is lengths
    assert client.get_collection("texts", embedding_function=None).embedding_function is None
    with pytest.raises(EmbeddingFunctionError, match="lengths"):
        client.get_collection("texts", embedding_function="default")
    with pytest.raises(EmbeddingFunctionError, match="lengths"):
        client.get_or_create_collection("texts", embedding_function="default")


def test_the_default_embedding_function_loads_nothing(client: chromadb.Client) -> None:
    """A collection with the default function is made, listed and filled with embeddings without loading a model."""
    collection = client.create_collection("texts")
    collection.add(ids="a", embeddings=[1, 2], documents="text")

    assert collection.configuration_json["embedding_function"]["name"] == "default"
    assert client.list_collections() == [collection]


def test_configuration_may_bring_the_embedding_function(client: chromadb.Client, lengths: Any) -> None:
    """As in Chroma, configuration["embedding_function"] does the same as the argument; two different ones are an
    error.
    """
    made = client.create_collection("texts", configuration={"embedding_function": lengths})

    assert made.embedding_function is lengths
    assert made.configuration["embedding_function"] is lengths
    with pytest.raises(InvalidArgumentError, match="two different"):
        client.create_collection("other", configuration={"embedding_function": lengths}, embedding_function="default")


def test_create_index(client: chromadb.Client, three: chromadb.Collection) -> None:
    """create_index may be called at any time and changes no answer."""
    before = three.query(query_embeddings=[0, 0])
    three.create_index()
    client.create_index("things")
    client.compact()

    assert three.query(query_embeddings=[0, 0]) == before


def test_info(three: chromadb.Collection) -> None:
    """Info gives the facts as a dict that prints as an outline."""
    info = three.info()

    assert (info["name"], info["count"], info["dimension"], info["space"]) == ("things", 3, 2, "l2")
    assert "dimension" in repr(info)
    assert "{" not in repr(info)


@pytest.mark.parametrize(
    "method", ["search", "fork", "fork_count", "get_indexing_status", "attach_function", "detach_function"]
)
def test_what_is_only_in_the_cloud(collection: chromadb.Collection, method: str) -> None:
    """Features of Chroma Cloud say that they are."""
    with pytest.raises(UnsupportedError, match=method):
        getattr(collection, method)()


def test_a_schema_is_refused(client: chromadb.Client) -> None:
    """A schema is not silently dropped."""
    with pytest.raises(UnsupportedError, match="configuration"):
        client.create_collection("things", schema=object())  # type: ignore[arg-type]


def test_adapt_asks_the_plug_ins(collection: chromadb.Collection) -> None:
    """An unknown integration is an error that names it."""
    with pytest.raises(LookupError, match="nosuchframework"):
        collection.adapt("nosuchframework")


def test_the_first_dimension_is_kept(client: chromadb.Client, collection: chromadb.Collection) -> None:
    """The first write fixes the dimension for every handle."""
    other = client.get_collection("things")
    collection.add(ids="a", embeddings=[1, 2, 3])

    with pytest.raises(InvalidArgumentError, match="dimension 3"):
        other.add(ids="b", embeddings=[1, 2])
