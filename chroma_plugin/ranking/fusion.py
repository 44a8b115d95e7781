"""Several rankings of the same things become one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.wording import shown

_T = TypeVar("_T", bound=Hashable)
K: Final = 60
"""The constant of reciprocal rank fusion in its paper."""


def reciprocal_rank_fusion(
    rankings: Sequence[Iterable[_T]], weights: Sequence[float] | None = None, k: float = K
) -> list[tuple[_T, float]]:
    """All items with their fused scores, best first: the score is the sum of ``weight / (k + rank)`` over the rankings
    that an item is in, with ranks from 1. Equal scores keep the order in which the items first stand.

    Each ranking is a sequence of items, best first; an item that stands twice in one counts at its best place.
    ``weights`` are 1.0 by default. Raises InvalidArgumentError for weights that are negative or not one per ranking.

    Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods,
    SIGIR 2009.
    """
    if not k > -1:
        raise InvalidArgumentError(f"k must be greater than -1, not {shown(k)}.")
    scores: dict[_T, float] = {}
    for ranking, weight in zip(rankings, _weights(weights, len(rankings)), strict=True):
        for rank, item in enumerate(dict.fromkeys(ranking), start=1):
            scores[item] = scores.get(item, 0.0) + weight / (k + rank)
    return _best_first(scores)


def relative_score_fusion(
    scored: Sequence[Mapping[_T, float]], weights: Sequence[float] | None = None
) -> list[tuple[_T, float]]:
    """All items with their fused scores, best first: in each mapping from items to scores (higher is better) the best
    becomes 1 and the worst 0, all others in proportion, all 1 when all are equal; the fused score is the weighted sum
    of these, where an item that is not in a mapping has 0. Equal scores keep the order in which the items first stand.

    ``weights`` are 1.0 by default. Raises InvalidArgumentError for weights that are negative or not one per mapping.
    """
    fused: dict[_T, float] = {}
    for scores, weight in zip(scored, _weights(weights, len(scored)), strict=True):
        worst, best = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
        for item, score in scores.items():
            share = 1.0 if best == worst else (score - worst) / (best - worst)
            fused[item] = fused.get(item, 0.0) + weight * share
    return _best_first(fused)


def _weights(weights: Sequence[float] | None, count: int) -> Sequence[float]:
    if weights is None:
        return [1.0] * count
    if len(weights) != count or not all(weight >= 0 for weight in weights):
        raise InvalidArgumentError(f"weights must be {count} numbers of at least 0, not {shown(weights)}.")
    return weights


def _best_first(scores: Mapping[_T, float]) -> list[tuple[_T, float]]:
    return sorted(scores.items(), key=lambda item: -item[1])
