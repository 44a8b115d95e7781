"""Writes a collection with langchain-chroma, or prints, as JSON, what it reads there.

Usage: ``langchain_collection.py HOST PORT write|read``.
"""

from __future__ import annotations

import json
import sys

import chromadb
from langchain_chroma import Chroma
from langchain_core.embeddings import Embeddings


class Letters(Embeddings):
    """How often each of a few letters is in the text."""

    def embed_query(self, text: str) -> list[float]:
        return [float(text.count(letter)) + 0.25 for letter in "abiotw"]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


host, port, what = sys.argv[1:]
store = Chroma(
    embedding_function=Letters(),
    client=chromadb.HttpClient(host=host, port=int(port)),
    collection_configuration={"hnsw": {"space": "cosine"}},
)
if what == "write":
    texts = ["the old oak", "a birch in winter", "a bowl of mint"]
    store.add_texts(
        texts, [{"kind": "tree", "height": 12}, {"kind": "tree", "height": 3}, {}], ids=["oak", "birch", "mint"]
    )
found = store.similarity_search("an old oak", k=9)
print(json.dumps([[each.id, each.page_content, each.metadata] for each in found]))
