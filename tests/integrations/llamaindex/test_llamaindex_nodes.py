"""Nodes that are added come back as they were, are replaced and are deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from chroma_plugin_llamaindex import ChromaPluginVectorStore
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from llama_index.core.bridge.pydantic import AnyUrl
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageNode,
    IndexNode,
    MediaResource,
    Node,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from chroma_plugin.errors import InvalidArgumentError, InvalidDimensionError

SOURCE = NodeRelationship.SOURCE
METADATA = {
    "nothing": None,
    "list": ["a", 1, 2.5, None, True, ["nested"]],
    "empty list": [],
    "dict": {"a": {"b": [1, None]}, "": 0},
    "large": 2**62,
    "text": "ä\n\t\0\\ \" ' 🐟",
    "": "a key without a character",
    "$ref": "#/a",
    "#": 7,
    "_node_content": "not ours",
}
KINDS: list[BaseNode] = [
    TextNode(text="text", start_char_idx=3, end_char_idx=7, mimetype="text/html", excluded_llm_metadata_keys=["a"]),
    TextNode(text=""),
    IndexNode(text="a table", index_id="planets", obj=TextNode(id_="inner", text="the object")),
    ImageNode(text="a photo", image_url="http://localhost/a.png", image_mimetype="image/png"),
    Node(text_resource=MediaResource(text="both"), image_resource=MediaResource(url=AnyUrl("http://localhost/a.png"))),
    Document(text="a document", metadata_template="{key}={value}", text_template="{content}"),
]


def text_node(id: str, embedding: list[float] | None = None, ref: str | None = None, **metadata: Any) -> TextNode:
    relationships = {} if ref is None else {SOURCE: RelatedNodeInfo(node_id=ref)}
    return TextNode(
        id_=id, text=f"text of {id}", metadata=metadata, embedding=embedding or [1.0, 0.0], relationships=relationships
    )


def ids_in(store: ChromaPluginVectorStore) -> list[str]:
    return [node.node_id for node in store.get_nodes()]


def test_class() -> None:
    """It is a vector store of LlamaIndex."""
    assert BasePydanticVectorStore in ChromaPluginVectorStore.__mro__
    assert ChromaPluginVectorStore.class_name() == "ChromaPluginVectorStore"


@pytest.mark.parametrize("node", KINDS, ids=lambda node: node.class_name())
def test_every_kind_of_node_comes_back(store: ChromaPluginVectorStore, node: BaseNode) -> None:
    """With its class, text, embedding, metadata and relationships."""
    node = node.model_copy(
        update={
            "id_": "n1",
            "embedding": [0.5, 0.25],
            "metadata": METADATA,
            "relationships": {
                SOURCE: RelatedNodeInfo(node_id="d1", hash="h", metadata={"file": "a.txt"}),
                NodeRelationship.PREVIOUS: RelatedNodeInfo(node_id="n0"),
                NodeRelationship.CHILD: [RelatedNodeInfo(node_id="n2"), RelatedNodeInfo(node_id="n3")],
            },
        }
    )
    before = node.to_dict()

    assert store.add([node]) == ["n1"]
    (read,) = store.get_nodes(["n1"])

    assert type(read) is type(node)
    assert read.to_dict() == node.to_dict() == before
    assert read.hash == node.hash
    assert read.ref_doc_id == "d1"


def test_metadata_that_json_does_not_have(store: ChromaPluginVectorStore) -> None:
    """Dates, sets and tuples are stored as LlamaIndex writes them: as str and lists."""
    from datetime import date

    store.add([text_node("n1", when=date(2026, 11, 22), which={1}, where=("a", "b"))])

    (read,) = store.get_nodes()
    assert read.metadata == {"when": "2026-11-22", "which": [1], "where": ["a", "b"]}
    later = MetadataFilter(key="when", value="2026-01-01", operator=FilterOperator.GT)
    assert store.get_nodes(filters=MetadataFilters(filters=[later])) == [read]


def test_flat_metadata(new_store: Callable[..., ChromaPluginVectorStore]) -> None:
    """Lists and dicts are stored unless the store is told to refuse them; then nothing is added."""
    store = new_store(flat_metadata=True)

    with pytest.raises(InvalidArgumentError, match=r"n2.*tags"):
        store.add([text_node("n1"), text_node("n2", tags=["a"])])

    assert ids_in(store) == []
    assert store.add([text_node("n1", note=None)]) == ["n1"]


def test_the_layout_is_that_of_llama_index(local_store: ChromaPluginVectorStore) -> None:
    """A record holds the text as document, and the metadata that LlamaIndex's own function makes."""
    node = text_node("n1", ref="d1", topic="space", tags=["a"], note=None)
    local_store.add([node])

    record = local_store.client.get(include=["documents", "metadatas"])

    assert record["documents"] == ["text of n1"]
    assert record["metadatas"] == [node_to_metadata_dict(node, remove_text=True)]
    assert record["metadatas"][0]["document_id"] == "d1"


