"""What LangChain's own loader would construct is plain data in a store."""

from __future__ import annotations

import pytest

pytest.importorskip("langchain_core")

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from support.serialised import CONSTRUCTED, SECRET, SHAPES, nothing_done

import chroma_plugin as chromadb


def test_serialised_objects_are_data() -> None:
    """In metadata and in texts they come back as they were written: nothing is constructed, no variable is read."""
    metadata = {**SHAPES, **SECRET}
    with chromadb.Client() as client, nothing_done():
        things = client.create_collection("things", embedding_function=DeterministicFakeEmbedding(size=4))
        store = things.adapt("langchain")
        store.add_documents([Document(page_content=str(CONSTRUCTED), metadata=metadata)])

        [found] = store.similarity_search("text", k=1)
        assert found.page_content == str(CONSTRUCTED)
        assert found.metadata == metadata
        assert type(found.metadata["constructed"]) is dict
