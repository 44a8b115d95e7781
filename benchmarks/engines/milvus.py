"""milvus-lite through pymilvus, with the index it takes by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.protocol import FIELDS, Engine, Records, Where, literal, sql

EVERYTHING = ["document", *FIELDS]


class Milvus(Engine):
    packages = ("pymilvus", "milvus-lite")
    module = "pymilvus"
    durability = "files written, not synced"
    client: Any

    def open(self) -> None:
        from pymilvus import MilvusClient

        self.path.mkdir(exist_ok=True)
        self.client = MilvusClient(str(self.path / "milvus.db"))
        if not self.client.has_collection("records"):
            self.client.create_collection(
                "records", dimension=self.dimension, id_type="string", max_length=32, metric_type="COSINE"
            )
        self.client.load_collection("records")

    def close(self) -> None:
        self.client.close()

    def ingest(self, records: Records) -> None:
        for part in records.batches(5_000):
            self.client.insert("records", _rows(part))

    def query(self, vector: np.ndarray, k: int) -> list[int]:
        return self._search(vector[None], k)[0]

    def query_many(self, vectors: np.ndarray, k: int) -> list[list[int]]:
        return self._search(vectors, k)

    def query_where(self, vector: np.ndarray, k: int, where: Where) -> list[int]:
        return self._search(vector[None], k, sql(where, "=="))[0]

    def query_contains(self, vector: np.ndarray, k: int, text: str, where: Where | None) -> list[int]:
        return self._search(vector[None], k, _contains(text, where))[0]

    def _search(self, vectors: np.ndarray, k: int, where: str = "") -> list[list[int]]:
        found = self.client.search("records", vectors.tolist(), filter=where, limit=k, output_fields=EVERYTHING)
        return [[int(hit["id"]) for hit in hits] for hits in found]

    def get(self, ids: list[str]) -> int:
        return len(self.client.get("records", ids, output_fields=EVERYTHING))

    def get_where(self, where: Where, limit: int) -> int:
        return len(self.client.query("records", sql(where, "=="), output_fields=EVERYTHING, limit=limit))

    def count_where(self, where: Where) -> int:
        return int(self.client.query("records", sql(where, "=="), output_fields=["count(*)"])[0]["count(*)"])

    def contains(self, text: str, where: Where | None) -> int:
        return len(self.client.query("records", _contains(text, where), output_fields=EVERYTHING, limit=16_000))

    def update_metadata(self, ids: list[str], metadatas: Sequence[Mapping[str, Any]]) -> None:
        raise NotImplementedError

    def update_vectors(self, records: Records) -> None:
        self.upsert(records)

    def upsert(self, records: Records) -> None:
        self.client.upsert("records", _rows(records))

    def delete(self, ids: list[str]) -> None:
        self.client.delete("records", ids)


def _contains(text: str, where: Where | None) -> str:
    found = f"document like {literal(f'%{text}%')}"
    return found if where is None else f"{sql(where, '==')} and {found}"


def _rows(records: Records) -> list[dict[str, Any]]:
    return [
        {"id": id, "vector": vector, "document": document, **metadata}
        for id, vector, document, metadata in zip(
            records.ids, records.vectors.tolist(), records.documents, records.metadatas, strict=True
        )
    ]
