"""The ``chromadb`` backend: a directory that chromadb 0.4 to 1.x wrote, read as it is and never changed."""

from __future__ import annotations

from chroma_plugin.plugins.hookspecs import hookimpl
from chroma_plugin.plugins.specs import BackendSpec


@hookimpl
def register_backends() -> list[BackendSpec]:
    return [
        BackendSpec(
            name="chromadb",
            open="chroma_plugin_chromadb.backend:ChromadbBackend",
            options="chroma_plugin_chromadb.options:ChromadbOptions",
            summary="A directory that chromadb 0.4 to 1.x wrote, read only; made to be copied from.",
        )
    ]
