"""The numbers of a request: limit, offset, n_results, max_distance and the like."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests.shown import kind

_T = TypeVar("_T")
_MOST: Final = 2**63 - 1
"""Engines count in 64 bits; no collection is larger."""


def limit(value: Any) -> int | None:
    """At most so many records; 0 is none, None is all."""
    return None if value is None else _whole(value, "limit", 0)


def offset(value: Any) -> int:
    """So many records are skipped; None is 0."""
    return 0 if value is None else _whole(value, "offset", 0)


def page(items: Sequence[_T], most: Any, skipped: Any) -> Sequence[_T]:
    """The part of a list that a limit and an offset leave."""
    start, count = offset(skipped), limit(most)
    return items[start:] if count is None else items[start : start + count]


def n_results(value: Any) -> int:
    """So many hits for each query, at least 1."""
    return _whole(value, "n_results", 1)


def max_distance(value: Any) -> float | None:
    """Nothing farther than this; None is no bound."""
    return None if value is None else _number(value, "max_distance")


def candidates(value: Any, default: int) -> int:
    """So many candidates of each side, at least 1."""
    return min(default, _MOST) if value is None else _whole(value, "candidates", 1)


def share(value: Any, what: str) -> float:
    """A number from 0 to 1."""
    number = _number(value, what)
    if not 0 <= number <= 1:
        raise InvalidArgumentError(f"{what} must be from 0 to 1, not {kind(value)}.")
    return number


def flag(value: Any, what: str) -> bool:
    """True or False, nothing else."""
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{what} must be True or False, not {kind(value)}.")
    return value


def _number(value: Any, what: str) -> float:
    if isinstance(value, (bool, str)):
        raise InvalidArgumentError(f"{what} must be a number, not {kind(value)}.")
    try:
        number = float(value)
    except Exception as error:  # of ours, or of an object of the caller's
        raise InvalidArgumentError(f"{what} must be a number, not {kind(value)}.") from error
    if math.isnan(number):
        raise InvalidArgumentError(f"{what} must be a number, not {kind(value)}.")
    return number


def _whole(value: Any, what: str, least: int) -> int:
    if isinstance(value, bool):
        raise InvalidArgumentError(f"{what} must be an int, not {kind(value)}.")
    try:
        number = operator.index(value)
    except Exception as error:
        raise InvalidArgumentError(f"{what} must be an int, not {kind(value)}.") from error
    if number < least:
        raise InvalidArgumentError(f"{what} must be at least {least}, not {kind(value)}.")
    return min(number, _MOST)
