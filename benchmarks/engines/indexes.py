"""Bare indexes: vectors only, in memory; nothing durable, no documents, no metadata. Floors, not rivals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engines.protocol import Engine, Records

NEIGHBOURS, CONSTRUCTION = 16, 100
"""Chroma's defaults, and ours."""
EFS = (20, 30, 40, 50, 60, 70, 80, 100, 120, 150, 200, 250, 300, 400)


class Index(Engine):
    """`self.path` is a directory; the index is saved there when it is closed."""

    stores_records = False
    efs = EFS
    index: Any = None

    @property
    def file(self) -> Path:
        self.path.mkdir(exist_ok=True)
        return self.path / "index"

    def query(self, vector: np.ndarray, k: int) -> list[int]:
        return self.query_many(vector[None], k)[0]


class HNSWLib(Index):
    packages = ("hnswlib",)
    module = "hnswlib"
    capacity = 0

    def open(self) -> None:
        import hnswlib

        self.index = hnswlib.Index("ip", self.dimension)
        if self.file.exists():
            self.index.load_index(str(self.file))
            self.capacity = self.index.get_max_elements()

    def close(self) -> None:
        self.index.save_index(str(self.file))

    def ingest(self, records: Records) -> None:
        if not self.capacity:
            self.capacity = 2 * len(records.numbers) + 10_000
            self.index.init_index(self.capacity, M=NEIGHBOURS, ef_construction=CONSTRUCTION)
            self.index.set_ef(100)
        self.index.add_items(records.vectors, np.asarray(records.numbers))

    def set_ef(self, ef: int) -> None:
        self.index.set_ef(ef)

    def query_many(self, vectors: np.ndarray, k: int) -> list[list[int]]:
        found: list[list[int]] = self.index.knn_query(vectors, k)[0].tolist()
        return found

    def delete(self, ids: list[str]) -> None:
        for id in ids:
            self.index.mark_deleted(int(id))


class USearch(Index):
    packages = ("usearch",)
    module = "usearch.index"

    def open(self) -> None:
        from usearch.index import Index as Graph

        self.index = Graph(
            ndim=self.dimension,
            metric="ip",
            dtype="f32",
            connectivity=NEIGHBOURS,
            expansion_add=CONSTRUCTION,
            expansion_search=100,
        )
        if self.file.exists():
            self.index.load(str(self.file))

    def close(self) -> None:
        self.index.save(str(self.file))

    def ingest(self, records: Records) -> None:
        self.index.add(np.asarray(records.numbers, dtype=np.uint64), records.vectors)

    def set_ef(self, ef: int) -> None:
        self.index.expansion_search = ef

    def query_many(self, vectors: np.ndarray, k: int) -> list[list[int]]:
        keys = self.index.search(vectors, k).keys.astype(np.int64)
        return [list(map(int, row)) for row in np.atleast_2d(keys)]

    def query_exact(self, vector: np.ndarray, k: int) -> list[int]:
        return [int(key) for key in self.index.search(vector, k, exact=True).keys]

    def delete(self, ids: list[str]) -> None:
        self.index.remove(np.asarray([int(id) for id in ids], dtype=np.uint64))


class Faiss(Index):
    packages = ("faiss-cpu",)
    module = "faiss"

    def open(self) -> None:
        import faiss

        if self.file.exists():
            self.index = faiss.read_index(str(self.file))
        else:
            self.index = faiss.IndexHNSWFlat(self.dimension, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
            self.index.hnsw.efConstruction = CONSTRUCTION
            self.index.hnsw.efSearch = 100

    def close(self) -> None:
        import faiss

        faiss.write_index(self.index, str(self.file))

    def ingest(self, records: Records) -> None:
        self.index.add(records.vectors)  # rows are numbered in the order they come

    def set_ef(self, ef: int) -> None:
        self.index.hnsw.efSearch = ef

    def query_many(self, vectors: np.ndarray, k: int) -> list[list[int]]:
        found: list[list[int]] = self.index.search(vectors, k)[1].tolist()
        return found


class Numpy(Index):
    """Exact: one product and a partial sort."""

    packages = ("numpy",)
    module = "numpy"
    efs = ()

    def open(self) -> None:
        saved = self.file.with_suffix(".npy")
        self.index = np.load(saved) if saved.exists() else np.empty((0, self.dimension), np.float32)

    def close(self) -> None:
        np.save(self.file.with_suffix(".npy"), self.index)

    def ingest(self, records: Records) -> None:
        self.index = np.concatenate([self.index, records.vectors])

    def query_many(self, vectors: np.ndarray, k: int) -> list[list[int]]:
        return [row for start in range(0, len(vectors), 100) for row in self._nearest(vectors[start : start + 100], k)]

    def _nearest(self, vectors: np.ndarray, k: int) -> list[list[int]]:
        scores = -(vectors @ self.index.T)
        best = np.argpartition(scores, k, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(scores, best, 1), axis=1)
        rows: list[list[int]] = np.take_along_axis(best, order, 1).tolist()
        return rows

    def query_exact(self, vector: np.ndarray, k: int) -> list[int]:
        return self.query(vector, k)
