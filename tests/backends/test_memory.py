"""The memory backend keeps the contract."""

from __future__ import annotations

from chroma_plugin.testing import BackendConformance


class TestMemory(BackendConformance):
    backend = "memory"


class TestMemoryWithGraphs(BackendConformance):
    """Enough records for an HNSW graph."""

    backend = "memory"
    ranks_exactly = False
    index_size = 12_000
    min_recall = 0.7  # inner products of long vectors with queries that point anywhere: the hardest case for a graph
