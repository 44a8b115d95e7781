"""The filters of a LangGraph store: what they mean, and which parts the collection decides.

A filter is a dict of the value's entries; all must match. A condition is a plain value (equal to it), a dict of
operators (``$eq $ne $gt $gte $lt $lte``, all must match), a dict of conditions for the entries of a nested dict, or a
list of conditions for the elements of a list of that length. A missing entry is None. As in JSON, types do not
coerce: ``True`` is not ``1``. Numbers are ordered among numbers and str among str, by code point; nothing else is
ordered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin_langchain.graph_items import VALUE, is_text

_EXACT: Final = 2**63
"""From here on an integer is kept as a float, so comparing with it is left to `matches`."""

_SHAPE: Final = "$shape"
"""Ours alone: a condition that is a dict or a list of conditions."""


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """A filter in two parts that must both match."""

    where: dict[str, dict[str, Any]] = field(default_factory=dict)
    """For the metadata that `graph_items.filterable` makes."""
    rest: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)
    """For `matches`, over whole values: operators and operands of each key."""


def split(conditions: Mapping[str, Any] | None) -> ItemFilter:
    """The filter in its two parts. Raises InvalidArgumentError for an operator that there is not."""
    found = ItemFilter()
    for key, condition in (conditions or {}).items():
        _check(condition)
        for operator, operand in _operators(condition).items():
            if _in_metadata(operator, operand) and is_text(key):
                found.where.setdefault(VALUE + key, {})[operator] = operand
            else:
                found.rest.setdefault(key, []).append((operator, operand))
    return found


def matches(value: Mapping[str, Any], wanted: ItemFilter) -> bool:
    """Whether an item's value satisfies the ``rest`` of a filter."""
    rest = wanted.rest.items()
    return all(_OPERATORS[operator](value.get(key), operand) for key, parts in rest for operator, operand in parts)


def _operators(condition: Any) -> Mapping[str, Any]:
    if _has_operators(condition):
        operators: Mapping[str, Any] = condition
        return operators
    return {_SHAPE: condition} if isinstance(condition, (Mapping, list, tuple)) else {"$eq": condition}


def _has_operators(condition: Any) -> bool:
    return isinstance(condition, Mapping) and any(str(key).startswith("$") for key in condition)


def _in_metadata(operator: str, operand: Any) -> bool:
    """Whether the collection gives the answer of `matches`. Not about None: it stands for what metadata can't hold."""
    if isinstance(operand, bool):
        return operator in ("$eq", "$ne")
    if isinstance(operand, str):
        return is_text(operand)
    return isinstance(operand, (int, float)) and math.isfinite(operand) and abs(operand) < _EXACT


def _check(condition: Any) -> None:
    if _has_operators(condition):
        unknown = sorted(str(key) for key in condition if key not in _OPERATORS or key == _SHAPE)
        if unknown:
            raise InvalidArgumentError(
                f"Filters of a LangGraph store have no operator {unknown[0]!r}; they have $eq $ne $gt $gte $lt $lte."
            )
    elif isinstance(condition, Mapping):
        for inner in condition.values():
            _check(inner)
    elif isinstance(condition, (list, tuple)):
        for inner in condition:
            _check(inner)


def _satisfies(value: Any, condition: Any) -> bool:
    if _has_operators(condition):
        return all(_OPERATORS[operator](value, operand) for operator, operand in condition.items())
    if isinstance(condition, Mapping):
        return isinstance(value, dict) and all(_satisfies(value.get(key), inner) for key, inner in condition.items())
    if isinstance(condition, (list, tuple)):
        return isinstance(value, list) and len(value) == len(condition) and all(map(_satisfies, value, condition))
    return _equal(value, condition)


def _equal(value: Any, operand: Any) -> bool:
    """Equality of JSON: bools are no numbers, at any depth."""
    if isinstance(value, bool) or isinstance(operand, bool):
        return value is operand
    if isinstance(value, dict) and isinstance(operand, Mapping):
        return value.keys() == operand.keys() and all(_equal(value[key], operand[key]) for key in value)
    if isinstance(value, list) and isinstance(operand, (list, tuple)):
        return len(value) == len(operand) and all(map(_equal, value, operand))
    return bool(value == operand)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, operand: _comparable(value, operand) and compare(value, operand)


def _comparable(value: Any, operand: Any) -> bool:
    if isinstance(value, bool) or isinstance(operand, bool):
        return False
    both = (value, operand)
    return all(isinstance(one, str) for one in both) or all(isinstance(one, (int, float)) for one in both)


_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    _SHAPE: _satisfies,
    "$eq": _equal,
    "$ne": lambda value, operand: not _equal(value, operand),
    "$gt": _ordered(lambda value, operand: value > operand),
    "$gte": _ordered(lambda value, operand: value >= operand),
    "$lt": _ordered(lambda value, operand: value < operand),
    "$lte": _ordered(lambda value, operand: value <= operand),
}
