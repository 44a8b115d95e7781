"""Haystack's own tests of document stores, as they are, on memory, duckdb, rest and pgvector."""

from __future__ import annotations

from typing import Any

import pytest
from haystack import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.testing import document_store as suite
from haystack.testing import document_store_async as async_suite


class TestDocumentStore(
    suite.DocumentStoreBaseExtendedTests,
    suite.CountDocumentsByFilterTest,
    suite.CountUniqueMetadataByFilterTest,
    suite.GetMetadataFieldsInfoTest,
    suite.GetMetadataFieldMinMaxTest,
    suite.GetMetadataFieldUniqueValuesTest,
):
    """The whole suite for the methods that block."""

    @pytest.fixture
    def document_store(self, document_store: Any) -> Any:
        return document_store

    def test_write_documents(self, document_store: Any) -> None:
        """Without a policy an id that is there is refused; the suite leaves this test to each store."""
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])
        assert document_store.filter_documents() == [document]


class TestAsyncDocumentStore(
    async_suite.CountDocumentsAsyncTest,
    async_suite.WriteDocumentsAsyncTest,
    async_suite.DeleteDocumentsAsyncTest,
    async_suite.FilterDocumentsAsyncTest,
    async_suite.DeleteAllAsyncTest,
    async_suite.DeleteByFilterAsyncTest,
    async_suite.UpdateByFilterAsyncTest,
    async_suite.CountDocumentsByFilterAsyncTest,
    async_suite.CountUniqueMetadataByFilterAsyncTest,
    async_suite.GetMetadataFieldsInfoAsyncTest,
    async_suite.GetMetadataFieldMinMaxAsyncTest,
    async_suite.GetMetadataFieldUniqueValuesAsyncTest,
):
    """The whole suite for the methods that are awaited."""

    @pytest.fixture
    async def document_store(self, async_store: Any) -> Any:
        return async_store

    async def test_write_documents_async(self, document_store: Any) -> None:
        """Without a policy an id that is there is refused."""
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document], policy=DuplicatePolicy.NONE) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])
        assert await document_store.filter_documents_async() == [document]


def test_no_part_of_the_suite_is_left_out() -> None:
    """Every class of tests in Haystack's suites is a base of one of the classes above."""
    ours = {*TestDocumentStore.__mro__, *TestAsyncDocumentStore.__mro__}
    for module in (suite, async_suite):
        parts = {value for name, value in vars(module).items() if isinstance(value, type) and name.endswith("Test")}
        assert parts <= ours
