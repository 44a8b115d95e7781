"""One embedding model for LlamaIndex and for the collection."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from chroma_plugin_llamaindex import ChromaPluginEmbedding, ChromaPluginVectorStore, LlamaIndexEmbeddingFunction
from llama_index.core import Document, MockEmbedding, Settings, StorageContext, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import MockLLM

import chroma_plugin as chromadb
from chroma_plugin.embedding_functions import HashingEmbeddingFunction
from chroma_plugin.embedding_functions.minilm import weights
from chroma_plugin.errors import InvalidArgumentError

TEXTS = ["a red fox", "the moon and the tides", ""]


@pytest.fixture(scope="module")
def embed_model() -> ChromaPluginEmbedding:
    return ChromaPluginEmbedding(HashingEmbeddingFunction(64))


async def test_an_embedding_function_as_embed_model(embed_model: ChromaPluginEmbedding) -> None:
    """Texts and queries, one by one and together, blocking and awaited, get the vectors of the function."""
    vectors = HashingEmbeddingFunction(64)(TEXTS).tolist()

    assert isinstance(embed_model, BaseEmbedding)
    assert embed_model.model_name == "hashing"
    assert embed_model.get_text_embedding_batch(TEXTS) == vectors
    assert await embed_model.aget_text_embedding_batch(TEXTS) == vectors
    assert [embed_model.get_text_embedding(text) for text in TEXTS] == vectors
    assert await asyncio.gather(*map(embed_model.aget_text_embedding, TEXTS)) == vectors
    assert embed_model.get_query_embedding(TEXTS[0]) == await embed_model.aget_query_embedding(TEXTS[0]) == vectors[0]


def test_queries_are_embedded_as_queries() -> None:
    """By ``embed_query``, where the function has one."""

    class Asymmetric(HashingEmbeddingFunction):
        def embed_query(self, input: list[str]) -> np.ndarray:
            return -self(input)

    model = ChromaPluginEmbedding(Asymmetric(8), embed_batch_size=2)

    assert model.get_query_embedding("fox") == [-number for number in model.get_text_embedding("fox")]
    assert len(model.get_text_embedding_batch(TEXTS)) == 3


async def test_awaited_it_does_not_keep_the_loop() -> None:
    """A slow model works in a thread: it waits for the loop here, which could not come on the loop."""
    loop, ran = asyncio.get_running_loop(), threading.Event()

    def slow(texts: list[str]) -> list[list[float]]:
        loop.call_soon_threadsafe(ran.set)
        assert ran.wait(30), "the model ran on the event loop"
        return [[1.0]] * len(texts)

    model = ChromaPluginEmbedding(slow)

    assert await model.aget_text_embedding_batch(TEXTS) == [[1.0]] * 3
    assert await model.aget_query_embedding("fox") == [1.0]


def test_nothing_to_embed_with() -> None:
    """None is not an embedding function."""
    with pytest.raises(InvalidArgumentError):
        ChromaPluginEmbedding(None)


def test_an_embed_model_as_embedding_function(embed_model: ChromaPluginEmbedding) -> None:
    """What an index adds is found by the texts that the plain collection is asked."""
    with chromadb.Client() as client:
        collection = client.create_collection("docs", embedding_function=LlamaIndexEmbeddingFunction(embed_model))
        VectorStoreIndex.from_documents(
            [Document(text=text) for text in TEXTS if text],
            storage_context=StorageContext.from_defaults(vector_store=ChromaPluginVectorStore(collection)),
            embed_model=embed_model,
        )
        collection.add(ids=["plain"], documents=["a blue whale"])

        assert collection.query(query_texts="red fox", n_results=1)["documents"] == [["a red fox"]]
        assert collection.query(query_texts="blue whale", n_results=1)["ids"] == [["plain"]]


def test_it_can_be_the_default_of_llama_index(embed_model: ChromaPluginEmbedding) -> None:
    """As ``Settings.embed_model``."""
    try:
        Settings.embed_model = embed_model
        assert VectorStoreIndex([])._embed_model is embed_model
    finally:
        Settings.embed_model = MockEmbedding(embed_dim=8)


def test_the_default_model_end_to_end() -> None:
    """Real text, all-MiniLM-L6-v2, a query engine: what is meant is found, not what is said."""
    weights.fetch(progress=False)
    texts = ["The cat is asleep on the sofa.", "Interest rates rose again in spring.", "A storm closed the airport."]
    with chromadb.Client() as client:
        store = client.create_collection("docs", embedding_function=None).adapt("llamaindex")
        index = VectorStoreIndex.from_documents(
            [Document(text=text) for text in texts],
            storage_context=StorageContext.from_defaults(vector_store=store),
            embed_model=ChromaPluginEmbedding(),
        )
        answer = index.as_query_engine(llm=MockLLM(), similarity_top_k=1).query("Is my kitten tired?")

    assert texts[0] in str(answer)
    assert texts[1] not in str(answer)
