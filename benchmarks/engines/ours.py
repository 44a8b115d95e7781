"""This package, in memory and on disk, and what chromadb has in common with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.protocol import Engine, Records, Where

FULL = ["documents", "metadatas", "distances"]


class ChromaAPI(Engine):
    """Both speak it; a subclass opens the client and makes the collection."""

    efs = (20, 30, 40, 50, 60, 80, 100, 150, 200, 400)
    batch = 1_000_000
    client: Any
    collection: Any

    def ingest(self, records: Records) -> None:
        for part in records.batches(self.batch):
            self.collection.add(
                ids=part.ids, embeddings=part.vectors, documents=part.documents, metadatas=part.metadatas
            )

    def query(self, vector: np.ndarray, k: int) -> list[int]:
        return self._query(vector[None], k)[0]

    def query_many(self, vectors: np.ndarray, k: int) -> list[list[int]]:
        return self._query(vectors, k)

    def query_where(self, vector: np.ndarray, k: int, where: Where) -> list[int]:
        return self._query(vector[None], k, where=where)[0]

    def query_contains(self, vector: np.ndarray, k: int, text: str, where: Where | None) -> list[int]:
        return self._query(vector[None], k, where=where, where_document={"$contains": text})[0]

    def _query(self, vectors: np.ndarray, k: int, **options: Any) -> list[list[int]]:
        found = self.collection.query(query_embeddings=vectors, n_results=k, include=FULL, **options)
        return [[int(id) for id in ids] for ids in found["ids"]]

    def get(self, ids: list[str]) -> int:
        return len(self.collection.get(ids=ids)["documents"])

    def get_where(self, where: Where, limit: int) -> int:
        return len(self.collection.get(where=where, limit=limit)["documents"])

    def contains(self, text: str, where: Where | None) -> int:
        return len(self.collection.get(where=where, where_document={"$contains": text})["documents"])

    def regex(self, pattern: str, where: Where | None) -> int:
        return len(self.collection.get(where=where, where_document={"$regex": pattern})["documents"])

    def update_metadata(self, ids: list[str], metadatas: Sequence[Mapping[str, Any]]) -> None:
        self.collection.update(ids=ids, metadatas=list(metadatas))

    def update_vectors(self, records: Records) -> None:
        self.collection.update(ids=records.ids, embeddings=records.vectors)

    def upsert(self, records: Records) -> None:
        self.collection.upsert(
            ids=records.ids, embeddings=records.vectors, documents=records.documents, metadatas=records.metadatas
        )

    def delete(self, ids: list[str]) -> None:
        for start in range(0, len(ids), self.batch):
            self.collection.delete(ids=ids[start : start + self.batch])


class Memory(ChromaAPI):
    module = "chroma_plugin"
    persistent = False

    @classmethod
    def version(cls) -> str:
        import chroma_plugin

        return f"chroma-plugin {chroma_plugin.__version__}"

    def _client(self) -> Any:
        import chroma_plugin

        return chroma_plugin.EphemeralClient()

    def open(self) -> None:
        self.client = self._client()
        space = {"hnsw": {"space": "cosine"}}
        self.collection = self.client.get_or_create_collection("records", embedding_function=None, configuration=space)

    def close(self) -> None:
        self.client.close()

    def settle(self) -> None:
        self.collection.create_index()

    def set_ef(self, ef: int) -> None:
        self.collection.modify(configuration={"hnsw": {"ef_search": ef}})

    def query_exact(self, vector: np.ndarray, k: int) -> list[int]:
        return self._query(vector[None], k, exact=True)[0]

    def count_where(self, where: Where) -> int:
        return int(self.collection.count(where=where))

    def compact(self) -> None:
        self.client.compact()


class DuckDB(Memory):
    durability = "one committed transaction with fsync a call"
    durable = True
    persistent = True

    def _client(self) -> Any:
        import chroma_plugin

        return chroma_plugin.PersistentClient(self.path)
