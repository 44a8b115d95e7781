"""Distances as similarities: higher is better, the same order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

_SIMILARITY: Final[Mapping[str, Callable[[float], float]]] = {
    "cosine": lambda distance: 1.0 - distance,
    "ip": lambda distance: 1.0 - distance,
    "l2": lambda distance: 1.0 / (1.0 + distance),
}


def similarities_of(distances: list[float], space: str) -> list[float]:
    """What a collection's distances say as similarities.

    ``cosine``: the cosine of the angle, from -1 to 1. ``ip``: the inner product. ``l2``: 1 / (1 + the squared
    distance), above 0 and 1.0 for the same vector.
    """
    return [_SIMILARITY[space](distance) for distance in distances]
