"""LangChain's own suites, as they are, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from chroma_plugin_langchain import ChromaPluginEmbeddings, ChromaPluginVectorStore
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests, VectorStoreIntegrationTests

import chroma_plugin as chromadb


class TestVectorStore(VectorStoreIntegrationTests):
    """The suite for vector stores."""

    @pytest.fixture
    def vectorstore(self, client: chromadb.Client, name: str) -> VectorStore:  # type: ignore[override]  # a fixture
        return ChromaPluginVectorStore(name, self.get_embeddings(), client=client)


class TestRetriever(RetrieversIntegrationTests):
    """The suite for retrievers, for each search type."""

    @pytest.fixture(autouse=True, params=["similarity", "mmr", "hybrid", "text"])
    def _searching(self, request: pytest.FixtureRequest, client: chromadb.Client, name: str) -> None:
        self.search_type = request.param
        self.store = ChromaPluginVectorStore(name, ChromaPluginEmbeddings("hashing"), client=client)
        self.store.add_documents([Document(f"a document about the number {number}") for number in range(6)])

    @property
    def retriever_constructor(self) -> Callable[..., BaseRetriever]:  # type: ignore[override]  # may be a function
        def construct(k: int = 4) -> Any:
            return self.store.as_retriever(search_type=self.search_type, search_kwargs={"k": k})

        return construct

    @property
    def retriever_query_example(self) -> str:
        return "Which document is about the number 3?"
