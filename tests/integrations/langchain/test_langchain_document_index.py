"""`ChromaPluginDocumentIndex` keeps LangChain's contract for document indexes, and retrieves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from chroma_plugin_langchain import ChromaPluginDocumentIndex, ChromaPluginRecordManager
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.indexing import index as index_documents
from langchain_tests.integration_tests import RetrieversIntegrationTests
from langchain_tests.integration_tests.indexer import AsyncDocumentIndexTestSuite, DocumentIndexerTestSuite
from support.places import PLACES, open_place

import chroma_plugin as chromadb
from chroma_plugin.embedding_functions import HashingEmbeddingFunction

MODEL = DeterministicFakeEmbedding(size=6)


@pytest.fixture(params=(*PLACES, "pgvector"))
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[chromadb.Client]:
    with open_place(request.param, tmp_path) as client:
        yield client


@pytest.fixture(params=["similarity", "words"])
def made_index(client: chromadb.Client, request: pytest.FixtureRequest) -> ChromaPluginDocumentIndex:
    """Empty, with and without a model."""
    collection = client.create_collection("documents", embedding_function=None)
    return ChromaPluginDocumentIndex(collection=collection, embedding=MODEL if request.param == "similarity" else None)


class TestSync(DocumentIndexerTestSuite):
    """The official suite."""

    @pytest.fixture
    def index(self, made_index: ChromaPluginDocumentIndex) -> ChromaPluginDocumentIndex:
        return made_index


class TestAsync(AsyncDocumentIndexTestSuite):
    """The official suite, over the blocking collection."""

    @pytest.fixture
    async def index(self, made_index: ChromaPluginDocumentIndex) -> ChromaPluginDocumentIndex:
        return made_index


class TestAsyncCollection(AsyncDocumentIndexTestSuite):
    """The official suite, over an `AsyncCollection`."""

    @pytest.fixture
    async def index(self) -> AsyncIterator[ChromaPluginDocumentIndex]:
        async with chromadb.AsyncClient() as client:
            collection = await client.create_collection("documents", embedding_function=None)
            yield ChromaPluginDocumentIndex(collection=collection, embedding=MODEL)


class TestRetriever(RetrieversIntegrationTests):
    """The official suite for retrievers."""

    @pytest.fixture(autouse=True)
    def _filled(self, client: chromadb.Client) -> None:
        self.collection = client.create_collection("documents", embedding_function=HashingEmbeddingFunction(64))
        ChromaPluginDocumentIndex(collection=self.collection).upsert(
            [Document(page_content=f"Chapter {number} of the book.") for number in range(6)]
        )

    @property
    def retriever_constructor(self) -> type[ChromaPluginDocumentIndex]:
        return ChromaPluginDocumentIndex

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"collection": self.collection}

    @property
    def retriever_query_example(self) -> str:
        return "chapter 3"


ANIMALS = [
    Document(id="cat", page_content="Cats sleep all day.", metadata={"legs": 4}),
    Document(id="crow", page_content="Crows count and plan.", metadata={"legs": 2}),
    Document(id="dog", page_content="Dogs sleep at night.", metadata={"legs": 4}),
]


def test_without_an_embedding_the_words_of_the_question_decide(client: chromadb.Client) -> None:
    """Only documents with one of the words are retrieved, the one with most of them first."""
    index = ChromaPluginDocumentIndex(collection=client.create_collection("words", embedding_function=None))
    index.upsert(ANIMALS)
    assert [found.id for found in index.invoke("who can sleep at night")] == ["dog", "cat"]
    assert index.invoke("whales") == []


def test_the_collection_s_own_function_is_used(client: chromadb.Client) -> None:
    """Without embedding= the nearest documents by the collection's embedding function are retrieved."""
    collection = client.create_collection("own", embedding_function=HashingEmbeddingFunction(128))
    index = ChromaPluginDocumentIndex(collection=collection, k=1)
    index.upsert(ANIMALS)
    assert index.invoke("Crows count") == [ANIMALS[1]]
    assert collection.get(ids="cat", include=["embeddings"])["embeddings"].shape == (1, 128)


