"""One Milvus collection: made, written and read in requests of a size that Milvus takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from pymilvus import CollectionSchema, MilvusClient
from pymilvus.milvus_client.index import IndexParams

from chroma_plugin_milvus.failures import translated
from chroma_plugin_milvus.options import MilvusOptions

_T = TypeVar("_T")
Row = dict[str, Any]
Columns = Mapping[str, Sequence[Any]]

WINDOW: Final = 16_384
"""Milvus answers no request with more rows."""
KEYS_AT_ONCE: Final = 4_096
"""Keys named in one expression."""
COLUMNS_FROM: Final = 10
"""So many rows are quicker as columns, for which pymilvus starts a thread; it packs rows value by value."""
REQUEST_BYTES: Final = 32 << 20
"""About as much as one request may carry; Milvus and gRPC refuse 64 MB."""


class Table:
    """A Milvus collection by its name, whether it is there yet or not."""

    def __init__(self, client: MilvusClient, name: str, options: MilvusOptions) -> None:
        self.name = name
        self._client = client
        self._options = options
        self._is_known = False

    def exists(self) -> bool:
        """Whether it was made, by whichever process."""
        if not self._is_known:
            with translated("Looking for a collection"):
                self._is_known = bool(self._client.has_collection(self.name, timeout=self._options.timeout))
                if self._is_known:
                    # Lite forgets on closing which collections were loaded; on a server an administrator may.
                    self._client.load_collection(self.name, timeout=self._options.timeout)
        return self._is_known

    def make(self, schema: CollectionSchema, index: IndexParams) -> None:
        """Make it, unless it is there, and load it."""
        if not self.exists():
            with translated("Making a collection"):
                self._make(schema, index)
        self._is_known = True

    def _make(self, schema: CollectionSchema, index: IndexParams) -> None:
        level, timeout = self._options.consistency_level, self._options.timeout
        self._client.create_collection(self.name, schema=schema, consistency_level=level, timeout=timeout)
        # Nothing is in it. Waiting for its index, as create_collection does if it gets one, takes half a second.
        self._client.create_index(self.name, index, timeout=timeout, sync=False)
        self._client.load_collection(self.name, timeout=timeout)

    def drop(self) -> None:
        self._is_known = False
        with translated("Dropping a collection"):
            if self._client.has_collection(self.name, timeout=self._options.timeout):
                self._client.drop_collection(self.name, timeout=self._options.timeout)

    # -- writing -----------------------------------------------------------------------------------------------------

    def upsert(self, columns: Columns, schema: CollectionSchema) -> None:
        """Write rows; what fits one request is all or nothing."""
        write = self._write_rows if len(columns["key"]) < COLUMNS_FROM else self._write_columns
        size = max(1, REQUEST_BYTES // _row_bytes(columns))
        for start in range(0, len(columns["key"]), size):
            part = slice(start, start + size)
            with translated("Writing"):
                write({name: column[part] for name, column in columns.items()}, schema)

    def _write_rows(self, columns: Columns, schema: CollectionSchema) -> None:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        self._client.upsert(self.name, rows, timeout=self._options.timeout)

    def _write_columns(self, columns: Columns, schema: CollectionSchema) -> None:
        entities = [{"name": field.name, "type": field.dtype, "values": columns[field.name]} for field in schema.fields]
        self._client._get_connection().upsert(
            self.name,
            entities,
            schema=schema.to_dict(),
            timeout=self._options.timeout,
            context=self._client._generate_call_context(),
        )

    def delete(self, keys: Sequence[str]) -> None:
        for part in _parts(keys, KEYS_AT_ONCE):
            with translated("Deleting"):
                self._client.delete(self.name, ids=list(part), timeout=self._options.timeout)

    # -- reading -----------------------------------------------------------------------------------------------------

    def count(self, where: str) -> int:
        if not self.exists():
            return 0
        with translated("Counting"):
            [row] = self._query(filter=where, output_fields=["count(*)"])
        return int(row["count(*)"])

    def all(self, where: str, fields: Sequence[str]) -> Iterator[Row]:
        """The rows that match, in no order; their keys are in all of them."""
        if not self.exists():
            return
        with translated("Reading"):
            rows = self._query(filter=where, output_fields=["key", *fields], limit=WINDOW)
        # An iterator takes three requests to begin; most answers need none.
        yield from rows if len(rows) < WINDOW else self._page_by_page(where, fields)

    def first(self, where: str, fields: Sequence[str], most: int) -> list[Row]:
        """Rows that match, any of them when there are more."""
        if not self.exists():
            return []
        with translated("Reading"):
            return self._query(filter=where, output_fields=["key", *fields], limit=most)

    def _page_by_page(self, where: str, fields: Sequence[str]) -> Iterator[Row]:
        with translated("Reading"):
            pages = self._client.query_iterator(
                self.name,
                batch_size=WINDOW // 2,
                filter=where,
                output_fields=["key", *fields],
                consistency_level=self._options.consistency_level,
                timeout=self._options.timeout,
            )
        try:
            while True:
                with translated("Reading"):
                    page = pages.next()
                if not page:
                    return
                yield from page
        finally:
            pages.close()

    def of_keys(self, keys: Sequence[str], fields: Sequence[str], at_once: int = KEYS_AT_ONCE) -> dict[str, Row]:
        """The rows with these keys."""
        found: dict[str, Row] = {}
        if keys and self.exists():
            for part in _parts(keys, at_once):
                names = ", ".join(f'"{key}"' for key in part)
                with translated("Reading"):
                    rows = self._query(filter=f"key in [{names}]", output_fields=["key", *fields])
                found.update((row["key"], row) for row in rows)
        return found

    def search(
        self, queries: Any, where: str, k: int, fields: Sequence[str], params: Mapping[str, Any]
    ) -> list[tuple[list[Row], list[float]]]:
        """For each query up to k rows, and what Milvus says of their nearness."""
        with translated("Searching"):
            found = self._client.search(
                self.name,
                data=queries,
                filter=where,
                limit=k,
                output_fields=list(fields),
                search_params={"params": dict(params)},
                consistency_level=self._options.consistency_level,
                timeout=self._options.timeout,
            )
        return [([_row(key, hit) for key, hit in zip(hits.ids, hits, strict=True)], hits.distances) for hits in found]

    def flush(self) -> None:
        """Seal what was written, so that its index is built."""
        if self.exists():
            with translated("Flushing"):
                self._client.flush(self.name, timeout=None)

    def _query(self, **request: Any) -> list[Row]:
        rows: list[Row] = self._client.query(
            self.name,
            consistency_level=self._options.consistency_level,
            timeout=self._options.timeout,
            **request,
        )
        return rows


def _row(key: str, hit: Row) -> Row:
    """A hit has its key beside the other columns."""
    row: Row = hit["entity"]
    row["key"] = key
    return row


def _row_bytes(columns: Columns) -> int:
    """What the largest row may take, besides its place."""
    return sum(_value_bytes(_longest(column)) for name, column in columns.items() if name != "place")


def _longest(column: Sequence[Any]) -> Any:
    return max(filter(None, column), key=len, default="")


def _value_bytes(value: Any) -> int:
    """Not too few: of a character four, of a number eight; of what stands in a list the first is the longest."""
    if isinstance(value, str):
        return 4 * len(value)
    return len(value) * _value_bytes(value[0]) if isinstance(value, list) else 8


def _parts(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
