"""The numbers of a request: limit, offset, n_results, max_distance."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, TypeVar

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests.shown import kind

_T = TypeVar("_T")


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
    if value is None:
        return None
    if isinstance(value, bool):
        raise InvalidArgumentError(f"max_distance must be a number, not {kind(value)}.")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgumentError(f"max_distance must be a number, not {kind(value)}.") from error
    if isinstance(value, str) or math.isnan(number):
        raise InvalidArgumentError(f"max_distance must be a number, not {kind(value)}.")
    return number


def flag(value: Any, what: str) -> bool:
    """True or False, nothing else."""
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{what} must be True or False, not {kind(value)}.")
    return value


def _whole(value: Any, what: str, least: int) -> int:
    if isinstance(value, bool):
        raise InvalidArgumentError(f"{what} must be an int, not {kind(value)}.")
    try:
        number = operator.index(value)
    except TypeError as error:
        raise InvalidArgumentError(f"{what} must be an int, not {kind(value)}.") from error
    if number < least:
        raise InvalidArgumentError(f"{what} must be at least {least}, not {kind(value)}.")
    # Engines count in 64 bits; no collection is larger.
    return min(number, 2**63 - 1)
