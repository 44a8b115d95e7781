"""parse_where: which forms it reads, what it makes of them, and what it refuses, with which words."""

from __future__ import annotations

import datetime
import enum
import math
from typing import Any

import numpy as np
import pytest

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters import (
    DOCUMENT,
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
    leaves,
    parse_where,
)
from chroma_plugin.filters.operands import MAX_VALUES
from chroma_plugin.filters.parse import MAX_DEPTH, MAX_NODES, MAX_REGEXES

A = Path(("a",))
A_IS_1 = Compare(A, Op.EQ, 1)
B_IS_2 = Compare(Path(("b",)), Op.EQ, 2)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize("where", [None, {}])
@pytest.mark.parametrize("where_document", [None, {}])
def test_empty_filter_is_no_filter(where: Any, where_document: Any) -> None:
    """None and {} both mean: everything."""
    assert parse_where(where, where_document=where_document) is None


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"a": 1}, A_IS_1),
        ({"a": {"$eq": 1}}, A_IS_1),
        ({"a": {"$ne": 1}}, Compare(A, Op.NE, 1)),
        ({"a": {"$gte": "x"}}, Compare(A, Op.GE, "x")),
        ({"a": {"$in": (1, "1", True)}}, In(A, (1, "1", True))),
        ({"a": {"$nin": [1]}}, Not(In(A, (1,)))),
        ({"a": {"$not_contains": 1}}, Not(Contains(A, 1))),
        ({"a": {"$not_regex": "x"}}, Not(Regex(A, "x"))),
        ({"a": {"$exists": False}}, Not(Exists(A))),
        ({"a.b": 1}, Compare(Path(("a.b",)), Op.EQ, 1)),
        ({"#document": {"$contains": "x"}}, Contains(DOCUMENT, "x")),
        ({"a": 1, "b": 2}, And((A_IS_1, B_IS_2))),
        ({"a": {"$gt": 1, "$lt": 2}}, And((Compare(A, Op.GT, 1), Compare(A, Op.LT, 2)))),
        ({"$or": ({"a": 1}, {"b": 2})}, Or((A_IS_1, B_IS_2))),
        ({"$and": [{"a": 1}]}, A_IS_1),
        ({"$or": [{"a": 1}]}, A_IS_1),
        ({"$not": {"a": 1, "b": 2}}, Not(And((A_IS_1, B_IS_2)))),
        ({"$and": [Key("a") == 1, {"b": 2}]}, And((A_IS_1, B_IS_2))),
        (Or((A_IS_1, Not(B_IS_2))), Or((A_IS_1, Not(B_IS_2)))),
        (And(()), And(())),
    ],
    ids=str,
)
def test_forms(where: object, expected: Expr) -> None:
    """Every way of writing a filter becomes the node that it stands for."""
    assert parse_where(where) == expected


@pytest.mark.parametrize(
    ("where_document", "expected"),
    [
        ({"$contains": "x"}, Contains(DOCUMENT, "x")),
        ({"$not_contains": "x"}, Not(Contains(DOCUMENT, "x"))),
        ({"$regex": "x+"}, Regex(DOCUMENT, "x+")),
        ({"$contains": "x", "$regex": "x+"}, And((Contains(DOCUMENT, "x"), Regex(DOCUMENT, "x+")))),
        (
            {"$or": [{"$contains": "x"}, {"$not": {"$regex": "y"}}]},
            Or((Contains(DOCUMENT, "x"), Not(Regex(DOCUMENT, "y")))),
        ),
        (Key.DOCUMENT.contains("x"), Contains(DOCUMENT, "x")),
    ],
    ids=str,
)
def test_document_forms(where_document: object, expected: Expr) -> None:
    """where_document speaks of the document only, and joins where with And."""
    assert parse_where(None, where_document=where_document) == expected
    assert parse_where({"a": 1}, where_document=where_document) == And((A_IS_1, expected))


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (np.int64(1), 1),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (-(2**63), -(2**63)),
        (2**63 - 1, 2**63 - 1),
    ],
    ids=repr,
)
def test_operands_become_plain_python(given: object, plain: object) -> None:
    """Scalars of numpy and subclasses of str and int are stored as exactly str, int, float or bool."""
    for where in ({"a": given}, {"a": {"$in": [given]}}, Compare(A, Op.EQ, given)):  # type: ignore[arg-type]
        expr = parse_where(where)
        assert expr is not None
        (leaf,) = leaves(expr)
        value = leaf.values[0] if isinstance(leaf, In) else leaf.value if isinstance(leaf, Compare) else None
        assert value == plain
        assert type(value) is type(plain)


@pytest.mark.parametrize("values", [[1, 2], (1, 2), {1, 2}, frozenset((1, 2)), np.array([1, 2])], ids=repr)
def test_in_takes_any_finite_collection(values: object) -> None:
    """Lists, tuples, sets and one-dimensional arrays hold the values of $in."""
    expr = parse_where({"a": {"$in": values}})
    assert isinstance(expr, In)
    assert sorted(expr.values, key=str) == [1, 2]
    assert {type(value) for value in expr.values} == {int}


