"""The ``duckdb`` backend: one DuckDB file that any DuckDB can open, with hnswlib graphs as its index."""

from __future__ import annotations

from chroma_plugin.plugins.hookspecs import hookimpl
from chroma_plugin.plugins.specs import BackendSpec


@hookimpl
def register_backends() -> list[BackendSpec]:
    return [
        BackendSpec(
            name="duckdb",
            aliases=("duckdb+parquet", "duckdb+hnswlib"),
            open="chroma_plugin_duckdb.opening:opened",
            options="chroma_plugin_duckdb.options:DuckDBOptions",
            repair="chroma_plugin_duckdb.repair:DuckDBRepairer",
            summary="One DuckDB file on disk, durable when a call returns; hnswlib indexes large collections.",
            requires=("duckdb",),
            install="pip install duckdb",
        )
    ]
