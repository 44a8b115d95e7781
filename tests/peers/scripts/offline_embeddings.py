"""A pytest plug-in for chromadb's own tests: its default embedding function without the model that it downloads.

Those tests ask what a server does with embeddings, not how good they are: here a text's embedding depends on its words,
in the 384 dimensions of the model.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

DIMENSION = 384


def embed(self: Any, input: list[str]) -> list[np.ndarray]:
    return [_embedding(text) for text in input]


def _embedding(text: str) -> np.ndarray:
    """The sum of a fixed random direction for each word, of length one."""
    words = text.lower().split() or [""]
    directions = [np.random.default_rng(zlib.crc32(word.encode())).standard_normal(DIMENSION) for word in words]
    total = np.sum(directions, axis=0)
    return (total / np.linalg.norm(total)).astype(np.float32)


def pytest_configure() -> None:
    # The tests and the client make their own instances, so the class is what changes.
    ONNXMiniLM_L6_V2.__call__ = embed
