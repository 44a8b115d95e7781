"""The ``memory`` backend: everything in RAM, gone with the process."""

from __future__ import annotations

from chroma_plugin.plugins.hookspecs import hookimpl
from chroma_plugin.plugins.specs import BackendSpec


@hookimpl
def register_backends() -> list[BackendSpec]:
    return [
        BackendSpec(
            name="memory",
            aliases=("ephemeral",),
            open="chroma_plugin_memory.backend:MemoryBackend",
            options="chroma_plugin_memory.backend:MemoryOptions",
            summary="In RAM, gone with the process; hnswlib indexes large collections when installed.",
        )
    ]
