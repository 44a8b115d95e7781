"""Several rankings become one."""

from __future__ import annotations

from typing import Any

import pytest

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.ranking import reciprocal_rank_fusion, relative_score_fusion


def test_reciprocal_ranks() -> None:
    """Each place gives 1 / (60 + rank); what stands in both rankings comes first."""
    fused = reciprocal_rank_fusion([["a", "b", "c"], ["c", "d"]])

    assert [item for item, _ in fused] == ["c", "a", "b", "d"]
    assert dict(fused) == pytest.approx({"c": 1 / 63 + 1 / 61, "a": 1 / 61, "b": 1 / 62, "d": 1 / 62})


def test_reciprocal_ranks_with_weights_and_k() -> None:
    """Weights multiply, and k changes how fast places lose; items may be anything hashable."""
    fused = reciprocal_rank_fusion([[1, 2], [2, 1]], weights=[0.25, 0.75], k=0)

    assert fused == [(2, 0.25 / 2 + 0.75), (1, 0.25 + 0.75 / 2)]


def test_an_item_that_stands_twice() -> None:
    """It counts at its best place, and takes up no other."""
    assert reciprocal_rank_fusion([["a", "a", "b"]]) == [("a", 1 / 61), ("b", 1 / 62)]


def test_relative_scores() -> None:
    """The best of each is 1 and the worst 0, whatever the scales."""
    fused = relative_score_fusion([{"a": -1.0, "b": -2.0, "c": -5.0}, {"c": 30.0, "d": 10.0}], weights=[0.4, 0.6])

    assert fused == [("c", pytest.approx(0.6)), ("a", pytest.approx(0.4)), ("b", pytest.approx(0.3)), ("d", 0.0)]


def test_relative_scores_that_are_all_equal() -> None:
    """They are all the best."""
    assert relative_score_fusion([{"a": 2.0, "b": 2.0}, {"b": 0.0}]) == [("b", 2.0), ("a", 1.0)]


@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, relative_score_fusion])
def test_nothing_to_fuse(fuse: Any) -> None:
    """No rankings, or empty ones, give nothing."""
    assert fuse([]) == fuse([{}, {}]) == []


@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, relative_score_fusion])
def test_ties_keep_the_order_of_the_rankings(fuse: Any) -> None:
    """What stands first, in the first ranking, comes first."""
    assert [item for item, _ in fuse([{"z": 1.0}, {"a": 1.0}, {"m": 1.0}])] == ["z", "a", "m"]


@pytest.mark.parametrize("weights", [[1], [1, -1], [1, float("nan")], []])
@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, relative_score_fusion])
def test_wrong_weights(fuse: Any, weights: list[float]) -> None:
    """One number of at least 0 for each ranking."""
    with pytest.raises(InvalidArgumentError, match="weights must be 2 numbers"):
        fuse([{"a": 1}, {"b": 1}], weights=weights)


def test_a_wrong_k() -> None:
    """It would divide by zero."""
    with pytest.raises(InvalidArgumentError, match="k must be"):
        reciprocal_rank_fusion([["a"]], k=-1)
