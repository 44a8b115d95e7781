"""The memory backend keeps the contract."""

from __future__ import annotations

from chroma_plugin.testing import BackendConformance


class TestMemory(BackendConformance):
    backend = "memory"
