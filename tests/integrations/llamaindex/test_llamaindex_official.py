"""Collections are exchanged with llama-index-vector-stores-chroma, both ways."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from chroma_plugin_llamaindex import ChromaPluginVectorStore
from llama_index.core.schema import BaseNode, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters, VectorStoreQuery
from llama_index.core.vector_stores.utils import metadata_dict_to_node
from support.peers import INSTALL_SECONDS, kept_folder, run
from support.server import running_server

import chroma_plugin as chromadb

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden" / "llama-index-chroma-0.6.0.json").read_text(encoding="utf-8"))
PEERS = Path(__file__).parents[2] / "peers" / "requirements.txt"


@pytest.fixture
def theirs(store: ChromaPluginVectorStore) -> ChromaPluginVectorStore:
    """A store over records that llama-index-vector-stores-chroma 0.6.0 wrote."""
    store.client.add(**GOLDEN["records"])
    return store


def described(node: BaseNode) -> dict[str, Any]:
    return {"type": node.class_name(), "data": json.loads(json.dumps({**node.to_dict(), "embedding": None}))}


def test_their_nodes_are_read_as_they_read_them(theirs: ChromaPluginVectorStore) -> None:
    """Classes, texts, relationships and metadata; and the embeddings, which they do not give."""
    nodes = theirs.get_nodes()

    assert {node.node_id: described(node) for node in nodes} == GOLDEN["nodes"]
    assert [node.embedding for node in nodes] == GOLDEN["records"]["embeddings"]


def test_their_nodes_are_found_and_deleted(theirs: ChromaPluginVectorStore) -> None:
    """By vector, by words, by filters (they store None as an empty text), by document."""
    empty = MetadataFilters(
        filters=[
            MetadataFilter(key="note", value=None, operator=FilterOperator.IS_EMPTY),
            MetadataFilter(key="year", value=1900, operator=FilterOperator.GT),
        ]
    )
    result = theirs.query(VectorStoreQuery(query_embedding=[0.0, 1.0, 0.1], similarity_top_k=2))

    assert result.ids == ["sea", "bare"]
    assert theirs.query(VectorStoreQuery(query_str="planets", mode="text_search")).ids == ["table"]  # type: ignore[arg-type]
    assert [node.node_id for node in theirs.get_nodes(filters=empty)] == ["moon", "sea"]
    theirs.delete("astronomy")
    assert [node.node_id for node in theirs.get_nodes()] == ["sea", "table", "photo", "bare"]


def test_they_read_our_nodes(local_store: ChromaPluginVectorStore) -> None:
    """They read a record with LlamaIndex's `metadata_dict_to_node`, which gives the node that we wrote."""
    node = TextNode(
        id_="n1",
        text="text",
        metadata={"list": [1], "none": None, "empty": []},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="d1")},
        embedding=[1.0],
    )
    local_store.add([node])
    record = local_store.client.get()
    assert record["metadatas"] is not None

    read = metadata_dict_to_node(record["metadatas"][0] or {}, text=(record["documents"] or [None])[0])

    assert described(read) == described(node)


@pytest.mark.peers
@pytest.mark.timeout(INSTALL_SECONDS + 300)
@pytest.mark.parametrize("who_writes", ["they", "we"])
def test_one_collection_on_a_server(who_writes: str, pytestconfig: pytest.Config) -> None:
    """The real official adapter and ours, on one collection of our server: what one writes, the other reads."""
    if "peers" not in pytestconfig.option.markexpr and os.environ.get("CHROMA_PLUGIN_PEERS") != "1":
        pytest.skip("other people's clients: ask with -m peers or CHROMA_PLUGIN_PEERS=1")
    script = HERE / "golden" / "official_adapter.py"
    python = _peer_python(pytestconfig)
    node = TextNode(
        id_="n1",
        text="the text",
        metadata={"year": 2026, "none": None},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="d1")},
        embedding=[0.5, 0.25],
    )
    with running_server() as server:
        client = chromadb.HttpClient(server.host, server.port)
        collection = client.create_collection("exchange", embedding_function=None)
        store = ChromaPluginVectorStore(collection)
        address = [server.host, str(server.port)]
        if who_writes == "they":
            run([python, script, "write", *address, node.to_json()])
            (read,) = store.get_nodes()
        else:
            store.add([node])
            read = TextNode.from_json(run([python, script, "read", *address]))
        client.close()

    assert described(read) == described(node)


def _peer_python(config: pytest.Config) -> Path:
    """The interpreter that tests/peers uses, made in the same place in the same way."""
    given = os.environ.get("CHROMA_PLUGIN_PEER_PYTHON")
    if given:
        return Path(given)
    assert config.cache is not None
    with kept_folder(config.cache.mkdir("peers"), "python", PEERS) as (folder, needed):
        python = folder / "bin" / "python"
        if needed:
            run([sys.executable, "-m", "venv", folder])
            run([python, "-m", "pip", "install", "--quiet", "-r", PEERS])
    return python
