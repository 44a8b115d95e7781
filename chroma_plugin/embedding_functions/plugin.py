"""The embedding functions of this package, through the door that is everybody's."""

from __future__ import annotations

from collections.abc import Iterable

from chroma_plugin.plugins.hookspecs import hookimpl
from chroma_plugin.plugins.specs import EmbeddingSpec


@hookimpl
def register_embedding_functions() -> Iterable[EmbeddingSpec]:
    return [
        EmbeddingSpec(
            name="default",
            load="chroma_plugin.embedding_functions.default:DefaultEmbeddingFunction",
            summary="all-MiniLM-L6-v2: meaning, 384 dimensions, on the CPU; fetches 91 MB once",
            aliases=("onnx_mini_lm_l6_v2",),
            requires=("tokenizers", "safetensors"),
            install="pip install chroma-plugin",
        ),
        EmbeddingSpec(
            name="hashing",
            load="chroma_plugin.embedding_functions.hashing:HashingEmbeddingFunction",
            summary="Shared words and parts of words: no meaning, no download",
        ),
    ]
