"""Metadata columns answer every filter as the reference meaning does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_plugin.filters.ast import Compare, Contains, Exists, In, Leaf, Op, Path, Regex
from chroma_plugin.filters.compare import MISSING
from chroma_plugin.filters.python import compile_filter
from chroma_plugin.toolkit.columns import Column

KEY = Path(("k",))

EDGES = [0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 2**62 + 1]
numbers = st.sampled_from(EDGES) | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False)
near_edges = st.sampled_from([*EDGES, *(float(edge) for edge in EDGES), 1.5, -0.0, 1e300, -1e300, 2.0**63])
scalars = st.none() | st.booleans() | numbers | near_edges | st.sampled_from(["", "a", "ab", "b", "1", "é", "\x00"])
values = scalars | st.lists(scalars, max_size=3) | st.just(MISSING) | st.just({"a": 1})
ordered = st.builds(
    Compare,
    st.just(KEY),
    st.sampled_from([Op.GT, Op.GE, Op.LT, Op.LE]),
    numbers | near_edges | st.sampled_from(["", "a", "b"]),
)
leaves = st.one_of(
    st.builds(Compare, st.just(KEY), st.sampled_from([Op.EQ, Op.NE]), scalars),
    ordered,
    st.builds(In, st.just(KEY), st.lists(scalars, min_size=1, max_size=4).map(tuple)),
    st.just(Exists(KEY)),
    st.builds(Contains, st.just(KEY), scalars),
    st.builds(Regex, st.just(KEY), st.sampled_from(["a", "^b$", "", "[0-9]"])),
)


def judged(leaf: Leaf, held: list[Any]) -> list[bool]:
    matches = compile_filter(leaf)
    return [matches("id", {} if value is MISSING else {"k": value}, None) for value in held]


@settings(deadline=None, max_examples=400)
@given(st.lists(values, max_size=12), leaves)
def test_a_column_agrees_with_the_reference(held: list[Any], leaf: Leaf) -> None:
    """Whatever the values and their kinds, a mask says what the reference says of each row."""
    column = Column()
    column.extend(held)

    assert column.mask(leaf, len(held)).tolist() == judged(leaf, held)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(values, max_size=5), max_size=5), leaves, st.integers(0, 25))
def test_a_column_may_grow_between_filters(pieces: list[list[Any]], leaf: Leaf, rows: int) -> None:
    """Values appended later do not change the answer for the rows that were there."""
    column = Column()
    held: list[Any] = []
    for piece in pieces:
        column.extend(piece)
        held += piece
    rows = min(rows, len(held))

    assert column.mask(leaf, rows).tolist() == judged(leaf, held[:rows])


@pytest.mark.parametrize("value", [2**53, 2**53 + 1])
def test_neighbours_of_the_largest_exact_float_are_told_apart(value: int) -> None:
    """2**53 and 2**53 + 1 are one float64 but two values."""
    column = Column()
    column.extend([2**53, 2**53 + 1])

    assert column.mask(Compare(KEY, Op.EQ, value), 2).tolist() == [value == 2**53, value == 2**53 + 1]
