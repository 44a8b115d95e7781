"""Key: Python expressions and where dicts are two ways to write one filter."""

from __future__ import annotations

import pytest

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters import DOCUMENT, ID, And, Compare, Expr, K, Key, Not, Op, Or, Path, parse_where

A, B, C = Key("a") == 1, Key("b") == 2, Key("c") == 3


@pytest.mark.parametrize(
    ("expr", "where"),
    [
        (Key("a") == 1, {"a": 1}),
        (Key("a") == None, {"a": None}),  # noqa: E711
        (Key("a") != "x", {"a": {"$ne": "x"}}),
        (Key("a") > 1, {"a": {"$gt": 1}}),
        (1 < Key("a"), {"a": {"$gt": 1}}),  # noqa: SIM300
        (Key("a") >= 1, {"a": {"$gte": 1}}),
        (Key("a") < 1, {"a": {"$lt": 1}}),
        (Key("a") <= 1, {"a": {"$lte": 1}}),
        (Key("a").is_in([1, "x"]), {"a": {"$in": [1, "x"]}}),
        (Key("a").not_in([1]), {"a": {"$nin": [1]}}),
        (Key("a").contains("x"), {"a": {"$contains": "x"}}),
        (Key("a").not_contains("x"), {"a": {"$not_contains": "x"}}),
        (Key("a").regex("x+"), {"a": {"$regex": "x+"}}),
        (Key("a").not_regex("x+"), {"a": {"$not_regex": "x+"}}),
        (Key("a").exists(), {"a": {"$exists": True}}),
        (Key("a.b") == 1, {"a.b": 1}),
        (Key.DOCUMENT.contains("x"), {"#document": {"$contains": "x"}}),
        (Key.ID.is_in(["x"]), {"#id": {"$in": ["x"]}}),
        (K("#document") == "x", {"#document": "x"}),
        (A & B, {"a": 1, "b": 2}),
        (A | B, {"$or": [{"a": 1}, {"b": 2}]}),
        (~A, {"$not": {"a": 1}}),
    ],
    ids=str,
)
def test_expression_equals_its_dict(expr: Expr, where: dict[str, object]) -> None:
    """Each operator builds the node that its dict form parses to."""
    assert expr == parse_where(where) == parse_where(expr)


def test_paths() -> None:
    """One part is a literal key, several walk into dicts, and the special fields have their own paths."""
    assert Key("a.b").path == Path(("a.b",))
    assert Key("a", "b").path == Path(("a", "b"))
    assert (Key("a", "b") == 1) == Compare(Path(("a", "b")), Op.EQ, 1)
    assert Key.DOCUMENT.path is DOCUMENT
    assert Key.ID.path is ID
    assert repr([Key("a", "b"), Key.ID]) == "[Key('a', 'b'), Key('#id')]"


def test_chains_stay_flat() -> None:
    """A long chain of & or | makes one wide node, so it does not run into the limit on depth."""
    assert And((A, B, C)) == A & B & C == A & (B & C)
    assert Or((A, B, C)) == A | B | C == A | (B | C)
    assert And((Or((A, B)), Not(C))) == (A | B) & ~C
    chain: Expr = A
    for _ in range(500):
        chain = chain | B
    assert parse_where(chain) == chain


@pytest.mark.parametrize(
    "parts", [(), ("",), ("a", ""), (1,), ("#score",), ("#document", "x"), ("$eq",), ("\ud800",)], ids=repr
)
def test_refused_keys(parts: tuple[str, ...]) -> None:
    """What can't be a metadata key is no Key either."""
    with pytest.raises(InvalidArgumentError):
        Key(*parts)


def test_operands_are_checked_as_in_dicts() -> None:
    """A wrong operand is refused where it is written."""
    with pytest.raises(InvalidArgumentError, match=r"\$gt on 'a': only numbers and str are ordered"):
        _ = Key("a") > True
    with pytest.raises(InvalidArgumentError, match=r"\$in on 'a': the list of values is empty"):
        Key("a").is_in([])
    with pytest.raises(InvalidArgumentError, match=r"\$regex on 'a\.b'"):
        Key("a", "b").regex(5)  # type: ignore[arg-type]


def test_filter_has_no_truth_value() -> None:
    """`and`, `or`, `not` and chained comparisons, which would silently drop a part, are refused."""
    with pytest.raises(InvalidArgumentError, match=r"&, \| and ~"):
        _ = A and B
    with pytest.raises(InvalidArgumentError, match=r"&, \| and ~"):
        _ = not A
    with pytest.raises(InvalidArgumentError, match=r"&, \| and ~"):
        _ = 1 < Key("a") < 3


def test_only_filters_combine() -> None:
    """A dict on one side of & is refused, not lost."""
    with pytest.raises(InvalidArgumentError, match="got dict"):
        A & {"b": 2}  # type: ignore[operator]
    with pytest.raises(InvalidArgumentError, match="got bool"):
        A | True  # type: ignore[operator]


def test_key_is_not_hashable() -> None:
    """A Key can't land in a set, where == would make a filter instead of comparing."""
    with pytest.raises(TypeError):
        hash(Key("a"))
