"""The milvus backend keeps the contract on Milvus Lite."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed: pip install milvus-lite")

from chroma_plugin.backend import Backend
from chroma_plugin.plugins import default_manager, open_backend
from chroma_plugin.testing import BackendConformance


class TestMilvus(BackendConformance):
    """Milvus Lite answers a request in some milliseconds: few random cases, small indexes."""

    ranks_exactly = False
    min_recall = 0.9
    examples = 3
    index_size = 600

    def open_backend(self, place: Path) -> Backend:
        return open_backend(default_manager().backend("milvus"), {"uri": f"{place}.db"})


@pytest.mark.soak
class TestMilvusForLong(TestMilvus):
    """As many cases, and records, as other engines are tried with."""

    examples = 25
    index_size = 3000
