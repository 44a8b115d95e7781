"""The embedding function that a collection has when none is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chroma_plugin.embedding_functions.inputs import checked_texts
from chroma_plugin.embedding_functions.minilm.files import DIMENSION, MODEL
from chroma_plugin.embedding_functions.protocol import Documents, EmbeddingFunction, Space
from chroma_plugin.errors import EmbeddingFunctionError
from chroma_plugin.types import Matrix


class DefaultEmbeddingFunction(EmbeddingFunction[Documents]):
    """all-MiniLM-L6-v2: sentences of near meaning have near vectors. English first; 384 numbers, length 1, float32.

    The same vectors as Chroma's default and as sentence-transformers give, to rounding. It reads the first 256 word
    pieces of a text (about 180 words). It runs in numpy on the CPU.

    The weights (91 MB) are looked for on this machine and otherwise fetched, once, when the first text is embedded
    (``chroma-plugin embeddings fetch`` does it ahead). Raises ModelUnavailableError when they can't be had.
    """

    def __call__(self, input: Documents) -> Matrix:
        from chroma_plugin.embedding_functions.minilm.model import model

        return model().embed(checked_texts(input))

    @staticmethod
    def name() -> str:
        return "default"

    def get_config(self) -> dict[str, Any]:
        return {"dimension": DIMENSION, "weights_sha256": MODEL.sha256}

    @staticmethod
    def build_from_config(config: Mapping[str, Any]) -> DefaultEmbeddingFunction:
        weights = config.get("weights_sha256", MODEL.sha256)
        if weights != MODEL.sha256:
            raise EmbeddingFunctionError(
                "The collection was made with other weights of the default embedding function (sha256 "
                f"{weights!r:.80}; this release has {MODEL.sha256}). Use the release that it was made with, or make a "
                "new collection and add the documents there."
            )
        return DefaultEmbeddingFunction()


class ONNXMiniLM_L6_V2(DefaultEmbeddingFunction):
    """`DefaultEmbeddingFunction` under the name that chromadb gives the same model.

    ``preferred_providers`` is accepted and has no effect: there is no ONNX in it.
    """

    def __init__(self, preferred_providers: Sequence[str] | None = None) -> None:
        self.preferred_providers = preferred_providers

    @staticmethod
    def name() -> str:
        return "onnx_mini_lm_l6_v2"

    def get_config(self) -> dict[str, Any]:
        # chromadb refuses any other key here.
        return {}

    def default_space(self) -> Space:
        return "cosine"