def test_adding_again_replaces(store: ChromaPluginVectorStore) -> None:
    """The new node takes the place of the old one, whole: no key of the old metadata stays."""
    store.add([text_node("n1", old=1, both=1), text_node("n2")])
    store.add([TextNode(id_="n1", text="new text", metadata={"both": 2}, embedding=[0.0, 1.0])])

    first, second = store.get_nodes()

    assert (first.node_id, first.get_content(), first.metadata) == ("n1", "new text", {"both": 2})
    assert first.embedding == [0.0, 1.0]
    assert second.node_id == "n2"
    assert store.get_nodes(filters=MetadataFilters(filters=[MetadataFilter(key="old", value=1)])) == []


def test_ids_come_back_in_the_order_of_the_nodes(store: ChromaPluginVectorStore) -> None:
    """One for each node, also for one that stands twice: the index zips them. The last one is stored."""
    nodes = [text_node("b"), text_node("a", version=1), text_node("c"), text_node("a", version=2)]

    assert store.add(nodes) == ["b", "a", "c", "a"]
    assert ids_in(store) == ["b", "a", "c"]
    assert store.get_nodes(["a"])[0].metadata == {"version": 2}


def test_add_nothing(store: ChromaPluginVectorStore) -> None:
    """No nodes are no error."""
    assert store.add([]) == []


def test_add_of_any_size(store: ChromaPluginVectorStore) -> None:
    """More nodes than Chroma takes at once (5,461)."""
    vectors = np.random.default_rng(0).normal(size=(6_000, 4)).tolist()
    nodes = [text_node(f"n{row}", vector, ref=f"d{row % 7}") for row, vector in enumerate(vectors)]

    assert store.add(nodes) == [node.node_id for node in nodes]
    assert store.client.count() == 6_000


HOSTILE = st.text(st.sampled_from("'\"`;)(-$#\\\0%_{}\n é🐟ab"), min_size=1, max_size=12)


@given(id=HOSTILE, ref=HOSTILE, key=HOSTILE, value=HOSTILE)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@example(id="'); DROP TABLE collections; --", ref="x' OR '1'='1", key="a') OR 1=1 --", value='"; --')
def test_names_are_data(store: ChromaPluginVectorStore, id: str, ref: str, key: str, value: str) -> None:
    """Whatever characters stand in ids, document ids, keys and values, they name what they name and nothing else."""
    store.clear()
    node = text_node(id, ref=ref)
    node.metadata = {key: value}
    store.add([text_node(f"{id}.", ref=f"{ref}."), node])

    (read,) = store.get_nodes([id])
    assert (read.metadata, read.ref_doc_id) == ({key: value}, ref)
    if key[0] not in "#$":
        for operator in (FilterOperator.EQ, FilterOperator.CONTAINS, FilterOperator.TEXT_MATCH_INSENSITIVE):
            filters = MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])
            assert [node.node_id for node in store.get_nodes(filters=filters)] == [id]
    store.delete(ref)
    assert ids_in(store) == [f"{id}."]


def test_a_node_without_embedding_is_refused(store: ChromaPluginVectorStore) -> None:
    """With its id in the message, before anything is added."""
    with pytest.raises(InvalidArgumentError, match="'n2' has no embedding"):
        store.add([text_node("n1"), TextNode(id_="n2", text="text")])

    assert ids_in(store) == []


def test_embeddings_of_another_length_are_refused(store: ChromaPluginVectorStore) -> None:
    """And nothing of the call is added."""
    store.add([text_node("n1")])

    with pytest.raises(InvalidDimensionError):
        store.add([text_node("n2", [1.0, 2.0, 3.0])])

    assert ids_in(store) == ["n1"]


def test_get_nodes(store: ChromaPluginVectorStore) -> None:
    """By ids, in their order, by filters, by both; all of them without either; none for []."""
    store.add([text_node(f"n{row}", even=row % 2 == 0) for row in range(6)])
    even = MetadataFilters(filters=[MetadataFilter(key="even", value=1)])

    def got(**kwargs: Any) -> list[str]:
        return [node.node_id for node in store.get_nodes(**kwargs)]

    assert got() == [f"n{row}" for row in range(6)]
    assert got(node_ids=["n5", "never there", "n2", "n5"]) == ["n5", "n2"]
    assert got(filters=even) == ["n0", "n2", "n4"]
    assert got(node_ids=["n3", "n4"], filters=even) == ["n4"]
    assert got(node_ids=[]) == []
    assert got(node_ids=[], filters=even) == []
    assert all(node.embedding == [1.0, 0.0] for node in store.get_nodes())


