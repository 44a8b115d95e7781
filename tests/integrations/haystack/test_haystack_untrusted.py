"""What a loader of Haystack or of LangChain would construct is plain data in a document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from chroma_plugin_haystack import ChromaPluginDocumentStore
from haystack import Document
from haystack.dataclasses import ByteStream
from support.serialised import COMPONENT, SECRET, SHAPES, nothing_done

import chroma_plugin as chromadb

META = {**SHAPES, **SECRET, **COMPONENT}
DOCUMENT = Document(
    id="a", content=json.dumps(COMPONENT), meta=META, blob=ByteStream(b"x", meta=META), embedding=[1.0, 2.0]
)


def test_serialised_objects_are_data() -> None:
    """In meta, in the meta of a blob and in contents they come back as they were written."""
    with chromadb.Client() as client, nothing_done():
        store = ChromaPluginDocumentStore(collection=client.create_collection("things", embedding_function=None))
        store.write_documents([DOCUMENT])

        [found] = store.filter_documents()
        assert replace(found, score=None) == DOCUMENT
        assert type(found.meta["component"]) is dict
        assert type(found.meta["list"][0]) is dict
        assert store.filter_documents({"field": "meta.component.type", "operator": "==", "value": COMPONENT["type"]})


@pytest.mark.parametrize(
    "metadata",
    [
        {"_haystack:types:a": json.dumps([["antigravity"], ["eval", "a"], ["__class__"]]), "a": "1 + 1"},
        {"_haystack:blob": json.dumps({"data": "eA==", "meta": META, "mime_type": None})},
        {"_haystack:sparse_embedding": json.dumps({"indices": [1], "values": [0.5]}), **SECRET},
    ],
    ids=["types", "blob", "sparse"],
)
def test_marks_of_strangers(metadata: dict[str, Any]) -> None:
    """Whoever may write to the collection can name nothing that is called when a document is read."""
    with chromadb.Client() as client, nothing_done():
        things = client.create_collection("things", embedding_function=None)
        things.add(ids=["a"], embeddings=[[1.0, 2.0]], documents=["text"], metadatas=[metadata])

        [found] = ChromaPluginDocumentStore(collection=things).filter_documents()
        assert found.content == "text"
        assert found.meta == {key: value for key, value in metadata.items() if not key.startswith("_haystack:")}
