"""Records to try engines on."""

from __future__ import annotations

import numpy as np

from chroma_plugin.types import Records


def clustered(count: int, dimension: int = 16, seed: int = 0) -> np.ndarray:
    """Vectors around twenty centres, as real embeddings are."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((20, dimension))
    which = random.integers(20, size=count)
    return (centres[which] + 0.3 * random.standard_normal((count, dimension))).astype(np.float32)


def records(embeddings: np.ndarray, start: int = 0) -> Records:
    numbers = range(start, start + len(embeddings))
    return Records(
        ids=[f"id{number}" for number in numbers],
        embeddings=embeddings,
        documents=[f"document {number}" for number in numbers],
        metadatas=[{"number": number, "tenth": number % 10} for number in numbers],
    )
