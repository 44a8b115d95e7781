"""Collections that langchain-chroma wrote are ours, and ours are its."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.peers import chroma_run
from support.server import running_server


@pytest.fixture(params=["our server", "chroma run"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, int]]:
    if request.param == "our server":
        with running_server() as server:
            yield server.host, server.port
    else:
        with chroma_run(request.getfixturevalue("peer_python"), tmp_path) as address:
            yield address


def test_changing_the_import_is_enough(ask: Callable[..., Any], address: tuple[str, int]) -> None:
    """Documents, metadata, space and order are those that langchain-chroma sees, before and after we write as well."""
    from chroma_plugin_langchain import ChromaPluginVectorStore
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings

    class Letters(Embeddings):
        """As in the script."""

        def embed_query(self, text: str) -> list[float]:
            return [float(text.count(letter)) + 0.25 for letter in "abiotw"]

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [self.embed_query(text) for text in texts]

    theirs = ask("langchain_collection.py", address, "write")
    host, port = address
    with ChromaPluginVectorStore(embedding_function=Letters(), host=host, port=port) as store:

        def ours() -> list[Any]:
            found = store.similarity_search("an old oak", k=9)
            return [[document.id, document.page_content, document.metadata] for document in found]

        assert ours() == theirs
        assert store.similarity_search_with_relevance_scores("the old oak", k=1)[0][1] == pytest.approx(1.0)
        assert [document.id for document in store.similarity_search("oak", filter={"height": {"$gt": 5}})] == ["oak"]

        store.add_documents([Document("two oaks", metadata={"kind": "trees"}, id="oak"), Document("basil", id="basil")])
        store.update_document("birch", Document("a birch"))
        store.delete(["mint"])

        assert {id for id, _, _ in ours()} == {"oak", "birch", "basil"}
        assert ask("langchain_collection.py", address, "read") == ours()
        assert store.get_by_ids(["oak", "birch"]) == [
            Document("two oaks", metadata={"kind": "trees"}, id="oak"),
            Document("a birch", id="birch"),
        ]
