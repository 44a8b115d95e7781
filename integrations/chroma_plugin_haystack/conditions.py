"""One comparison of a filter: as an expression where one says it exactly, else as a look at some records.

The meaning is Haystack's. Values are equal as in Python, so ``1 == 1.0 == True``, lists and dicts included; None is
also what is not there. Dates are equal when they are one moment, however they are written. Numbers are ordered, and
dates are; what can't be compared does not match.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeAlias

import numpy as np
from haystack.errors import FilterError

from chroma_plugin.filters import And, Compare, Exists, Expr, In, Op, Or, Scalar
from chroma_plugin_haystack import dates
from chroma_plugin_haystack.fields import Field

EVERYTHING: Final = And(())
NOTHING: Final = Or(())
ORDERINGS: Final[Mapping[str, Op]] = {">": Op.GT, ">=": Op.GE, "<": Op.LT, "<=": Op.LE}
_COMPARED: Final[Mapping[Op, Callable[[Any, Any], bool]]] = {
    Op.GT: operator.gt,
    Op.GE: operator.ge,
    Op.LT: operator.lt,
    Op.LE: operator.le,
}


@dataclass(frozen=True, slots=True)
class Look:
    """The records that pass a test, which needs their values. All of them are among those that ``among`` matches."""

    among: Expr
    field: Field
    passes: Callable[[Any], bool]


Condition: TypeAlias = "Expr | Look | tuple[Expr, Look]"
"""A pair matches what either of the two does."""


def equal(field: Field, value: Any, *, strict: bool) -> Condition:
    """The field equals the value. ``strict``: dates with and without a time zone are never equal."""
    value = value.item() if isinstance(value, np.generic) else value
    if field.is_none is not None:
        return _is_none(field, value)
    if value is None:
        return NOTHING if field.name == "id" else Compare(field.path, Op.EQ, None)
    if isinstance(value, str):
        return _equal_text(field, value, strict)
    if isinstance(value, date):
        return _same_moment(field, value, strict) or NOTHING
    if field.is_text:
        return NOTHING
    if isinstance(value, (bool, int, float)) and _is_sayable(value):
        return _equal_number(field, value)
    return Look(Exists(field.path), field, lambda found: bool(found == value))


def one_of(field: Field, values: list[Any], *, strict: bool) -> list[Expr | Look]:
    """Conditions of which one must match for the field to equal one of the values."""
    plain: list[Scalar] = []
    others: list[Expr | Look] = []
    for value in values:
        condition = equal(field, value, strict=strict)
        for part in condition if isinstance(condition, tuple) else (condition,):
            if isinstance(part, Compare) and part.path == field.path:
                plain.append(part.value)
            elif isinstance(part, In):
                plain.extend(part.values)
            else:
                others.append(part)
    return [In(field.path, tuple(plain)), *others] if plain else others


def ordered(field: Field, op: Op, value: Any, *, strict: bool) -> Condition:
    """The field is so ordered to the value. Raises FilterError for a value that has no order."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None:
        return NOTHING
    if isinstance(value, (bool, int, float)):
        return _ordered_number(field, op, value)
    moment = dates.parsed(value) if isinstance(value, str) else dates.as_date(value)
    if moment is None:
        raise FilterError(
            f"The operators >, >=, <, <= need a number, a datetime or a date in ISO 8601, and on {field.name!r} there "
            f"stands {value!r:.100}."
        )
    low = dates.texts_from(moment) if op in (Op.GT, Op.GE) else dates.FIRST
    high = dates.texts_until(moment) if op in (Op.LT, Op.LE) else dates.PAST_ALL
    return Look(_between(field, low, high), field, _moment_test(moment, _COMPARED[op], strict))


def _is_none(field: Field, value: Any) -> Expr:
    if value is not None or field.is_none is None:
        raise FilterError(f"{field.name!r} can only be compared with None, by == or !=.")
    return field.is_none


def _equal_text(field: Field, value: str, strict: bool) -> Condition:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate: nothing that is stored has one
        return NOTHING
    same = Compare(field.path, Op.EQ, value)
    dated = _same_moment(field, value, strict)
    return same if dated is None else (same, dated)


def _same_moment(field: Field, value: str | date, strict: bool) -> Look | None:
    moment = dates.as_date(value)
    if moment is None:
        return None
    near = _between(field, dates.texts_from(moment), dates.texts_until(moment))
    return Look(near, field, _moment_test(moment, operator.eq, strict))


def _between(field: Field, low: str, high: str) -> Expr:
    return And((Compare(field.path, Op.GE, low), Compare(field.path, Op.LT, high)))


def _moment_test(moment: datetime, compared: Callable[[Any, Any], bool], strict: bool) -> Callable[[Any], bool]:
    def passes(found: Any) -> bool:
        other = dates.as_date(found)
        pair = None if other is None else dates.aligned(other, moment, strict=strict)
        return pair is not None and compared(*pair)

    return passes


def _is_sayable(number: int | float) -> bool:
    """Whether a filter can hold it."""
    return math.isfinite(number) if isinstance(number, float) else -(2**63) <= number < 2**63


def _equal_number(field: Field, number: int | float) -> Expr:
    if number in (0, 1):
        return In(field.path, (int(number), bool(number)))
    return Compare(field.path, Op.EQ, number)


def _ordered_number(field: Field, op: Op, number: int | float) -> Condition:
    if field.is_text or field.is_none is not None:
        return NOTHING
    number = int(number) if isinstance(number, bool) else number
    compared = _COMPARED[op]
    if not _is_sayable(number):
        return Look(Exists(field.path), field, lambda found: _is_number(found) and compared(found, number))
    flags = [Compare(field.path, Op.EQ, flag) for flag in (False, True) if compared(flag, number)]
    return Or((Compare(field.path, op, number), *flags))


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float))
