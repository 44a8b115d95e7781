"""Results that are near the query and unlike each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.wording import shown

Vectors = npt.NDArray[np.float64]


def maximal_marginal_relevance(query: Any, embeddings: Any, k: int, lambda_mult: float = 0.5) -> list[int]:
    """The positions of at most ``k`` embeddings in the order of selection: each is the one that has the most of
    ``lambda_mult`` x its similarity to the query - (1 - ``lambda_mult``) x its greatest similarity to one that was
    selected before.

    Similarity is the cosine, 0 with a zero vector. ``query`` has the shape (d,) or (1, d), ``embeddings`` (n, d).
    ``lambda_mult`` is from 0, as different as possible, to 1, the nearest. Of equal ones the first is selected.
    Raises InvalidArgumentError for other shapes or another ``lambda_mult``.

    Carbonell, Goldstein: The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries,
    SIGIR 1998.
    """
    if not 0 <= lambda_mult <= 1:
        raise InvalidArgumentError(f"lambda_mult must be from 0 to 1, not {shown(lambda_mult)}.")
    asked, rows = _vectors(query, embeddings)
    relevance = rows @ asked
    likeness = np.zeros(len(rows))
    left = np.ones(len(rows), dtype=np.bool_)
    selected: list[int] = []
    while len(selected) < min(k, len(rows)):
        # Nothing is selected before the first, so it is the most relevant one, whatever lambda_mult is.
        gain = lambda_mult * relevance - (1 - lambda_mult) * likeness if selected else relevance
        best = int(np.argmax(np.where(left, gain, -np.inf)))
        products = rows @ rows[best]
        likeness = np.maximum(likeness, products) if selected else products
        left[best] = False
        selected.append(best)
    return selected


def _vectors(query: Any, embeddings: Any) -> tuple[Vectors, Vectors]:
    """The query, shape (d,), and the embeddings, shape (n, d), of length 1."""
    asked = np.asarray(query, dtype=np.float64)
    rows = np.asarray(embeddings, dtype=np.float64)
    if not len(rows):
        return np.zeros(0), np.zeros((0, 0))
    if asked.ndim == 2 and len(asked) == 1:
        asked = asked[0]
    if asked.ndim != 1 or rows.ndim != 2 or rows.shape[1] != len(asked):
        raise InvalidArgumentError(
            f"query and embeddings must have the shapes (d,) and (n, d), not {asked.shape} and {rows.shape}."
        )
    return _unit(asked[None])[0], _unit(rows)


def _unit(rows: Vectors) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit
