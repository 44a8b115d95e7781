"""Scores: the higher, the more alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

_BM25_SCALE: Final = 8
_IP_SCALE: Final = 100
"""Both as in Haystack's own store, so that scaled scores mean the same."""


def space_of(configuration: Mapping[str, Any]) -> str:
    """``"l2"``, ``"cosine"`` or ``"ip"``: what a collection's distances are."""
    return str((configuration.get("hnsw") or {}).get("space") or "l2")


def similarities(distances: Iterable[float], space: str, *, scaled: bool) -> list[float]:
    """Cosine: the cosine, from -1 to 1. Inner product: that product. L2: 1 / (1 + squared distance), 1 for equal
    vectors. Scaled: from 0 to 1.
    """
    similarity = _SIMILARITY[space]
    found = [similarity(distance) for distance in distances]
    return [_SCALED[space](score) for score in found] if scaled else found


def text_scores(scores: Iterable[float], *, scaled: bool) -> list[float]:
    """BM25 scores; scaled: from 0 to 1."""
    return [_sigmoid(score / _BM25_SCALE) if scaled else score for score in scores]


def _sigmoid(number: float) -> float:
    """1 / (1 + exp(-number)), written so that it never overflows."""
    return 0.5 * (1.0 + math.tanh(0.5 * number))


def _cosine(distance: float) -> float:
    return min(max(1.0 - distance, -1.0), 1.0)


_SIMILARITY: Final[Mapping[str, Callable[[float], float]]] = {
    "cosine": _cosine,
    "ip": lambda distance: 1.0 - distance,
    "l2": lambda distance: 1.0 / (1.0 + distance),
}
_SCALED: Final[Mapping[str, Callable[[float], float]]] = {
    "cosine": lambda score: (score + 1.0) / 2.0,
    "ip": lambda score: _sigmoid(score / _IP_SCALE),
    "l2": lambda score: score,
}
