"""Maximal marginal relevance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.ranking import maximal_marginal_relevance


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    lengths = np.linalg.norm(left) * np.linalg.norm(right)
    return float(left @ right / lengths) if lengths else 0.0


def by_definition(query: np.ndarray, rows: np.ndarray, k: int, share: float) -> list[int]:
    """The definition of the paper, one sum after another."""
    selected: list[int] = []
    while len(selected) < min(k, len(rows)):
        gains = {
            row: share * cosine(query, rows[row])
            - (1 - share) * max((cosine(rows[row], rows[other]) for other in selected), default=0.0)
            for row in range(len(rows))
            if row not in selected
        }
        if not selected:
            gains = {row: cosine(query, rows[row]) for row in gains}
        selected.append(max(gains, key=lambda row: (gains[row], -row)))
    return selected


def test_the_order_of_selection() -> None:
    """The nearest first, then not its twin but something else that is near."""
    query, rows = [1, 0], [[0.5, 0.5], [1, 0.1], [1, 0.11], [0.6, -0.5], [-1, 0]]

    assert maximal_marginal_relevance(query, rows, 3) == [1, 3, 2]
    assert maximal_marginal_relevance(query, rows, 3, lambda_mult=1) == [1, 2, 3]
    assert maximal_marginal_relevance(query, rows, 2, lambda_mult=0) == [1, 4]


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(0, 15), st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]))
def test_it_is_the_definition(seed: int, count: int, k: int, share: float) -> None:
    """On random vectors, also with k above their number."""
    random = np.random.default_rng(seed)
    query, rows = random.standard_normal(5), random.standard_normal((count, 5))

    assert maximal_marginal_relevance(query, rows, k, share) == by_definition(query, rows, k, share)


def test_length_does_not_matter() -> None:
    """Similarity is the cosine; a zero vector is similar to nothing."""
    assert maximal_marginal_relevance([[2, 0]], [[0, 0], [0.1, 0.05], [90, 90]], 2, 1) == [1, 2]


@pytest.mark.parametrize("rows", [[], np.zeros((0, 3))])
def test_nothing_to_choose_from(rows: Any) -> None:
    """Nothing is chosen."""
    assert maximal_marginal_relevance([1, 2, 3], rows, 5) == []
    assert maximal_marginal_relevance([1, 2], [[1, 2]], 0) == []


@pytest.mark.parametrize(
    "arguments",
    [([1, 2], [[1, 2, 3]], 1), ([1, 2], [1, 2], 1), ([[1, 2], [3, 4]], [[1, 2]], 1), ([1, 2], [[1, 2]], 1, 1.1)],
)
def test_what_is_refused(arguments: tuple[Any, ...]) -> None:
    """Other dimensions, other shapes, a share above 1."""
    with pytest.raises(InvalidArgumentError):
        maximal_marginal_relevance(*arguments)
