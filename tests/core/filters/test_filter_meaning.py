"""What every operator means: a table of rules on one record, then a naive evaluator on random ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chroma_plugin.errors import InternalError, InvalidArgumentError
from chroma_plugin.filters import (
    And,
    Contains,
    Exists,
    Expr,
    In,
    Key,
    Not,
    Or,
    Path,
    batch_filter,
    compile_filter,
    keep,
    needed_fields,
    parse_where,
)
from chroma_plugin.testing import strategies
from chroma_plugin.types import Metadata, Records

Judge = Callable[[Any, Records], list[int]]
BIG = 2**53
# `judge` is a pure function, so one instance may serve every example.
RANDOM = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

METADATA: Metadata = {
    "int": 1,
    "float": 1.5,
    "whole": 2.0,
    "big": BIG + 1,
    "yes": True,
    "text": "it's 50% of A_b",
    "none": None,
    "list": [1, "a", True, None, ["deep"]],
    "empty": [],
    "dict": {"inner": {"leaf": 7}, "a.b": "dotted"},
    "a.b": "literal",
}
DOCUMENT = "The quick\nbrown 🔑 fox\x00."

RULES: list[tuple[dict[str, Any], bool]] = [
    # Equality keeps kinds apart, and compares numbers exactly.
    ({"int": 1}, True),
    ({"int": 1.0}, True),
    ({"int": 1.5}, False),
    ({"int": True}, False),
    ({"int": "1"}, False),
    ({"whole": 2}, True),
    ({"yes": True}, True),
    ({"yes": 1}, False),
    ({"yes": {"$ne": 1}}, True),
    ({"big": BIG + 1}, True),
    ({"big": BIG}, False),
    ({"big": float(BIG)}, False),
    ({"text": "it's 50% of A_b"}, True),
    ({"text": "IT'S 50% OF A_B"}, False),
    ({"list": "a"}, False),
    # None: there and None, or not there.
    ({"none": None}, True),
    ({"absent": None}, True),
    ({"int": None}, False),
    ({"int": {"$ne": None}}, True),
    ({"absent": {"$ne": None}}, False),
    ({"none": False}, False),
    ({"#document": None}, False),
    # A missing field is unequal to everything.
    ({"absent": 1}, False),
    ({"absent": {"$ne": 1}}, True),
    ({"int": {"$ne": 1}}, False),
    ({"int": {"$ne": 1.5}}, True),
    # Ordering: numbers with numbers, str with str, by code point.
    ({"int": {"$gt": 0.5}}, True),
    ({"int": {"$lte": -1.5}}, False),
    ({"int": {"$gte": 1}}, True),
    ({"int": {"$gt": 1}}, False),
    ({"int": {"$lt": 1.0000000000000002}}, True),
    ({"big": {"$gt": float(BIG)}}, True),
    ({"big": {"$lte": BIG}}, False),
    ({"int": {"$lt": "a"}}, False),
    ({"text": {"$gt": 0}}, False),
    ({"text": {"$gt": "Z"}}, True),
    ({"text": {"$lt": "it's 50% of a"}}, True),
    ({"yes": {"$gte": 0}}, False),
    ({"none": {"$lte": 0}}, False),
    ({"list": {"$gte": 0}}, False),
    ({"absent": {"$lt": 5}}, False),
    ({"$not": {"absent": {"$lt": 5}}}, True),
    # In.
    ({"int": {"$in": ["1", True, 1]}}, True),
    ({"int": {"$in": ["1", True]}}, False),
    ({"int": {"$nin": ["1", True]}}, True),
    ({"yes": {"$in": [1, 1.0]}}, False),
    ({"big": {"$in": [BIG, float(BIG)]}}, False),
    ({"absent": {"$in": [1, None]}}, True),
    ({"absent": {"$in": [1]}}, False),
    ({"absent": {"$nin": [1]}}, True),
    ({"list": {"$in": [1, "a"]}}, False),
    # Exists.
    ({"int": {"$exists": True}}, True),
    ({"none": {"$exists": True}}, True),
    ({"absent": {"$exists": True}}, False),
    ({"absent": {"$exists": False}}, True),
    ({"#document": {"$exists": True}}, True),
    # Contains: elements of lists and parts of str, nothing in it special.
    ({"list": {"$contains": 1}}, True),
    ({"list": {"$contains": 1.0}}, True),
    ({"list": {"$contains": "1"}}, False),
    ({"list": {"$contains": True}}, True),
    ({"list": {"$contains": None}}, True),
    ({"list": {"$contains": "deep"}}, False),
    ({"empty": {"$contains": None}}, False),
    ({"text": {"$contains": "0%"}}, True),
    ({"text": {"$contains": "5%0"}}, False),
    ({"text": {"$contains": "A_"}}, True),
    ({"text": {"$contains": "a_"}}, False),
    ({"text": {"$contains": ""}}, True),
    ({"text": {"$contains": 5}}, False),
    ({"int": {"$contains": 1}}, False),
    ({"dict": {"$contains": "inner"}}, False),
    ({"absent": {"$contains": "a"}}, False),
    ({"absent": {"$not_contains": "a"}}, True),
    # Regex: found anywhere in a str.
    ({"text": {"$regex": "[0-9]+%"}}, True),
    ({"text": {"$regex": "^50"}}, False),
    ({"text": {"$regex": "(?i)a_B$"}}, True),
    ({"int": {"$regex": "1"}}, False),
    ({"int": {"$not_regex": "1"}}, True),
    ({"list": {"$regex": "a"}}, False),
    # Fields: a dotted key is one key; the document; the id.
    ({"a.b": "literal"}, True),
    ({"dict.a": {"$exists": True}}, False),
    ({"#document": {"$contains": "quick\nbrown"}}, True),
    ({"#document": {"$contains": "QUICK"}}, False),
    ({"#document": {"$contains": "\x00."}}, True),
    ({"#document": {"$regex": "brown . fox"}}, True),
    ({"#id": "id-1"}, True),
    ({"#id": {"$in": ["x", "id-1"]}}, True),
    ({"#id": {"$gte": "id-"}}, True),
    ({"#id": {"$contains": "d-"}}, True),
    ({"#id": {"$regex": "^id-[0-9]$"}}, True),
    # Several keys, several operators, logic.
    ({"int": 1, "yes": True}, True),
    ({"int": 1, "yes": False}, False),
    ({"int": {"$gt": 0, "$lt": 2}}, True),
    ({"int": {"$gt": 0, "$lt": 1}}, False),
    ({"$and": [{"int": 1}]}, True),
    ({"$or": [{"int": 2}]}, False),
    ({"$or": [{"int": 2}, {"yes": True}]}, True),
    ({"$or": [{"int": 2}, {"int": 3}], "yes": True}, False),
    ({"$not": {"int": 1, "yes": False}}, True),
]


def matches(expr: Expr, metadata: Metadata | None = METADATA, document: str | None = DOCUMENT) -> bool:
    return compile_filter(expr)("id-1", metadata, document)


def parsed(where: object) -> Expr:
    expr = parse_where(where)
    assert expr is not None
    return expr


@pytest.mark.parametrize(("where", "expected"), RULES, ids=[str(where) for where, _ in RULES])
def test_rule(where: dict[str, Any], expected: bool) -> None:
    """Each rule of the filter language holds on one rich record."""
    assert matches(parsed(where)) is expected


@pytest.mark.parametrize("metadata", [None, {}])
def test_record_without_metadata_or_document_lacks_every_field(metadata: Metadata | None) -> None:
    """No metadata and no document means missing: only the negative operators and None match."""
    for field in (Key("a"), Key("a", "b"), Key.DOCUMENT):
        assert not matches(field.exists(), metadata, None)
        assert matches(field == None, metadata, None)  # noqa: E711
        assert matches(field != "x", metadata, None)
        assert matches(field.not_contains("x") & field.not_regex("x") & field.not_in(["x"]), metadata, None)
        assert not matches(field.contains("x") | field.regex("x") | field.is_in(["x"]), metadata, None)


def test_nested_path_walks_dicts_only() -> None:
    """Several parts walk into dicts; a list, a scalar or a missing part on the way means missing."""
    assert matches(Key("dict", "inner", "leaf") == 7)
    assert matches(Key("dict", "a.b") == "dotted")
    for parts in (("dict", "a", "b"), ("list", "0"), ("int", "real"), ("absent", "a"), ("none", "a")):
        assert not matches(Key(*parts).exists())


def test_empty_and_matches_everything_and_empty_or_nothing() -> None:
    """The neutral elements of logic are themselves."""
    assert matches(And(()))
    assert not matches(Or(()))


def test_needed_fields_name_the_columns_that_are_read() -> None:
    """Documents, metadatas, both, or none when only ids are compared."""
    assert needed_fields(Key.ID == "a") == frozenset()
    assert needed_fields(~(Key.DOCUMENT.contains("a") & (Key.ID == "a"))) == {"documents"}
    assert needed_fields((Key("a") == 1) | Key("a", "b").exists()) == {"metadatas"}
    assert needed_fields((Key("a") == 1) | Key.DOCUMENT.exists()) == {"documents", "metadatas"}


def test_keep_takes_batches_without_the_columns_it_does_not_read() -> None:
    """A filter on ids needs no columns; a filter on documents refuses a batch without them."""
    batch = Records(ids=["a", "b", "c"])
    assert keep(Key.ID.is_in(["c", "a"]), batch) == [0, 2]
    with pytest.raises(InternalError, match="reads documents"):
        keep(Key.DOCUMENT.exists(), batch)


def test_batch_filter_serves_many_batches() -> None:
    """One compiled filter gives the positions within each batch."""
    positions = batch_filter(Key("a") > 1)
    assert positions(Records(ids=["x", "y"], metadatas=[{"a": 1}, {"a": 2}])) == [1]
    assert positions(Records(ids=["z"], metadatas=[{"a": 3}])) == [0]
    assert positions(Records(ids=[], metadatas=[])) == []


def test_values_that_metadata_cannot_hold_are_reported() -> None:
    """A backend that hands out tuples or other foreign values is found out, not guessed at."""
    with pytest.raises(InvalidArgumentError, match="type tuple"):
        matches(Key("a") == 1, {"a": (1,)})


@RANDOM
@given(data=st.data())
def test_expressions_mean_what_the_naive_evaluator_says(data: st.DataObject, judge: Judge) -> None:
    """Compiled filters select the same records as a naive evaluator, also after a trip through parse_where."""
    records = data.draw(strategies.records(dimension=1))
    expr = data.draw(strategies.exprs_for(records))
    expected = judge(expr, records)
    assert keep(expr, records) == expected
    assert keep(parsed(expr), records) == expected


@RANDOM
@given(data=st.data())
def test_dicts_mean_what_the_naive_evaluator_says(data: st.DataObject, judge: Judge) -> None:
    """A parsed where and where_document select what a naive reading of both dicts selects."""
    records = data.draw(strategies.records(dimension=1))
    where = data.draw(strategies.wheres_for(records))
    where_document = data.draw(st.none() | strategies.where_documents_for(records))
    expr = parse_where(where, where_document=where_document)
    assert expr is not None
    both = set(judge(where, records)) & set(judge(where_document or {}, records))
    assert keep(expr, records) == sorted(both)


@RANDOM
@given(data=st.data())
def test_not_is_the_complement_and_de_morgan_holds(data: st.DataObject) -> None:
    """There is no third truth value: Not(e) selects just the others, and Not distributes over And and Or."""
    records = data.draw(strategies.records(dimension=1, min_size=1))
    one, other = data.draw(strategies.exprs_for(records)), data.draw(strategies.exprs_for(records))
    assert sorted(keep(one, records) + keep(~one, records)) == list(range(len(records)))
    assert keep(~(one & other), records) == keep(~one | ~other, records)
    assert keep(~(one | other), records) == keep(~one & ~other, records)


@RANDOM
@given(data=st.data())
def test_parsing_twice_changes_nothing(data: st.DataObject) -> None:
    """What parse_where returns it accepts again, and leaves as it is."""
    records = data.draw(strategies.records(dimension=1))
    once = parsed(data.draw(strategies.wheres_for(records)))
    assert parsed(once) == once


def test_nodes_made_by_hand_need_no_builder() -> None:
    """The nodes are plain data: made directly, they mean the same as their dict forms."""
    path = Path(("list",))
    assert parsed({"list": {"$not_contains": 5}}) == Not(Contains(path, 5))
    assert parsed({"list": {"$nin": [5]}}) == Not(In(path, (5,)))
    assert parsed({"list": {"$exists": False}}) == Not(Exists(path))