REFUSED: list[tuple[object, str]] = [
    # The shape of the whole.
    ("a = 1", "where must be a dict"),
    ([{"a": 1}], "where must be a dict"),
    ({1: 2}, "key must be a non-empty str, got 1"),
    ({"": 2}, "key must be a non-empty str, got ''"),
    ({"\ud800": 1}, "lone surrogate"),
    ({"#documents": "x"}, "no field '#documents'. Did you mean '#document'?"),
    ({"$eq": 1}, "$eq stands inside of a field"),
    ({"$nand": [{"a": 1}]}, "no operator '$nand'. Did you mean '$and'?"),
    ({"a": {}}, "'a' has no operator"),
    ({"a": {"b": 1}}, "'a' must have an operator such as $eq, got 'b'"),
    ({"a": {1: 1}}, "'a' must have an operator such as $eq, got 1"),
    ({"a": {"$gte": 1, "b": 1}}, "got 'b'"),
    ({"a": {"$gtee": 1}}, "$gtee on 'a': there is no such operator. Did you mean '$gte'?"),
    ({"a": {"$size": 1}}, "The operators are $contains $eq"),
    ({"a": {"$not": {"$eq": 1}}}, "Write {'$not': ...} around the field"),
    # Logic.
    ({"$and": []}, "$and needs a list of one or more filters, got []"),
    ({"$or": {"a": 1}}, "$or needs a list of one or more filters"),
    ({"$or": [{"a": 1}, {}]}, "$or has an empty operand ({})"),
    ({"$and": [None]}, "$and has an empty operand (None)"),
    ({"$not": {}}, "$not has an empty operand"),
    ({"$not": [{"a": 1}]}, "where must be a dict"),
    ({"$and": ["a"]}, "where must be a dict"),
    # Operands.
    ({"a": math.nan}, "$eq on 'a': numbers must be finite, got nan"),
    ({"a": {"$gt": -math.inf}}, "$gt on 'a': numbers must be finite, got -inf"),
    ({"a": {"$ne": 2**63}}, "$ne on 'a': integers are of 64 bit, got one of 64 bit"),
    ({"a": 10**5000}, "integers are of 64 bit, got one of 16610 bit"),
    ({"a": [10**5000]}, "got [<an int of 16610 bits>]"),
    (
        {"a": datetime.date(2024, 1, 1)},
        "$eq on 'a': expected a str, int, float, bool or None, got datetime.date(2024, 1, 1)",
    ),
    ({"a": np.datetime64("2024-01-01")}, "expected a str, int, float, bool or None, got np.datetime64"),
    ({"a": b"x"}, "got b'x' (bytes)"),
    ({"a": [1, 2]}, "use $in; for an element of a list, $contains"),
    ({"a": {"$eq": {"b": 1}}}, 'Key("outer", "inner")'),
    ({"a": {"$contains": [1]}}, "$contains on 'a'"),
    ({"a": Key("b")}, "got Key('b') (Key)"),
    ({"a": "x\udfff"}, "$eq on 'a': 'x\\udfff' holds a lone surrogate"),
    ({"a": {"$gt": None}}, "$gt on 'a': only numbers and str are ordered, got None"),
    ({"a": {"$lte": True}}, "$lte on 'a': only numbers and str are ordered, got True"),
    ({"a": {"$in": []}}, "$in on 'a': the list of values is empty"),
    ({"a": {"$in": "abc"}}, "$in on 'a': expected a list of values, got 'abc'"),
    ({"a": {"$nin": np.array([[1]])}}, "$nin on 'a': expected a list of values"),
    ({"a": {"$nin": [1, math.nan]}}, "$nin on 'a': numbers must be finite"),
    ({"a": {"$nin": iter([1])}}, "$nin on 'a': expected a list of values"),
    ({"a": {"$exists": 1}}, "$exists on 'a': expected True or False, got 1"),
    ({"a": {"$regex": 1}}, "$regex on 'a': expected a str, got 1"),
    ({"a": {"$regex": "("}}, "missing )"),
    ({"a": {"$not_regex": "(?=x)"}}, "no look-around"),
    ({"#id": 5}, "$eq on '#id': ids are compared with a str, got 5"),
    ({"#id": {"$in": ["a", None]}}, "$in on '#id': ids are compared with a str, got None"),
    ({"#id": {"$exists": True}}, "every record has an id"),
    ({"#document": 5}, "documents are compared with a str"),
    ({"#document": {"$contains": ""}}, "$contains on '#document': expected a non-empty str"),
    # Nodes made by hand.
    (Compare("a", Op.EQ, 1), "must be a Path, got 'a'"),  # type: ignore[arg-type]
    (Compare(A, "$eq", 1), "must be an Op, got '$eq'"),  # type: ignore[arg-type]
    (Compare(Path(()), Op.EQ, 1), "A field needs a key"),
    (Compare(Path(("#score",)), Op.EQ, 1), "no field '#score'"),
    (Compare(A, Op.GT, None), "only numbers and str are ordered"),
    (In(A, ()), "the list of values is empty"),
    (Not(Regex(A, "(")), "missing )"),
    (And((A_IS_1, "b")), "where must be a dict"),  # type: ignore[arg-type]
    (Or([A_IS_1]), "Or needs a tuple of filters"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("where", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_refused(where: object, words: str) -> None:
    """What is wrong is refused with one error type, in words that name the operator, the key and the remedy."""
    with pytest.raises(InvalidArgumentError) as caught:
        parse_where(where)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("where_document", "words"),
    [
        ("text", 'where_document must be a dict such as {"$contains": "text"}, got \'text\''),
        ({"$contain": "x"}, "no operator '$contain'. Did you mean '$contains'?"),
        ({"$eq": "x"}, 'possible in where={"#document": {...}}'),
        ({"a": "x"}, "metadata belongs into where"),
        ({"$contains": ""}, "expected a non-empty str"),
        ({"$contains": 5}, "documents are compared with a str"),
        ({"$contains": ["a"]}, "$contains on '#document'"),
        ({"$regex": "("}, "missing )"),
        ({"$and": [{"a": 1}]}, "where_document: there is no operator 'a'"),
        ({"$not": {}}, "$not has an empty operand"),
    ],
    ids=str,
)
def test_refused_in_where_document(where_document: object, words: str) -> None:
    """where_document refuses what is not about the text of documents, and says where it belongs."""
    with pytest.raises(InvalidArgumentError) as caught:
        parse_where({"a": 1}, where_document=where_document)
    assert words in str(caught.value)


def nested(levels: int, operator: str) -> dict[str, Any]:
    where: dict[str, Any] = {"a": 1}
    for _ in range(levels):
        where = {"$not": where} if operator == "$not" else {operator: [where, {"a": 2}]}
    return where


@pytest.mark.parametrize("operator", ["$and", "$or", "$not"])
def test_depth_is_bounded_and_never_recursed_into(operator: str) -> None:
    """The deepest filter allowed parses; one level more, or 5,000, is a clear error."""
    assert parse_where(nested(MAX_DEPTH, operator)) is not None
    for levels in (MAX_DEPTH + 1, 5_000):
        with pytest.raises(InvalidArgumentError, match=f"at most {MAX_DEPTH} levels"):
            parse_where(nested(levels, operator))


def test_filter_that_contains_itself_is_refused() -> None:
    """A cycle in the dict ends at the limit on depth."""
    where: dict[str, Any] = {"a": 1}
    where["$or"] = [where, where]
    with pytest.raises(InvalidArgumentError, match="too large"):
        parse_where(where)


def test_deep_expression_is_refused() -> None:
    """Nodes made by hand are bounded as dicts are, even when few objects stand for many parts."""
    deep: Expr = A_IS_1
    for _ in range(5_000):
        deep = Not(deep)
    with pytest.raises(InvalidArgumentError, match="levels"):
        parse_where(deep)
    wide: Expr = A_IS_1
    for _ in range(40):
        wide = And((wide, wide))
    with pytest.raises(InvalidArgumentError, match="parts"):
        parse_where(wide)


def test_number_of_parts_is_bounded() -> None:
    """A filter of many parts passes up to the limit, counted over the whole filter."""
    assert parse_where({"$or": [{"a": i} for i in range(MAX_NODES - 1)]}) is not None
    for where in ({"$or": [{"a": 1}] * MAX_NODES}, {str(i): 1 for i in range(MAX_NODES)}, {"$and": [0] * 10**6}):
        with pytest.raises(InvalidArgumentError, match=f"at most {MAX_NODES:,} parts"):
            parse_where(where)


def test_number_of_values_is_bounded() -> None:
    """$in holds as many values as a large collection has ids; all lists of a filter count together."""
    half = list(range(MAX_VALUES // 2 + 1))
    assert parse_where({"a": {"$in": half}}) is not None
    for where in ({"a": {"$in": half}, "b": {"$nin": half}}, {"a": {"$in": half * 2}}):
        with pytest.raises(InvalidArgumentError, match=f"at most {MAX_VALUES:,} values"):
            parse_where(where)


def test_number_of_regular_expressions_is_bounded() -> None:
    """Compiled patterns take memory, so their number has its own limit."""
    assert parse_where({"$or": [{"a": {"$regex": "x"}}] * MAX_REGEXES}) is not None
    with pytest.raises(InvalidArgumentError, match=f"at most {MAX_REGEXES} regular expressions"):
        parse_where({"$or": [{"a": {"$not_regex": "x"}}] * (MAX_REGEXES + 1)})


def test_parsing_leaves_the_dict_alone() -> None:
    """The caller's objects are read, not changed, and not kept."""
    values = [1, 2]
    where = {"$and": [{"a": {"$in": values}}, {"b": 1}]}
    expr = parse_where(where)
    values.append(3)
    assert where == {"$and": [{"a": {"$in": [1, 2, 3]}}, {"b": 1}]}
    assert expr == parse_where({"$and": [{"a": {"$in": [1, 2]}}, {"b": 1}]})
