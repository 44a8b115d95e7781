"""Whole pipelines on real text, blocking and awaited, written to YAML and read back."""

from __future__ import annotations

import argparse
import heapq
import inspect
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chroma_plugin_haystack import (
    ChromaPluginDocumentEmbedder,
    ChromaPluginDocumentStore,
    ChromaPluginEmbeddingRetriever,
    ChromaPluginHybridRetriever,
    ChromaPluginKeywordRetriever,
    ChromaPluginTextEmbedder,
)
from haystack import Document, Pipeline
from haystack.components.builders import PromptBuilder
from haystack.components.joiners import DocumentJoiner
from haystack.components.writers import DocumentWriter
from haystack.document_stores.types import DuplicatePolicy
from haystack.telemetry import _telemetry

from chroma_plugin.embedding_functions import HashingEmbeddingFunction
from chroma_plugin.embedding_functions.minilm import weights

PROMPT = "{% for document in documents %}{{ document.meta.module }}: {{ document.content }}\n{% endfor %}{{ question }}"
QUESTION = "How do I parse command line arguments?"


def library(count: int) -> list[Document]:
    """Real text: docstrings of Python's standard library."""
    members = (
        (module, *member) for module in (argparse, zipfile, json, heapq) for member in inspect.getmembers(module)
    )
    texts = ((module.__name__, name, inspect.getdoc(member)) for module, name, member in members)
    documents = [
        Document(id=f"{module}.{name}", content=f"{name}: {text}"[:400], meta={"module": module, "name": name})
        for module, name, text in texts
        if text and not name.startswith("_")
    ]
    return documents[:count]


def indexing(store: ChromaPluginDocumentStore, function: str) -> Pipeline:
    pipeline = Pipeline()
    pipeline.add_component("embedder", ChromaPluginDocumentEmbedder(function))
    pipeline.add_component("writer", DocumentWriter(store, policy=DuplicatePolicy.OVERWRITE))
    pipeline.connect("embedder", "writer")
    return pipeline


def asking(store: ChromaPluginDocumentStore, function: str) -> Pipeline:
    """By embedding, by keywords and by both, joined, into a prompt."""
    pipeline = Pipeline()
    pipeline.add_component("embedder", ChromaPluginTextEmbedder(function))
    pipeline.add_component("dense", ChromaPluginEmbeddingRetriever(store, top_k=5))
    pipeline.add_component("words", ChromaPluginKeywordRetriever(store, top_k=5))
    pipeline.add_component("both", ChromaPluginHybridRetriever(store, top_k=5))
    pipeline.add_component("joiner", DocumentJoiner(join_mode="reciprocal_rank_fusion"))
    pipeline.add_component("prompt", PromptBuilder(PROMPT, required_variables="*"))
    pipeline.connect("embedder.embedding", "dense.query_embedding")
    pipeline.connect("embedder.embedding", "both.query_embedding")
    for name in ("dense", "words", "both"):
        pipeline.connect(f"{name}.documents", "joiner.documents")
    pipeline.connect("joiner.documents", "prompt.documents")
    return pipeline


def inputs(question: str = QUESTION) -> dict[str, dict[str, Any]]:
    return {
        "embedder": {"text": question},
        "words": {"query": question},
        "both": {"query": question},
        "prompt": {"question": question},
    }


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[ChromaPluginDocumentStore]:
    """A store that can be written down."""
    store = ChromaPluginDocumentStore("library", persist_path=tmp_path / "store")
    yield store
    store.close()


def test_telemetry_is_off() -> None:
    """Nothing here tells Haystack's makers about it."""
    assert _telemetry.telemetry is None


def test_indexing_twice_and_asking(document_store: ChromaPluginDocumentStore) -> None:
    """What is indexed twice is there once, and the prompt holds what was asked for."""
    documents = library(150)
    pipeline = indexing(document_store, "hashing")
    for _ in range(2):
        assert pipeline.run({"embedder": {"documents": documents}}) == {"writer": {"documents_written": len(documents)}}
    assert document_store.count_documents() == len(documents)

    result = asking(document_store, "hashing").run(inputs(), include_outputs_from={"dense", "words", "both"})
    for name in ("dense", "words", "both"):
        found = result[name]["documents"]
        assert len(found) == 5
        assert [document.score for document in found] == sorted((d.score for d in found), reverse=True)
    assert "argparse: " in result["prompt"]["prompt"]
    assert result["prompt"]["prompt"].endswith(QUESTION)


async def test_asking_awaited(async_store: ChromaPluginDocumentStore) -> None:
    """The same pipelines, awaited: with an AsyncCollection nothing blocks."""
    documents = library(60)
    written = await indexing(async_store, "hashing").run_async({"embedder": {"documents": documents}})
    assert written == {"writer": {"documents_written": len(documents)}}
    result = await asking(async_store, "hashing").run_async(inputs())
    assert result["prompt"]["prompt"].endswith(QUESTION)


def test_pipelines_are_written_down(filed: ChromaPluginDocumentStore) -> None:
    """YAML and back gives the same pipeline, which finds the same documents."""
    indexing(filed, "hashing").run({"embedder": {"documents": library(60)}})
    pipeline = asking(filed, "hashing")
    text = pipeline.dumps()
    again = Pipeline.loads(text, allowed_modules=["chroma_plugin_haystack"])
    assert again.to_dict()["components"] == pipeline.to_dict()["components"]
    assert again.run(inputs()) == pipeline.run(inputs())
    stores = {name: again.get_component(name).document_store for name in ("dense", "words", "both")}
    for store in stores.values():
        store.close()

    written = indexing(filed, "hashing").dumps()
    loaded = Pipeline.loads(written, allowed_modules=["chroma_plugin_haystack"])
    assert loaded.dumps() == written


def test_the_default_embeddings_know_meaning(filed: ChromaPluginDocumentStore) -> None:
    """End to end with all-MiniLM-L6-v2: the question is answered by its meaning."""
    weights.fetch(progress=False)
    documents = [
        Document(content="Cats purr when they are content.", meta={"topic": "animals"}),
        Document(content="The stock market fell sharply on Monday.", meta={"topic": "economy"}),
        Document(content="Sourdough bread needs a day to rise.", meta={"topic": "food"}),
    ]
    indexing(filed, "default").run({"embedder": {"documents": documents}})
    for question, topic in (("Why do kittens make that noise?", "animals"), ("Did shares lose value?", "economy")):
        result = asking(filed, "default").run(inputs(question), include_outputs_from={"dense", "both"})
        assert result["dense"]["documents"][0].meta["topic"] == topic
        assert result["both"]["documents"][0].meta["topic"] == topic


def test_embedders() -> None:
    """Documents are copied, not changed; meta can be embedded with them; a text is no document."""
    embedder = ChromaPluginDocumentEmbedder("hashing", meta_fields_to_embed=["title", "missing"])
    document = Document(content="text", meta={"title": "A title"})
    [embedded] = embedder.run([document])["documents"]
    assert document.embedding is None
    assert embedded.id == document.id
    text = ChromaPluginTextEmbedder(HashingEmbeddingFunction())
    assert embedded.embedding == text.run("A title\ntext")["embedding"]
    assert embedder.run([]) == {"documents": []}
    assert len(embedder.run([Document(id="no text")])["documents"][0].embedding) == 384

    with pytest.raises(TypeError, match="ChromaPluginDocumentEmbedder"):
        text.run([document])
    with pytest.raises(TypeError, match="documents"):
        embedder.run("text")
    with pytest.raises(ValueError, match="name"):
        text.to_dict()
