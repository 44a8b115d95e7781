"""What the store does by filter, and what it says about meta."""

from __future__ import annotations

from typing import Any

from chroma_plugin_haystack import reading, writing
from chroma_plugin_haystack.runner import Runner
from chroma_plugin_haystack.steps import Steps


class ByFilter:
    """A part of `ChromaPluginDocumentStore`."""

    _runner: Runner
    _strict: bool

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """Delete the documents that match and return how many. Raises FilterError for an empty filter."""
        return self._runner.run(writing.delete_by_filter(filters, strict=self._strict))

    async def delete_by_filter_async(self, filters: dict[str, Any]) -> int:
        """See `delete_by_filter`."""
        return await self._runner.run_async(writing.delete_by_filter(filters, strict=self._strict))

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Merge ``meta`` into that of the documents that match, key by key, and return how many they are."""
        return self._runner.run(writing.update_by_filter(filters, meta, strict=self._strict))

    async def update_by_filter_async(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """See `update_by_filter`."""
        return await self._runner.run_async(writing.update_by_filter(filters, meta, strict=self._strict))

    def count_documents_by_filter(self, filters: dict[str, Any]) -> int:
        """How many documents match."""
        return self._runner.run(reading.count(filters, strict=self._strict))

    async def count_documents_by_filter_async(self, filters: dict[str, Any]) -> int:
        """See `count_documents_by_filter`."""
        return await self._runner.run_async(reading.count(filters, strict=self._strict))

    def count_unique_metadata_by_filter(self, filters: dict[str, Any], metadata_fields: list[str]) -> dict[str, int]:
        """How many different values each field has in the documents that match. 1, 1.0, True and "1" are four."""
        return self._runner.run(reading.count_unique(filters, metadata_fields, strict=self._strict))

    async def count_unique_metadata_by_filter_async(
        self, filters: dict[str, Any], metadata_fields: list[str]
    ) -> dict[str, int]:
        """See `count_unique_metadata_by_filter`."""
        return await self._runner.run_async(reading.count_unique(filters, metadata_fields, strict=self._strict))

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """``{"year": {"type": "int"}, ...}``; the types are keyword, int, float and boolean."""
        return self._runner.run(reading.fields_info())

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        """See `get_metadata_fields_info`."""
        return await self._runner.run_async(reading.fields_info())

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """``{"min": ..., "max": ...}`` of the field's values; None where there are none, or none can be compared."""
        return self._runner.run(reading.min_max(metadata_field))

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        """See `get_metadata_field_min_max`."""
        return await self._runner.run_async(reading.min_max(metadata_field))

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: dict[str, Any] | None = None,
    ) -> tuple[list[Any], int]:
        """A page of the field's different values, sorted as text, and how many there are in all.

        ``search_term``: only those that have it in their text, in any case. ``filters``: of these documents only.
        """
        return self._runner.run(self._unique_values(metadata_field, search_term, from_, size, filters))

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: dict[str, Any] | None = None,
    ) -> tuple[list[Any], int]:
        """See `get_metadata_field_unique_values`."""
        return await self._runner.run_async(self._unique_values(metadata_field, search_term, from_, size, filters))

    def _unique_values(
        self, metadata_field: str, search_term: str | None, from_: int, size: int, filters: dict[str, Any] | None
    ) -> Steps[tuple[list[Any], int]]:
        return reading.unique_values(metadata_field, search_term, from_, size, filters, strict=self._strict)
