"""Which of the two opens a directory: the one process that may write, or any number that read."""

from __future__ import annotations

from chroma_plugin.toolkit.local_backend import LocalBackend
from chroma_plugin_duckdb.options import DuckDBOptions


def opened(options: DuckDBOptions) -> LocalBackend:
    if options.read_only:
        from chroma_plugin_duckdb.reader import DuckDBReader

        return DuckDBReader(options)
    from chroma_plugin_duckdb.backend import DuckDBBackend

    return DuckDBBackend(options)
