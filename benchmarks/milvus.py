"""What the milvus backend costs over pymilvus itself, on Milvus Lite: the same records, in turns, in one process.

Run it as ``python benchmarks/milvus.py``; it prints medians in milliseconds and their ratio.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pymilvus import DataType, MilvusClient

import chroma_plugin as chromadb

DIMENSION, BATCH, ROUNDS = 384, 1_000, 8


def bare(path: Path) -> MilvusClient:
    """A collection as one writes it with pymilvus: id, document, metadata, vector, HNSW, strong consistency."""
    client = MilvusClient(str(path))
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("document", DataType.VARCHAR, max_length=1000)
    schema.add_field("metadata", DataType.JSON)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIMENSION)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="HNSW", metric_type="L2", params={"M": 16, "efConstruction": 100})
    client.create_collection("bare", schema=schema, index_params=index, consistency_level="Strong")
    return client


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    vectors = np.random.default_rng(1).standard_normal((BATCH * ROUNDS, DIMENSION)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        client = bare(Path(folder, "bare.db"))
        ours = chromadb.Client(chromadb.Settings(chroma_db_impl="milvus", uri=f"{folder}/ours.db"))
        collection = ours.create_collection("ours", embedding_function=None)
        times: dict[str, list[tuple[float, float]]] = {"ingest 1,000": [], "one query": [], "100 queries": []}
        for start in range(0, len(vectors), BATCH):
            part = vectors[start : start + BATCH]
            ids = [f"id{start + row}" for row in range(BATCH)]
            metadatas = [{"row": start + row, "kind": "even" if row % 2 else "odd"} for row in range(BATCH)]
            rows = [
                {"id": id, "document": f"text {id}", "metadata": metadata, "vector": vector}
                for id, metadata, vector in zip(ids, metadatas, part, strict=True)
            ]
            documents = [f"text {id}" for id in ids]
            theirs = timed(lambda rows=rows: client.upsert("bare", rows))
            mine = timed(
                lambda i=ids, p=part, d=documents, m=metadatas: collection.upsert(
                    ids=i, embeddings=p, documents=d, metadatas=m
                )
            )
            times["ingest 1,000"].append((theirs, mine))
        for name, size, turns in (("one query", 1, 25), ("100 queries", 100, 5)):
            for turn in range(turns):
                query = vectors[turn * size : (turn + 1) * size] + np.float32(0.1)
                theirs = timed(
                    lambda q=query: client.search(
                        "bare",
                        data=q,
                        limit=10,
                        output_fields=["document", "metadata"],
                        search_params={"params": {"ef": 100}},
                        consistency_level="Strong",
                    )
                )
                mine = timed(lambda q=query: collection.query(query_embeddings=q, n_results=10))
                times[name].append((theirs, mine))
        for name, pairs in times.items():
            theirs, mine = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"{name:14} pymilvus {theirs:8.1f} ms   chroma-plugin {mine:8.1f} ms   ratio {mine / theirs:.2f}")
        ours.close()
        client.close()


if __name__ == "__main__":
    main()
