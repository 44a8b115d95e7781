"""The ``pgvector`` backend: a PostgreSQL that has the extension pgvector."""

from __future__ import annotations

from chroma_plugin.plugins.hookspecs import hookimpl
from chroma_plugin.plugins.specs import BackendSpec


@hookimpl
def register_backends() -> list[BackendSpec]:
    return [
        BackendSpec(
            name="pgvector",
            aliases=("postgres", "postgresql"),
            open="chroma_plugin_pgvector.backend:PgvectorBackend",
            options="chroma_plugin_pgvector.options:PgvectorOptions",
            summary="A PostgreSQL with pgvector, by URL; any number of processes write the same collections.",
            requires=("psycopg", "psycopg_pool", "greenlet"),
            install="pip install chroma-plugin[pgvector]",
        )
    ]
