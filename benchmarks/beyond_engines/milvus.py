"""Milvus, by pymilvus as its documentation shows it."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymilvus import DataType, MilvusClient

from beyond_engines.protocol import Batch, Direct, Matrix

NAME = "beyond_direct"
TEXT = 65_535
FOUND = ["id", "document", "metadata"]


class Milvus(Direct):
    """One collection with the fields that our API gives back: the order of insertion and a URI are kept as well."""

    @staticmethod
    @contextmanager
    def made() -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="beyond-") as folder:
            yield str(Path(folder, "milvus.db"))

    @staticmethod
    def settings(address: str, *, words: bool) -> dict[str, Any]:
        return {"chroma_db_impl": "milvus", "uri": address, "prefix": "beyond_"}

    def __init__(self, address: str, dimension: int, *, words: bool) -> None:
        self._is_lite = "://" not in address
        self._client = MilvusClient(address)
        self._places = itertools.count()
        self._drop()
        schema = self._client.create_schema(auto_id=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=TEXT)
        schema.add_field("place", DataType.INT64)
        schema.add_field("document", DataType.VARCHAR, max_length=TEXT, nullable=True)
        schema.add_field("metadata", DataType.JSON, nullable=True)
        schema.add_field("uri", DataType.VARCHAR, max_length=TEXT, nullable=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type="HNSW", metric_type="COSINE", params={"M": 16, "efConstruction": 100})
        self._client.create_collection(NAME, schema=schema, index_params=index, consistency_level="Strong")

    def add(self, batch: Batch) -> None:
        """Milvus would keep two records of one id, so those that are there are looked for."""
        there = {row["id"] for row in self._client.get(NAME, list(batch.ids), output_fields=["id"])}
        rows = zip(batch.ids, batch.embeddings, batch.documents, batch.metadatas, self._places, strict=False)
        self._client.insert(
            NAME,
            [
                {"id": id, "place": place, "document": document, "metadata": metadata, "uri": None, "vector": vector}
                for id, vector, document, metadata, place in rows
                if id not in there
            ],
        )

    def index(self) -> None:
        self._client.flush(NAME)

    def settle(self) -> None:
        """Milvus Lite builds indexes when it has time, or at once when a collection is loaded."""
        for name in self._client.list_collections():
            self._client.release_collection(name)
            self._client.load_collection(name)

    def query(self, queries: Matrix, k: int, kind: str | None = None) -> list[list[Any]]:
        found = self._client.search(
            NAME,
            data=list(queries),
            filter="" if kind is None else f'metadata["kind"] == "{kind}"',
            limit=k,
            output_fields=FOUND,
            search_params={"params": {"ef": 100}},
            consistency_level="Strong",
        )
        return [
            [(hit["id"], hit["entity"]["document"], hit["entity"]["metadata"], 1 - hit["distance"]) for hit in hits]
            for hits in found
        ]

    def get(self, ids: Sequence[str]) -> list[Any]:
        rows = self._client.get(NAME, list(ids), output_fields=FOUND, consistency_level="Strong")
        return [(row["id"], row["document"], row["metadata"]) for row in rows]

    def _drop(self) -> None:
        if self._client.has_collection(NAME):
            self._client.drop_collection(NAME)

    def processes(self) -> list[int] | None:
        return [] if self._is_lite else None  # Lite is in this one

    def close(self) -> None:
        self._drop()
        self._client.close()
