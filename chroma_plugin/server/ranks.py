"""Chroma's ranking expressions: arithmetic over nearest-neighbour searches. The lower a score, the better.

An expression gives scores to some records (its *support*) and, if it has a *default*, that one to every other record.
Two expressions are combined where both have a value; a result is what is in the support at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from chroma_plugin.errors import InvalidArgumentError, UnsupportedError
from chroma_plugin.frozen import frozen
from chroma_plugin.requests.embeddings import matrix
from chroma_plugin.requests.shown import kind
from chroma_plugin.types import Matrix
from chroma_plugin.wording import did_you_mean, shown

_DEEPEST: Final = 100
_MOST_PARTS: Final = 1_000
_MOST_SEARCHES: Final = 64
"""Nearest-neighbour searches in one expression."""
_LARGEST: Final = 2**31 - 1
_LIMIT: Final = 16
"""How many records such a search finds when nothing else is said, as in Chroma."""

Numbers: TypeAlias = npt.NDArray[np.float64]
_ALONE: Final[Mapping[str, Callable[[Numbers], Numbers]]] = {"$abs": np.abs, "$exp": np.exp, "$log": np.log}
_PAIRS: Final[Mapping[str, Callable[[Numbers, Numbers], Numbers]]] = {"$sub": np.subtract, "$div": np.divide}
_MANY: Final[Mapping[str, Callable[[Numbers, Numbers], Numbers]]] = {
    "$sum": np.add,
    "$mul": np.multiply,
    "$max": np.maximum,
    "$min": np.minimum,
}
_TOGETHER: Final = {**_PAIRS, **_MANY}


@frozen(eq=False)
class Knn:
    """The nearest records to one embedding, with their distances or their places (0, 1, 2, ...)."""

    query: Matrix
    """One row."""
    limit: int
    default: float | None
    places: bool


@frozen
class Value:
    value: float


@frozen
class Combined:
    operator: str
    operands: tuple[Rank, ...]


Rank: TypeAlias = Knn | Value | Combined


# -- reading ---------------------------------------------------------------------------------------------------------


def parse(value: Any) -> Rank:
    """Raises InvalidArgumentError for what is no such expression, UnsupportedError for what needs a sparse index."""
    reader = _Reader()
    rank = reader.rank(value, 1)
    if not reader.searches:
        raise InvalidArgumentError("A rank needs at least one $knn: without it no record has a score.")
    return rank


class _Reader:
    """Counts what it reads."""

    def __init__(self) -> None:
        self.parts = 0
        self.searches = 0

    def rank(self, value: Any, depth: int) -> Rank:
        if type(value) is not dict or len(value) != 1:
            raise InvalidArgumentError(f"A rank is an object with one operator, such as $knn, not {kind(value)}.")
        [(operator, operand)] = value.items()
        self.parts += 1
        if depth > _DEEPEST or self.parts > _MOST_PARTS:
            raise InvalidArgumentError(f"A rank has at most {_MOST_PARTS} parts, {_DEEPEST} inside one another.")
        if operator == "$val":
            return Value(_number(operand, "$val"))
        if operator == "$knn":
            return self._knn(operand)
        return Combined(operator, tuple(self.rank(part, depth + 1) for part in _operands(operator, operand)))

    def _knn(self, value: Any) -> Knn:
        self.searches += 1
        if self.searches > _MOST_SEARCHES:
            raise InvalidArgumentError(f"A rank has at most {_MOST_SEARCHES} $knn.")
        if type(value) is not dict or "query" not in value:
            raise InvalidArgumentError(f"$knn needs an object with a query, not {kind(value)}.")
        query, key, limit = value["query"], value.get("key", "#embedding"), value.get("limit", _LIMIT)
        if key != "#embedding" or type(query) is dict:
            raise UnsupportedError(f"There are no sparse vectors here: $knn searches '#embedding', not {shown(key)}.")
        if type(query) is not list:
            raise InvalidArgumentError(
                f"The query of $knn is a list of numbers, not {kind(query)}: clients embed texts."
            )
        if type(limit) is not int or limit < 1:
            raise InvalidArgumentError(f"The limit of $knn is a positive integer, not {kind(limit)}.")
        default = value.get("default")
        places = value.get("return_rank", False)
        if type(places) is not bool:
            raise InvalidArgumentError(f"return_rank of $knn is true or false, not {kind(places)}.")
        default = None if default is None else _number(default, "The default of $knn")
        return Knn(matrix([query], "The query of $knn"), min(limit, _LARGEST), default, places)


def _operands(operator: str, operand: Any) -> Sequence[Any]:
    if operator in _ALONE:
        return [operand]
    if operator in _PAIRS:
        if type(operand) is not dict or set(operand) != {"left", "right"}:
            raise InvalidArgumentError(f"{operator} takes an object with left and right, not {kind(operand)}.")
        return [operand["left"], operand["right"]]
    if operator in _MANY:
        if type(operand) is not list or not operand:
            raise InvalidArgumentError(f"{operator} takes a list of ranks, not {kind(operand)}.")
        return operand
    known = ["$knn", "$val", *_ALONE, *_PAIRS, *_MANY]
    raise InvalidArgumentError(
        f"A rank has no operator {shown(operator)}.{did_you_mean(str(operator), known)} Known are {', '.join(known)}."
    )


def _number(value: Any, what: str) -> float:
    if type(value) not in (int, float):
        raise InvalidArgumentError(f"{what} must be a number, not {kind(value)}.")
    return float(value)


def searches(rank: Rank) -> Iterator[Knn]:
    """Every nearest-neighbour search in it, in order."""
    pending: list[Rank] = [rank]
    while pending:
        part = pending.pop()
        if isinstance(part, Knn):
            yield part
        elif isinstance(part, Combined):
            pending.extend(reversed(part.operands))


# -- scores ----------------------------------------------------------------------------------------------------------

Found: TypeAlias = Mapping[Knn, tuple[Sequence[str], npt.NDArray[np.float32]]]
"""What each search found: the ids of the nearest records and their distances."""


@frozen(eq=False)
class _Domain:
    values: Numbers
    """For each record; outside of the support the default, or anything when there is none."""
    support: npt.NDArray[np.bool_]
    default: float | None


def scores(rank: Rank, found: Found) -> list[tuple[str, float]]:
    """The records that have a score, best first; equal ones as the searches found them, those without a number last."""
    row_of: dict[str, int] = {}
    for ids, _ in found.values():
        for id in ids:
            row_of.setdefault(id, len(row_of))
    with np.errstate(all="ignore"):
        domain = _evaluated(rank, found, row_of)
    ids = list(row_of)
    order = np.argsort(domain.values, kind="stable")
    return [(ids[row], float(domain.values[row])) for row in order.tolist() if domain.support[row]]


def _evaluated(rank: Rank, found: Found, row_of: Mapping[str, int]) -> _Domain:
    count = len(row_of)
    if isinstance(rank, Value):
        return _Domain(np.full(count, rank.value), np.zeros(count, dtype=bool), rank.value)
    if isinstance(rank, Knn):
        ids, distances = found[rank]
        rows = [row_of[each] for each in ids]
        values = np.full(count, np.nan if rank.default is None else rank.default)
        values[rows] = np.arange(len(rows)) if rank.places else distances
        support = np.zeros(count, dtype=bool)
        support[rows] = True
        return _Domain(values, support, rank.default)
    domains = [_evaluated(part, found, row_of) for part in rank.operands]
    if rank.operator in _ALONE:
        return _mapped(_ALONE[rank.operator], domains[0])
    operation = _TOGETHER[rank.operator]
    return reduce(lambda left, right: _merged(operation, left, right), domains)


def _mapped(operation: Callable[[Numbers], Numbers], domain: _Domain) -> _Domain:
    default = None if domain.default is None else float(operation(np.array([domain.default]))[0])
    return _Domain(operation(domain.values), domain.support, default)


def _merged(operation: Callable[[Numbers, Numbers], Numbers], left: _Domain, right: _Domain) -> _Domain:
    values = operation(left.values, right.values)
    if left.default is not None and right.default is not None:
        default = float(operation(np.array([left.default]), np.array([right.default]))[0])
        return _Domain(values, left.support | right.support, default)
    if left.default is None and right.default is None:
        return _Domain(values, left.support & right.support, None)
    return _Domain(values, left.support if left.default is None else right.support, None)
