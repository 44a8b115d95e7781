"""The duckdb backend keeps the contract."""

from __future__ import annotations

from chroma_plugin.testing import BackendConformance


class TestDuckDB(BackendConformance):
    backend = "duckdb"
    persistent = True
