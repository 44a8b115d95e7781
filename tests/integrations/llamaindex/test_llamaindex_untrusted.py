"""What a loader of LlamaIndex or of LangChain would construct is plain data in a node."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chroma_plugin_llamaindex import ChromaPluginVectorStore
from llama_index.core.schema import TextNode
from support.serialised import CLASS, CONSTRUCTED, SECRET, SHAPES, nothing_done

import chroma_plugin as chromadb

METADATA = {**SHAPES, **SECRET, **CLASS}


def test_serialised_objects_are_data(local_store: ChromaPluginVectorStore) -> None:
    """In metadata and in texts they come back as they were written."""
    node = TextNode(id_="a", text=json.dumps(CONSTRUCTED), metadata=METADATA, embedding=[1.0, 2.0])
    with nothing_done():
        local_store.add([node])

        [found] = local_store.get_nodes(["a"])
        assert type(found) is TextNode
        assert (found.text, found.metadata) == (node.text, METADATA)
        assert type(found.metadata["constructed"]) is dict


@pytest.mark.parametrize("kind", ["antigravity", "builtins.eval", "langchain_core.prompts.PromptTemplate", None, 7])
@pytest.mark.parametrize(
    "content",
    [
        {"id_": "a", **CLASS},
        CONSTRUCTED,
        {"id_": "a", "class_name": "IndexNode", "index_id": "b", "obj": CLASS},
        {"id_": "a", "image_path": "/etc/hostname", "image_url": "http://localhost:9/a.png"},
        [CONSTRUCTED],
    ],
    ids=["class", "constructor", "object", "image", "list"],
)
def test_nodes_of_strangers(content: Any, kind: Any) -> None:
    """Whoever may write to the collection can name no class that is made, and no file or address that is read."""
    metadata = {"_node_content": json.dumps(content), "_node_type": kind}
    with chromadb.Client() as client, nothing_done():
        things = client.create_collection("things", embedding_function=None)
        things.add(ids=["a"], embeddings=[[1.0, 2.0]], documents=["text"], metadatas=[metadata])

        [found] = ChromaPluginVectorStore(things).get_nodes(["a"])
        assert type(found) is TextNode
        assert found.text == "text"


@pytest.mark.parametrize("kind", ["IndexNode", "ImageNode", "Node", "Document"])
def test_other_kinds_of_nodes_of_strangers(kind: str) -> None:
    """Those that hold an object, or say where an image is: nothing is fetched, and the object is a node or text."""
    content = {
        "id_": "a",
        "index_id": "b",
        "obj": CLASS,
        "image_path": "/etc/hostname",
        "image_url": "http://localhost:9/a",
    }
    metadata = {"_node_content": json.dumps(content), "_node_type": kind}
    with chromadb.Client() as client, nothing_done():
        things = client.create_collection("things", embedding_function=None)
        things.add(ids=["a"], embeddings=[[1.0, 2.0]], documents=["text"], metadatas=[metadata])

        [found] = ChromaPluginVectorStore(things).get_nodes(["a"])
        assert found.class_name() in (kind, "TextNode")
        assert type(getattr(found, "obj", None)) in (type(None), TextNode)
