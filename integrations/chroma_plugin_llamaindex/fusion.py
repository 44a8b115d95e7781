"""Two rankings of hits as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from chroma_plugin.ranking import reciprocal_rank_fusion, relative_score_fusion
from chroma_plugin_llamaindex.hits import Hit

Fuse: TypeAlias = Callable[[Sequence[Sequence[Hit]], Sequence[float]], list[Hit]]
"""Sides, each best first, and the weight of each."""


def fused_by_score(sides: Sequence[Sequence[Hit]], weights: Sequence[float]) -> list[Hit]:
    """By relative scores: on each side the best hit counts 1, the last 0."""
    return _scored(sides, relative_score_fusion([{hit.id: hit.score for hit in side} for side in sides], weights))


def fused_by_rank(sides: Sequence[Sequence[Hit]], weights: Sequence[float]) -> list[Hit]:
    """By reciprocal ranks."""
    return _scored(sides, reciprocal_rank_fusion([[hit.id for hit in side] for side in sides], weights))


def _scored(sides: Sequence[Sequence[Hit]], scores: Sequence[tuple[str, float]]) -> list[Hit]:
    hits = {hit.id: hit for side in sides for hit in side}
    return [replace(hits[id], score=score) for id, score in scores]
