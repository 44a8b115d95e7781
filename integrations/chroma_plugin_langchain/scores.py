"""Distances as relevance: 1.0 for the same vector, never below 0.0, and never better for what is farther."""

from __future__ import annotations


def relevance(space: str, distance: float) -> float:
    """How relevant a hit is, in [0, 1].

    For vectors of length 1 it is the cosine similarity, whatever the space; nothing is less relevant than 0.

    - ``cosine`` and ``ip``: 1 - d.
    - ``l2``, which is squared: 1 - d / 2 up to d = 1. From there on, where that would soon be 0 for all vectors that
      are not of length 1, it is 1 / (2 d), which goes on from it smoothly and never ends.
    """
    if space != "l2":
        return min(1.0, max(0.0, 1.0 - distance))
    if distance <= 1.0:
        return min(1.0, 1.0 - distance / 2.0)
    return 0.5 / distance
