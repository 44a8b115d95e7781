"""The ``milvus`` backend: Milvus Lite, a Milvus cluster or Zilliz Cloud, chosen by a URI."""

from __future__ import annotations

from chroma_plugin.plugins.hookspecs import hookimpl
from chroma_plugin.plugins.specs import BackendSpec


@hookimpl
def register_backends() -> list[BackendSpec]:
    return [
        BackendSpec(
            name="milvus",
            aliases=("zilliz",),
            open="chroma_plugin_milvus.backend:MilvusBackend",
            options="chroma_plugin_milvus.options:MilvusOptions",
            summary="A Milvus or Zilliz cluster by its URI, or Milvus Lite in a file.",
            requires=("pymilvus",),
            install="pip install chroma-plugin[milvus]",
        )
    ]
