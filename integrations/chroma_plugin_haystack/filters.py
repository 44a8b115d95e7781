"""Haystack's filters, ``{"field": "meta.year", "operator": ">", "value": 1900}``, as expressions of the collection.

Reading a filter checks all of it and gives a tree. A leaf that no expression says exactly becomes, when the filter is
used, the ids of the records that pass it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from haystack.errors import FilterError

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters import DOCUMENT, ID, And, Expr, In, Not, Or, parse_where
from chroma_plugin_haystack.conditions import EVERYTHING, NOTHING, ORDERINGS, Condition, Look, equal, one_of, ordered
from chroma_plugin_haystack.fields import field_of
from chroma_plugin_haystack.steps import Call, Steps

MAX_DEPTH: Final = 30
"""AND, OR and NOT inside one another."""
_OPERATORS: Final = ("==", "!=", *ORDERINGS, "in", "not in")


@dataclass(frozen=True, slots=True)
class Group:
    kind: type[And] | type[Or] | type[Not]
    parts: tuple[Tree, ...]
    """One for Not."""


Tree: TypeAlias = "Expr | Look | Group"


def where_of(filters: Mapping[str, Any] | None, *, strict: bool = False) -> Steps[Expr | None]:
    """The expression for the filter, None when there is none. Raises FilterError for a malformed one."""
    if not filters and (filters is None or isinstance(filters, Mapping)):
        return None
    where = yield from _resolved(read(filters, strict=strict))
    try:
        return parse_where(where)
    except InvalidArgumentError as error:
        raise FilterError(str(error)) from error


def required(filters: Mapping[str, Any] | None, instead: str) -> None:
    """Raises FilterError when there is no filter."""
    if not filters:
        raise FilterError(f"A filter is needed: without one it would be every document. If that is meant: {instead}.")


def read(filters: Any, *, strict: bool, depth: int = 0) -> Tree:
    """The filter, checked."""
    if not isinstance(filters, Mapping):
        raise FilterError(f"A filter is a dict, not {filters!r:.100}.")
    if depth > MAX_DEPTH:
        raise FilterError(f"The filter is nested deeper than {MAX_DEPTH} levels.")
    return _comparison(filters, strict) if "field" in filters else _logic(filters, strict, depth)


def _logic(filters: Mapping[str, Any], strict: bool, depth: int) -> Tree:
    name, conditions = _needed(filters, "operator"), _needed(filters, "conditions")
    if name not in ("AND", "OR", "NOT"):
        raise FilterError(f"There is no logical operator {name!r:.100}; the operators are AND, OR, NOT.")
    if not isinstance(conditions, list):
        raise FilterError(f"'conditions' must be a list of filters, not {conditions!r:.100}.")
    parts = tuple(read(condition, strict=strict, depth=depth + 1) for condition in conditions)
    if name == "OR":
        return Group(Or, parts)
    return Group(Not, (Group(And, parts),)) if name == "NOT" else Group(And, parts)


def _comparison(filters: Mapping[str, Any], strict: bool) -> Tree:
    name, operator, value = filters["field"], _needed(filters, "operator"), _needed(filters, "value")
    if not isinstance(name, str):
        raise FilterError(f"'field' must be a str, not {name!r:.100}.")
    field = field_of(name)
    if isinstance(operator, str) and operator in ORDERINGS:
        return _tree(ordered(field, ORDERINGS[operator], value, strict=strict))
    if operator in ("==", "!="):
        same = _tree(equal(field, value, strict=strict))
        return same if operator == "==" else Group(Not, (same,))
    if operator not in ("in", "not in"):
        raise FilterError(f"There is no comparison operator {operator!r:.100}; they are {', '.join(_OPERATORS)}.")
    if not isinstance(value, list):
        raise FilterError(f"The operator {operator!r} needs a list, not {value!r:.100}.")
    among = Group(Or, tuple(one_of(field, value, strict=strict)))
    return among if operator == "in" else Group(Not, (among,))


def _tree(condition: Condition) -> Tree:
    return Group(Or, condition) if isinstance(condition, tuple) else condition


def _needed(filters: Mapping[str, Any], key: str) -> Any:
    if key not in filters:
        raise FilterError(f"{key!r} is missing in the filter {dict(filters)!r:.200}.")
    return filters[key]


def _resolved(tree: Tree, among: Expr = EVERYTHING) -> Steps[Expr]:
    """The tree as an expression. It need only be right for the records that ``among`` matches."""
    if isinstance(tree, Look):
        return (yield from _seen(tree, among))
    if not isinstance(tree, Group):
        return tree
    if tree.kind is Not:
        return Not((yield from _resolved(tree.parts[0], among)))
    parts = [part for part in tree.parts if not isinstance(part, (Look, Group))]
    if tree.kind is And:
        # What is cheap first: it leaves fewer records to look at.
        among = And((*_conditions(among), *parts))
    for part in tree.parts:
        if isinstance(part, (Look, Group)):
            resolved = yield from _resolved(part, among)
            parts.append(resolved)
    return parts[0] if len(parts) == 1 else (And if tree.kind is And else Or)(tuple(parts))


def _conditions(among: Expr) -> tuple[Expr, ...]:
    return among.operands if isinstance(among, And) else (among,)


def _seen(look: Look, among: Expr) -> Steps[Expr]:
    where = And((*_conditions(among), *_conditions(look.among)))
    column = "documents" if look.field.path == DOCUMENT else "metadatas"
    found = yield Call("get", where=where, include=[column])
    texts = found["documents"] or [None] * len(found["ids"])
    metadatas = found["metadatas"] or [None] * len(found["ids"])
    rows = zip(found["ids"], metadatas, texts, strict=True)
    ids = tuple(row[0] for row in rows if look.passes(look.field.value(*row)))
    return In(ID, ids) if ids else NOTHING
