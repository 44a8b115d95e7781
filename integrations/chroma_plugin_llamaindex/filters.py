"""LlamaIndex's metadata filters as filters of a collection.

The meaning is that of llama-index's own `build_metadata_filter_fn`, which its in-memory store uses: a key that is
missing or None matches ``!=`` and ``nin`` and nothing else but ``is_empty``; NOT means that none of the filters match;
no filters at all match everything. Where that function would fail on a stored value (a number compared with a str),
the filter does not match.

LlamaIndex has no bools in filters: there, as in Python, 1 and 0 stand for True and False.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters import And, Expr, Key, Not, Or

EVERYTHING: Final = Not(Or(()))
"""The filter that every record matches."""
_TRUE: Final = And(())
_FALSE: Final = Or(())

_BOOLS: Final = (False, True)
_Ordering = Callable[[Any, Any], Any]


def where_of(filters: MetadataFilters | None) -> Expr | None:
    """The same filter for a collection; None when it matches everything.

    Raises InvalidArgumentError for an operand that its operator can't take.
    """
    if filters is None:
        return None
    found = _group(filters)
    return None if found == _TRUE else found


def both(first: Expr | None, second: Expr | None) -> Expr | None:
    """Matches where both do; None matches everything."""
    if first is None:
        return second
    return first if second is None else first & second


def _group(filters: MetadataFilters) -> Expr:
    if not filters.filters:
        return _TRUE
    parts = [_group(part) if isinstance(part, MetadataFilters) else _leaf(part) for part in filters.filters]
    if filters.condition is FilterCondition.NOT:
        return _negated(_any(parts))
    return _any(parts) if filters.condition is FilterCondition.OR else _all(parts)


def _all(parts: Iterable[Expr]) -> Expr:
    kept = [part for part in parts if part != _TRUE]
    if _FALSE in kept:
        return _FALSE
    return kept[0] if len(kept) == 1 else And(tuple(kept))


def _any(parts: Iterable[Expr]) -> Expr:
    kept = [part for part in parts if part != _FALSE]
    if _TRUE in kept:
        return _TRUE
    return kept[0] if len(kept) == 1 else Or(tuple(kept))


def _negated(part: Expr) -> Expr:
    if part in (_TRUE, _FALSE):
        return _FALSE if part == _TRUE else _TRUE
    return ~part


def _leaf(part: MetadataFilter) -> Expr:
    return _FILTERS[part.operator](Key(part.key), part.value)


def _equals(key: Key, value: Any) -> Expr:
    if value is None:
        return _FALSE  # what is None or missing equals nothing, not even None
    if isinstance(value, list):
        raise _refusal(key, "==", value, "use 'in' for one of several values, 'all' for a list that has all of them")
    return _any([key == value, *[key == twin for twin in _twins(value)]])


def _one_of(key: Key, value: Any) -> Expr:
    values = _several(key, "in", value)
    twins = [twin for each in values for twin in _twins(each)]
    return _any([key.is_in(group) for group in (values, twins) if group])


def _contains(key: Key, value: Any) -> Expr:
    if isinstance(value, list):
        raise _refusal(key, "contains", value, "use 'any' or 'all' for several values")
    return _any([key.contains(each) for each in (value, *_twins(value))])


def _contains_any(key: Key, value: Any) -> Expr:
    return _any([_contains(key, each) for each in _several(key, "any", value)])


def _contains_all(key: Key, value: Any) -> Expr:
    values = _several(key, "all", value)
    return _all([_contains(key, each) for each in values]) if values else key.not_in([None])


def _text_match(key: Key, value: Any) -> Expr:
    # A list may contain the value, too; only a str is >= "".
    return _all([key.contains(_text(key, "text_match", value)), key >= ""])


def _text_match_insensitive(key: Key, value: Any) -> Expr:
    return key.regex("(?i)" + re.escape(_text(key, "text_match_insensitive", value)))


def _is_empty(key: Key, value: Any) -> Expr:
    # An empty list is stored as None (see nodes.py).
    return key.is_in([None, ""])


def _ordered(symbol: str, compare: _Ordering) -> Callable[[Key, Any], Expr]:
    def leaf(key: Key, value: Any) -> Expr:
        if not isinstance(value, (int, float, str)):
            raise _refusal(key, symbol, value, "only a number or a str has an order")
        bools = [] if isinstance(value, str) else [key == each for each in _BOOLS if compare(each, value)]
        return _any([compare(key, value), *bools])

    return leaf


def _opposite(leaf: Callable[[Key, Any], Expr]) -> Callable[[Key, Any], Expr]:
    return lambda key, value: _negated(leaf(key, value))


_FILTERS: Final[Mapping[FilterOperator, Callable[[Key, Any], Expr]]] = {
    FilterOperator.EQ: _equals,
    FilterOperator.NE: _opposite(_equals),
    FilterOperator.GT: _ordered(">", operator.gt),
    FilterOperator.GTE: _ordered(">=", operator.ge),
    FilterOperator.LT: _ordered("<", operator.lt),
    FilterOperator.LTE: _ordered("<=", operator.le),
    FilterOperator.IN: _one_of,
    FilterOperator.NIN: _opposite(_one_of),
    FilterOperator.ANY: _contains_any,
    FilterOperator.ALL: _contains_all,
    FilterOperator.CONTAINS: _contains,
    FilterOperator.TEXT_MATCH: _text_match,
    FilterOperator.TEXT_MATCH_INSENSITIVE: _text_match_insensitive,
    FilterOperator.IS_EMPTY: _is_empty,
}


def _twins(value: Any) -> list[bool]:
    """The bools that Python takes for equal to the number."""
    return [each for each in _BOOLS if isinstance(value, (int, float)) and each == value]


def _several(key: Key, symbol: str, value: Any) -> list[Any]:
    """A single value, as a language model may write it, is a list of one."""
    if value is None:
        raise _refusal(key, symbol, value, "give a list of values")
    return value if isinstance(value, list) else [value]


def _text(key: Key, symbol: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _refusal(key, symbol, value, "give a str")
    return value


def _refusal(key: Key, symbol: str, value: Any, advice: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"The filter {symbol!r} on {str(key.path)!r} can't take {value!r:.100}: {advice}.")