def test_delete_removes_the_nodes_of_a_document(store: ChromaPluginVectorStore) -> None:
    """All of them, and no others."""
    store.add([text_node("a1", ref="a"), text_node("a2", ref="a"), text_node("b1", ref="b"), text_node("bare")])

    store.delete("a")
    store.delete("never there")

    assert ids_in(store) == ["b1", "bare"]


def test_delete_is_one_call_with_an_equality() -> None:
    """So that it costs what the document holds: no reading, no list of ids."""
    calls: list[tuple[str, dict[str, Any]]] = []

    import chroma_plugin as chromadb

    class Watched(chromadb.Collection):
        def delete(self, *args: Any, **kwargs: Any) -> Any:
            calls.append(("delete", kwargs))
            return super().delete(*args, **kwargs)

        def get(self, *args: Any, **kwargs: Any) -> Any:
            calls.append(("get", kwargs))
            return super().get(*args, **kwargs)

    with chromadb.Client() as client:
        collection = client.create_collection("watched", embedding_function=None)
        collection.__class__ = Watched
        store = ChromaPluginVectorStore(collection)
        store.add([text_node("a1", ref="a")])
        store.delete("a")

    assert calls == [("delete", {"where": {"document_id": "a"}})]


def test_delete_nodes(store: ChromaPluginVectorStore) -> None:
    """By ids, by filters, by both; unknown ids are ignored."""
    store.add([text_node(f"n{row}", even=row % 2 == 0) for row in range(8)])
    even = MetadataFilters(filters=[MetadataFilter(key="even", value=1)])

    store.delete_nodes(["n0", "never there", "n0"])
    assert ids_in(store) == [f"n{row}" for row in range(1, 8)]
    store.delete_nodes(["n1", "n2"], even)
    assert ids_in(store) == [f"n{row}" for row in (1, 3, 4, 5, 6, 7)]
    store.delete_nodes(filters=even)
    assert ids_in(store) == ["n1", "n3", "n5", "n7"]


@pytest.mark.parametrize("nested", [False, True])
def test_delete_nodes_without_a_choice_deletes_nothing(store: ChromaPluginVectorStore, nested: bool) -> None:
    """Neither does [], nor a filter without conditions: everything is deleted by `clear` alone."""
    store.add([text_node("n1")])
    empty = MetadataFilters(filters=[])

    store.delete_nodes()
    store.delete_nodes([])
    store.delete_nodes(filters=MetadataFilters(filters=[empty]) if nested else empty)

    assert ids_in(store) == ["n1"]


def test_clear(store: ChromaPluginVectorStore) -> None:
    """Everything goes; clearing an empty store is no error, and the collection goes on."""
    store.clear()
    store.add([text_node("n1"), text_node("n2")])
    store.client.add(ids=["plain"], embeddings=[[1.0, 0.0]])
    store.clear()

    assert store.client.count() == 0
    assert store.add([text_node("n3")]) == ["n3"]


def test_records_of_the_plain_client_are_text_nodes(store: ChromaPluginVectorStore) -> None:
    """With their id, document and metadata, whatever is in it."""
    metadatas: list[Any] = [None, {"a": 1, "relationships": "none"}, {"_node_content": "{", "b": 2}, {"node_info": "x"}]
    store.client.add(
        ids=["n0", "n1", "n2", "n3"],
        embeddings=[[1.0, row] for row in range(4)],
        documents=["zero", None, "two", "three"],
        metadatas=metadatas,
    )

    nodes = store.get_nodes()
    hits = store.query(VectorStoreQuery(query_embedding=[1.0, 0.0], similarity_top_k=4))

    assert [type(node) for node in nodes] == [TextNode] * 4
    assert [(node.node_id, node.get_content(), node.metadata) for node in nodes] == [
        (f"n{row}", text, metadatas[row] or {}) for row, text in enumerate(["zero", "", "two", "three"])
    ]
    assert [node.node_id for node in hits.nodes or []] == ["n0", "n1", "n2", "n3"]


def test_records_of_early_llama_index(local_store: ChromaPluginVectorStore) -> None:
    """Until 2023, relationships and offsets were stored as metadata of their own."""
    local_store.client.add(
        ids=["n1"],
        embeddings=[[1.0]],
        documents=["text"],
        metadatas=[
            {"doc_id": "d1", "topic": "space", "node_info": '{"start": 3, "end": 7}', "relationships": '{"1": "d1"}'}
        ],
    )

    (node,) = local_store.get_nodes()

    assert isinstance(node, TextNode)
    assert (node.text, node.start_char_idx, node.end_char_idx, node.ref_doc_id) == ("text", 3, 7, "d1")
    assert node.metadata["topic"] == "space"
