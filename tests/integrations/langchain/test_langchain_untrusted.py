"""What LangChain's own loader would construct is plain data in a store."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("langchain_core")

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding

import chroma_plugin as chromadb

CONSTRUCTED: dict[str, Any] = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain_core", "prompts", "PromptTemplate"],
    "kwargs": {"template": "x"},
}
SECRET: dict[str, Any] = {"lc": 1, "type": "secret", "id": ["PATH"]}


def test_serialised_objects_are_data() -> None:
    """In metadata and in texts they come back as they were written: nothing is constructed, no variable is read."""
    with chromadb.Client() as client:
        things = client.create_collection("things", embedding_function=DeterministicFakeEmbedding(size=4))
        store = things.adapt("langchain")
        store.add_documents(
            [Document(page_content=str(SECRET), metadata={"one": CONSTRUCTED, "two": SECRET, **SECRET})]
        )

        [found] = store.similarity_search("text", k=1)
        assert found.page_content == str(SECRET)
        assert found.metadata == {"one": CONSTRUCTED, "two": SECRET, **SECRET}
        assert type(found.metadata["one"]) is dict
