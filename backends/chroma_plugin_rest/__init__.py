"""The ``rest`` backend: a server that speaks Chroma's protocol, ours or another."""

from __future__ import annotations

from chroma_plugin.plugins.hookspecs import hookimpl
from chroma_plugin.plugins.specs import BackendSpec


@hookimpl
def register_backends() -> list[BackendSpec]:
    return [
        BackendSpec(
            name="rest",
            open="chroma_plugin_rest.opening:open_server",
            options="chroma_plugin_rest.options:RestOptions",
            summary="A Chroma server over HTTP: chroma-plugin run, chroma run, Chroma Cloud.",
            requires=("httpx", "greenlet"),
            install="pip install chroma-plugin[rest]",
        )
    ]
