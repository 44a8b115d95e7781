"""The engines that can be measured, by name. Each is imported only in the process that measures it."""

from __future__ import annotations

import importlib

from engines.protocol import Engine

ENGINES = {
    "duckdb": "ours:DuckDB",
    "memory": "ours:Memory",
    "rest": "ours:Rest",
    "pgvector": "ours:Pgvector",
    "milvus": "ours:Milvus",
    "chromadb": "chroma:Chroma",
    "lancedb": "lance:Lance",
    "lancedb-hnsw": "lance:LanceHNSW",
    "milvus-lite": "milvus:Milvus",
    "qdrant": "qdrant:Qdrant",
    "sqlite-vec": "sqlite:SQLiteVec",
    "duckdb-sql": "duckdb_sql:DuckDBSQL",
    "hnswlib": "indexes:HNSWLib",
    "usearch": "indexes:USearch",
    "faiss": "indexes:Faiss",
    "numpy": "indexes:Numpy",
}
OURS = ("duckdb", "memory", "rest", "pgvector", "milvus")
ELSEWHERE = ("rest", "pgvector", "milvus")
"""Those of ours that have a server, or could have: no rivals of engines in a process."""


def engine_class(name: str) -> type[Engine]:
    """Raises ImportError when its package is not installed."""
    module, _, kind = ENGINES[name].partition(":")
    found: type[Engine] = getattr(importlib.import_module(f"engines.{module}"), kind)
    return found
