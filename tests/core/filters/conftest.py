"""The meaning of filters once more: naive, recursive, written from the docstring of `filters/ast.py` alone."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import re2

from chroma_plugin.filters import And, Compare, Contains, Exists, Expr, In, Not, Op, Or, Path
from chroma_plugin.types import Records

ABSENT = ("absent",)
Judge = Callable[[Any, Records], list[int]]


def lookup(path: Path, records: Records, row: int) -> Any:
    assert records.documents is not None
    assert records.metadatas is not None
    if path.special == "#id":
        return records.ids[row]
    if path.special == "#document":
        return ABSENT if records.documents[row] is None else records.documents[row]
    value: Any = records.metadatas[row]
    for part in path.parts:
        value = value.get(part, ABSENT) if isinstance(value, dict) else ABSENT
    return value


def tagged(value: Any) -> tuple[str, Any]:
    """A value that Python's == compares as the filter language does: with its kind, numbers as exact fractions."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return ("number", Fraction(value))
    return (type(value).__name__, value)


def same(value: Any, operand: Any) -> bool:
    return tagged(value) == tagged(operand) or (operand is None and value is ABSENT)


def ordered(value: Any, op: str, operand: Any) -> bool:
    (kind, left), (other, right) = tagged(value), tagged(operand)
    if kind != other or kind not in ("number", "str"):
        return False
    if kind == "str":
        left, right = [ord(character) for character in left], [ord(character) for character in right]
    return bool({"$gt": left > right, "$gte": left >= right, "$lt": left < right, "$lte": left <= right}[op])


def contains(value: Any, operand: Any) -> bool:
    if isinstance(value, list):
        return any(same(element, operand) for element in value)
    if isinstance(value, str) and isinstance(operand, str):
        return value.find(operand) >= 0
    return False


def condition(value: Any, operator: str, operand: Any) -> bool:
    if operator in ("$ne", "$nin", "$not_contains", "$not_regex"):
        positive = {"$ne": "$eq", "$nin": "$in", "$not_contains": "$contains", "$not_regex": "$regex"}[operator]
        return not condition(value, positive, operand)
    if operator == "$eq":
        return same(value, operand)
    if operator == "$in":
        return any(same(value, each) for each in operand)
    if operator == "$exists":
        return operand is (value is not ABSENT)
    if operator == "$contains":
        return contains(value, operand)
    if operator == "$regex":
        return isinstance(value, str) and re2.search(operand, value) is not None
    return ordered(value, operator, operand)


def matches_expr(expr: Expr, records: Records, row: int) -> bool:
    if isinstance(expr, And):
        return all(matches_expr(operand, records, row) for operand in expr.operands)
    if isinstance(expr, Or):
        return any(matches_expr(operand, records, row) for operand in expr.operands)
    if isinstance(expr, Not):
        return not matches_expr(expr.operand, records, row)
    value = lookup(expr.path, records, row)
    if isinstance(expr, Compare):
        return condition(value, Op(expr.op).value, expr.value)
    if isinstance(expr, In):
        return condition(value, "$in", expr.values)
    if isinstance(expr, Exists):
        return condition(value, "$exists", True)
    if isinstance(expr, Contains):
        return condition(value, "$contains", expr.value)
    return condition(value, "$regex", expr.pattern)


def matches_dict(where: dict[str, Any], records: Records, row: int) -> bool:
    """``where`` and ``where_document`` dicts, read without any parser."""
    return all(matches_entry(key, value, records, row) for key, value in where.items())


def matches_entry(key: str, value: Any, records: Records, row: int) -> bool:
    if key == "$and":
        return all(matches_dict(each, records, row) for each in value)
    if key == "$or":
        return any(matches_dict(each, records, row) for each in value)
    if key == "$not":
        return not matches_dict(value, records, row)
    if key.startswith("$"):
        return condition(lookup(Path((), "#document"), records, row), key, value)
    path = Path((), key) if key in ("#document", "#id") else Path((key,))
    conditions = value if isinstance(value, dict) else {"$eq": value}
    return all(condition(lookup(path, records, row), name, operand) for name, operand in conditions.items())


@pytest.fixture(scope="session")
def judge() -> Judge:
    """The rows that match an Expr or a ``where`` dict, by the naive reading."""

    def rows(where: Any, records: Records) -> list[int]:
        matches = matches_dict if isinstance(where, dict) else matches_expr
        return [row for row in range(len(records)) if matches(where, records, row)]

    return rows
