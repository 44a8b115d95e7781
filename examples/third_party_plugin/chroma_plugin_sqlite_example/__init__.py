"""The plug-in: what it registers. The engine is imported when somebody opens it."""

from __future__ import annotations

from collections.abc import Iterable

from chroma_plugin.plugins import BackendSpec, hookimpl


@hookimpl
def register_backends() -> Iterable[BackendSpec]:
    return [
        BackendSpec(
            name="sqlite",
            open="chroma_plugin_sqlite_example.fast:FastSQLiteBackend",
            options="chroma_plugin_sqlite_example.backend:SQLiteOptions",
            summary="Everything in one SQLite file",
        )
    ]