def test_filters_restrict_what_is_retrieved(client: chromadb.Client) -> None:
    """`filter` of the index holds for every question; that of a question comes before it."""
    collection = client.create_collection("filters", embedding_function=HashingEmbeddingFunction(64))
    index = ChromaPluginDocumentIndex(collection=collection, filter={"legs": 2})
    index.upsert(ANIMALS)
    assert [found.id for found in index.invoke("sleep")] == ["crow"]
    assert {found.id for found in index.invoke("sleep", filter={"legs": {"$gt": 2}})} == {"cat", "dog"}
    assert len(index.invoke("sleep", filter={}, k=3)) == 3


def test_of_several_with_one_id_the_last_counts(made_index: ChromaPluginDocumentIndex) -> None:
    """One call may hold an id twice, as LangChain's index in memory allows."""
    made_index.upsert([Document(id="a", page_content="first"), Document(id="a", page_content="last")])
    assert made_index.get(["a", "a"]) == [Document(id="a", page_content="last")]


def test_nothing_changes_nothing(made_index: ChromaPluginDocumentIndex) -> None:
    """Empty lists are taken."""
    assert made_index.upsert([]) == {"succeeded": [], "failed": []}
    assert made_index.delete([])["num_deleted"] == 0
    assert made_index.get([]) == []


def test_dates_in_metadata_come_back(made_index: ChromaPluginDocumentIndex) -> None:
    """Metadata is kept as `ChromaPluginVectorStore` keeps it."""
    document = Document(id="a", page_content="one", metadata={"day": date(2024, 5, 1), "tags": ["x"], "none": None})
    made_index.upsert([document])
    assert made_index.get(["a"]) == [document]
    assert made_index.invoke("one", filter={"day": {"$gte": date(2024, 5, 1)}}) == [document]


def test_unknown_arguments_are_refused(made_index: ChromaPluginDocumentIndex) -> None:
    """What would be ignored raises, and nothing is stored."""
    with pytest.raises(ValueError, match="upsert takes no 'namespace'"):
        made_index.upsert(ANIMALS, namespace="x")
    assert made_index.get(["cat"]) == []


def test_the_collection_must_be_one() -> None:
    """Anything else is refused at once."""
    with pytest.raises(ValueError, match="collection must be a Collection"):
        ChromaPluginDocumentIndex(collection="documents")


async def test_an_index_over_an_async_collection_says_so() -> None:
    """Its blocking methods raise; they would block the loop."""
    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("documents", embedding_function=None)
        index = ChromaPluginDocumentIndex(collection=collection)
        await index.aupsert(ANIMALS)
        assert [found.id for found in await index.ainvoke("sleep night")] == ["dog", "cat"]
        with pytest.raises(NotImplementedError, match="await its async methods"):
            index.get(["cat"])


class OnlyAsync(Embeddings):
    """A model whose blocking methods must not be called."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise AssertionError("embed_documents was called in async code")

    def embed_query(self, text: str) -> list[float]:
        raise AssertionError("embed_query was called in async code")

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]

    async def aembed_query(self, text: str) -> list[float]:
        return [float(len(text)), 1.0]


async def test_async_code_awaits_the_async_model(client: chromadb.Client) -> None:
    """`aupsert` and `ainvoke` await `aembed_documents` and `aembed_query`."""
    collection = client.create_collection("async", embedding_function=None)
    index = ChromaPluginDocumentIndex(collection=collection, embedding=OnlyAsync(), k=1)
    await index.aupsert(ANIMALS)
    assert await index.ainvoke("x" * 21) == [ANIMALS[1]]


def test_langchain_s_index_function_fills_it(client: chromadb.Client) -> None:
    """`index()` with a record manager adds what is new and deletes what is gone."""
    collection = client.create_collection("indexed", embedding_function=None)
    destination = ChromaPluginDocumentIndex(collection=collection, embedding=MODEL)
    manager = ChromaPluginRecordManager("animals", client=client)

    def run(documents: list[Document]) -> tuple[int, int, int]:
        done = index_documents(documents, manager, destination, cleanup="full", key_encoder="blake2b")
        return done["num_added"], done["num_skipped"], done["num_deleted"]

    assert run(ANIMALS) == (3, 0, 0)
    assert run(ANIMALS[:2]) == (0, 2, 1)
    assert collection.count() == 2
