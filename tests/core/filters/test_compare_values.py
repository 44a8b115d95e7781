"""Kinds, equality and order of single values, as engines import them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters import MISSING, Kind, comparable, equal, kind_of, less
from chroma_plugin.testing import strategies

BIG = 2**53


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (MISSING, Kind.MISSING),
        (None, Kind.NONE),
        (True, Kind.BOOL),
        (1, Kind.NUMBER),
        (1.0, Kind.NUMBER),
        ("1", Kind.STR),
        ([1], Kind.LIST),
        ({"a": 1}, Kind.DICT),
    ],
)
def test_kinds(value: object, kind: Kind) -> None:
    """Every value has one kind; bool is not a number, int and float are one."""
    assert kind_of(value) is kind


@pytest.mark.parametrize("value", [(1,), {1}, b"x", object], ids=repr)
def test_foreign_values_have_no_kind(value: object) -> None:
    """What metadata can't hold is refused."""
    with pytest.raises(InvalidArgumentError, match="can't be compared"):
        kind_of(value)


@pytest.mark.parametrize(
    ("value", "operand", "expected"),
    [
        (1, 1.0, True),
        (0.0, -0.0, True),
        (True, 1, False),
        ("1", 1, False),
        (None, None, True),
        (MISSING, None, False),
        (False, None, False),
        (BIG + 1, float(BIG), False),
        (BIG, float(BIG), True),
        ([1], [1], False),
        ({}, {}, False),
    ],
)
def test_equal(value: object, operand: object, expected: bool) -> None:
    """Values are equal within one kind, numbers exactly; lists and dicts equal nothing."""
    assert equal(value, operand) is expected


@pytest.mark.parametrize(
    ("value", "operand", "expected"),
    [
        (1, 1.5, True),
        (float(BIG), BIG + 1, True),
        (BIG + 1, float(BIG), False),
        ("Z", "a", True),
        ("\uffff", "🔑", True),
        ("1", 2, False),
        (False, 1, False),
        (False, True, False),
        (None, 1, False),
        (MISSING, 1, False),
        ([1], [2], False),
    ],
)
def test_less(value: object, operand: object, expected: bool) -> None:
    """Numbers and str have an order, exact and by code point; nothing else has one."""
    assert less(value, operand) is expected


@settings(max_examples=200, deadline=None)
@given(one=strategies.scalars(), other=strategies.scalars())
def test_comparable_values_are_less_equal_or_greater(one: Any, other: Any) -> None:
    """For comparable values just one of <, == and > holds; for all others neither < nor > does."""
    outcomes = [less(one, other), less(other, one)]
    if comparable(one, other):
        assert sum(outcomes) + equal(one, other) == 1
    else:
        assert outcomes == [False, False]
