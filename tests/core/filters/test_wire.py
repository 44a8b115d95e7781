"""Filters that travel: our JSON form says everything, Chroma's words say what they can, exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters import (
    DOCUMENT,
    ID,
    And,
    Compare,
    Contains,
    Exists,
    Expr,
    In,
    Key,
    Not,
    Op,
    Or,
    Path,
    Regex,
    keep,
    parse_where,
)
from chroma_plugin.filters.chroma import to_chroma
from chroma_plugin.filters.parse import MAX_DEPTH, MAX_NODES
from chroma_plugin.filters.wire import from_wire, to_wire
from chroma_plugin.testing import strategies

A, B = Path(("a",)), Path(("a", "b"))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_every_filter_comes_back_equal(data: st.DataObject) -> None:
    """What `to_wire` writes is JSON, and `from_wire` reads the same filter from it."""
    expr = parse_where(data.draw(strategies.exprs_for(data.draw(strategies.records(dimension=2)))))
    assert expr is not None

    # By repr, which tells 1 from 1.0 and from True.
    assert repr(from_wire(json.loads(json.dumps(to_wire(expr))))) == repr(expr)


@pytest.mark.parametrize(
    ("expr", "wire"),
    [
        (Compare(A, Op.GE, 1.5), {"path": ["a"], "op": "$gte", "value": 1.5}),
        (Compare(B, Op.EQ, None), {"path": ["a", "b"], "op": "$eq", "value": None}),
        (In(ID, ("x", "y")), {"path": "#id", "op": "$in", "value": ["x", "y"]}),
        (Not(Contains(DOCUMENT, "x")), {"not": {"path": "#document", "op": "$contains", "value": "x"}}),
        (Exists(A), {"path": ["a"], "op": "$exists", "value": True}),
        (Regex(A, "^x"), {"path": ["a"], "op": "$regex", "value": "^x"}),
        (And(()), {"and": []}),
        (Or((Exists(A), Exists(B))), {"or": [to_wire(Exists(A)), to_wire(Exists(B))]}),
    ],
)
def test_the_form_is_as_documented(expr: Expr, wire: dict[str, Any]) -> None:
    """The form of each node is fixed: other programs write it, too."""
    assert to_wire(expr) == wire
    assert from_wire(wire) == expr


@pytest.mark.parametrize(
    "wire",
    [
        None,
        [],
        {},
        "a",
        {"path": ["a"], "op": "$eq"},
        {"path": ["a"], "op": "$eq", "value": 1, "more": 2},
        {"path": ["a"], "op": "$equals", "value": 1},
        {"path": ["a"], "op": ["$eq"], "value": 1},
        {"path": ["a"], "op": "$and", "value": []},
        {"path": [], "op": "$eq", "value": 1},
        {"path": [1], "op": "$eq", "value": 1},
        {"path": "a", "op": "$eq", "value": 1},
        {"path": ["#other"], "op": "$eq", "value": 1},
        {"path": ["a"], "op": "$eq", "value": {"b": 1}},
        {"path": ["a"], "op": "$eq", "value": 2**64},
        {"path": ["a"], "op": "$in", "value": []},
        {"path": ["a"], "op": "$regex", "value": "("},
        {"path": "#id", "op": "$eq", "value": 1},
        {"and": {}},
        {"or": None},
        {"not": []},
        {"and": [], "or": []},
        {"xor": []},
    ],
)
def test_anything_else_is_refused(wire: object) -> None:
    """Bytes from a stranger end in a filter or in an InvalidArgumentError."""
    with pytest.raises(InvalidArgumentError):
        from_wire(wire)


def test_depth_and_size_are_bounded() -> None:
    """A filter that is too deep or too large is refused, however deep or large it is."""
    leaf = to_wire(Exists(A))
    deep: Any = leaf
    for _ in range(50_000):
        deep = {"not": deep}

    for wire in (deep, {"and": [leaf] * (MAX_NODES + 1)}, {"and": [{"and": [leaf] * 200}] * 200}):
        with pytest.raises(InvalidArgumentError, match="too large"):
            from_wire(wire)
    while isinstance(deep, dict) and "not" in deep:  # Python takes a deep dict apart recursively
        deep = deep.pop("not")


def test_the_deepest_filter_passes() -> None:
    """What `parse_where` lets through, comes through."""
    expr: Expr = Exists(A)
    for _ in range(MAX_DEPTH):
        expr = Not(expr)

    assert repr(from_wire(to_wire(expr))) == repr(expr)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_what_is_said_in_chromas_words_means_the_same(data: st.DataObject) -> None:
    """A filter that `to_chroma` has words for matches the same records as those words do, read back by us."""
    records = data.draw(strategies.records(dimension=2))
    expr = data.draw(strategies.exprs_for(records))
    said = to_chroma(expr)
    if said is None:
        return

    where, where_document = said
    again = parse_where(where, where_document=where_document)

    assert ([*range(len(records))] if again is None else keep(again, records)) == keep(expr, records)


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        (Key("a") == 1, ({"a": {"$eq": 1}}, None)),
        (Key("a") == 2.0, ({"a": {"$eq": 2}}, None)),
        (~(Key("a") == "x"), ({"a": {"$ne": "x"}}, None)),
        (Key("a").not_in([True, False]), ({"a": {"$nin": [True, False]}}, None)),
        ((Key("a") > 1) & (Key("b") <= 2), ({"$and": [{"a": {"$gt": 1}}, {"b": {"$lte": 2}}]}, None)),
        (~((Key("a") == 1) & (Key("b") == 2)), ({"$or": [{"a": {"$ne": 1}}, {"b": {"$ne": 2}}]}, None)),
        (Key.DOCUMENT.contains("x"), (None, {"$contains": "x"})),
        ((Key("a") == 1) & Key.DOCUMENT.not_contains("x"), ({"a": {"$eq": 1}}, {"$not_contains": "x"})),
        (
            (Key("a") == 1) | Key.DOCUMENT.contains("x"),
            ({"$or": [{"a": {"$eq": 1}}, {"#document": {"$contains": "x"}}]}, None),
        ),
        (And(()), (None, None)),
    ],
)
def test_what_chroma_can_be_asked(expr: Expr, said: tuple[Any, Any]) -> None:
    """These filters a Chroma server evaluates itself."""
    assert to_chroma(expr) == said


@pytest.mark.parametrize(
    "expr",
    [
        Key("a") == 1.5,
        Key("a") > 1.5,
        Key("a") == 2**53 + 1,
        Key("a") == None,  # noqa: E711
        Key("a") > "text",
        ~(Key("a") > 1),
        Key("a", "b") == 1,
        Key("a").exists(),
        Key("a").contains("x"),
        Key("a").regex("x"),
        Key("a").is_in([1, "x"]),
        Key("a").is_in([1, True]),
        Key("chroma:document") == "x",
        Key.ID == "x",
        Key.DOCUMENT == "x",
        Key.DOCUMENT.regex("x"),
        Or(()),
        (Key("a") == 1) | (Key("a") == 1.5),
        (Key("a") == 1) & (Key("a") > 1.5),
        Or(tuple(Key("a") == number for number in range(2_000))),
        Key("a").is_in(list(range(50_000))),
    ],
)
def test_what_chroma_has_no_exact_words_for(expr: Expr) -> None:
    """These it does not have, or they mean something else there, or kill it."""
    assert to_chroma(expr) is None
