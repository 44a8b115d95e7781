"""One metadata key as arrays, so that a filter over it is a few numpy operations.

A row has a kind (see `Cell`), and a number, a string code, or an entry in a dict besides. Numbers keep their type: ints
and floats stand in arrays of their own, and an int is compared with a float exactly, as Python does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from functools import reduce
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.filters.ast import Compare, Contains, Exists, In, Leaf, Op, Regex, Scalar
from chroma_plugin.filters.compare import Missing, equal
from chroma_plugin.filters.regex import compile_regex
from chroma_plugin.toolkit.growing import Growing

Mask = npt.NDArray[np.bool_]


_LEAST: Final = -(2**63)
_GREATEST: Final = 2**63 - 1


class Cell(IntEnum):
    """What a row holds under the key."""

    MISSING = 0
    NONE = 1
    BOOL = 2
    INT = 3
    FLOAT = 4
    STR = 5
    NESTED = 6


_CELL_OF_TYPE: Final = {
    Missing: Cell.MISSING,
    type(None): Cell.NONE,
    bool: Cell.BOOL,
    int: Cell.INT,
    float: Cell.FLOAT,
    str: Cell.STR,
    list: Cell.NESTED,
    dict: Cell.NESTED,
}


class Column:
    """The values of one key in rows 0 to len(self)."""

    def __init__(self) -> None:
        self._kinds = Growing(np.uint8)
        self._ints = Growing(np.int64)
        self._floats = Growing(np.float64)
        self._codes = Growing(np.int32)
        self._code_of: dict[str, int] = {}
        self._nested: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self._kinds, self._ints, self._floats, self._codes))

    def extend(self, values: Sequence[Any]) -> None:
        """Append the values of new rows; `MISSING` where the key is not there."""
        start = len(self)
        kinds = np.fromiter((_CELL_OF_TYPE[type(value)] for value in values), np.uint8, len(values))
        self._extend_numbers(self._ints, values, (kinds == Cell.INT) | (kinds == Cell.BOOL), start)
        self._extend_numbers(self._floats, values, kinds == Cell.FLOAT, start)
        self._extend_codes(values, kinds == Cell.STR, start)
        for offset in np.flatnonzero(kinds == Cell.NESTED).tolist():
            self._nested[start + offset] = values[offset]
        self._kinds.extend(kinds)

    @staticmethod
    def _extend_numbers(array: Growing[Any], values: Sequence[Any], of_kind: Mask, start: int) -> None:
        # An array begins with the first value of its kind: a column of strings holds no numbers at all.
        if of_kind.any():
            array.fill(0, start - len(array))
            array.extend([value if is_number else 0 for value, is_number in zip(values, of_kind.tolist(), strict=True)])

    def _extend_codes(self, values: Sequence[Any], of_kind: Mask, start: int) -> None:
        if of_kind.any():
            self._codes.fill(-1, start - len(self._codes))
            code_of = self._code_of
            self._codes.extend(
                [
                    code_of.setdefault(value, len(code_of)) if is_str else -1
                    for value, is_str in zip(values, of_kind.tolist(), strict=True)
                ]
            )

    # -- filters -----------------------------------------------------------------------------------------------------

    def mask(self, leaf: Leaf, rows: int) -> Mask:
        """Which of the first `rows` rows match the leaf, whose path is this column's key."""
        match leaf:
            case Compare(op=Op.EQ, value=value):
                return self._equal(value, rows)
            case Compare(op=Op.NE, value=value):
                return ~self._equal(value, rows)
            case Compare(op=op, value=value):
                return self._ordered(op, value, rows)
            case In(values=values):
                return self._in(values, rows)
            case Exists():
                return ~self._is(Cell.MISSING, rows)
            case Contains(value=value):
                return self._contains(value, rows)
            case Regex(pattern=pattern):
                return self._strings(compile_regex(pattern), rows)

    def _is(self, kind: Cell, rows: int) -> Mask:
        found: Mask = self._kinds[:rows] == int(kind)  # an enum would make int64 of all of them first
        return found

    def _equal(self, value: Scalar, rows: int) -> Mask:
        if value is None:
            return self._is(Cell.MISSING, rows) | self._is(Cell.NONE, rows)
        if isinstance(value, str):
            return self._with_codes([self._code_of.get(value, -2)], rows)
        if isinstance(value, bool):
            return self._is(Cell.BOOL, rows) & self._test(self._ints, rows, lambda ints: ints == value)
        return self._number(rows, lambda array: _equal_to(array, value))

    def _in(self, values: Iterable[Scalar], rows: int) -> Mask:
        strings = [self._code_of[value] for value in values if isinstance(value, str) and value in self._code_of]
        found = self._with_codes(strings, rows)
        for value in values:
            if not isinstance(value, str):
                found = found | self._equal(value, rows)
        return found

    def _ordered(self, op: Op, value: Scalar, rows: int) -> Mask:
        if isinstance(value, str):
            return self._strings(lambda text: _ORDER[op](text, value), rows)
        if isinstance(value, bool) or value is None:
            return np.zeros(rows, dtype=np.bool_)
        return self._number(rows, lambda array: _compare(array, op, value))

    def _contains(self, value: Scalar, rows: int) -> Mask:
        found = np.zeros(rows, dtype=np.bool_)
        if isinstance(value, str):
            found |= self._strings(lambda text: value in text, rows)
        for row, nested in list(self._nested.items()):
            if row < rows and isinstance(nested, list) and any(equal(element, value) for element in nested):
                found[row] = True
        return found

    def _number(self, rows: int, test: Callable[[npt.NDArray[Any]], Mask]) -> Mask:
        parts = [
            self._is(kind, rows) & self._test(numbers, rows, test)
            for kind, numbers in ((Cell.INT, self._ints), (Cell.FLOAT, self._floats))
            if len(numbers)  # most columns have one kind
        ]
        return reduce(np.logical_or, parts) if parts else np.zeros(rows, dtype=np.bool_)

    @staticmethod
    def _test(array: Growing[Any], rows: int, test: Callable[[npt.NDArray[Any]], Mask]) -> Mask:
        held = array[:rows]
        if len(held) == rows:
            return test(held)
        result = np.zeros(rows, dtype=np.bool_)
        result[: len(held)] = test(held)
        return result

    def _with_codes(self, codes: Sequence[int], rows: int) -> Mask:
        wanted = np.asarray(codes, dtype=np.int32)
        return self._test(
            self._codes, rows, lambda held: held == wanted[0] if len(wanted) == 1 else np.isin(held, wanted)
        )

    def _strings(self, test: Callable[[str], bool], rows: int) -> Mask:
        """Ask once per distinct string, then look the answers up."""
        texts = list(self._code_of)
        answers = np.zeros(len(texts) + 1, dtype=np.bool_)
        answers[:-1] = [test(text) for text in texts]  # code -1, no string, finds the False at the end
        return self._test(self._codes, rows, lambda held: answers[held])


_ORDER: Final[dict[Op, Callable[[Any, Any], Any]]] = {
    Op.GT: lambda left, right: left > right,
    Op.GE: lambda left, right: left >= right,
    Op.LT: lambda left, right: left < right,
    Op.LE: lambda left, right: left <= right,
}


def _equal_to(array: npt.NDArray[Any], value: int | float) -> Mask:
    """Exact equality of an int64 or float64 array with a number of either type."""
    twin = _twin(value, array.dtype)
    return np.zeros(len(array), dtype=np.bool_) if twin is None else array == twin


def _twin(value: int | float, dtype: np.dtype[Any]) -> int | float | None:
    """The number of the array's type that equals the value, if there is one."""
    if dtype.kind == "i":
        return int(value) if value == int(value) and _LEAST <= value <= _GREATEST else None
    return float(value) if float(value) == value else None


def _compare(array: npt.NDArray[Any], op: Op, value: int | float) -> Mask:
    """Exact order: the bound is first moved to the nearest number of the array's own type."""
    if array.dtype.kind == "i" and not _LEAST <= value <= _GREATEST:
        return np.full(len(array), (op in (Op.LT, Op.LE)) == (value > 0))
    # x >= v and x < v turn at the least number that is >= v; x > v and x <= v at the greatest that is <= v.
    bound = _bound(value, array.dtype, up=op in (Op.GE, Op.LT))
    result: Mask = _ORDER[op](array, bound)
    return result


def _bound(value: int | float, dtype: np.dtype[Any], *, up: bool) -> int | float:
    if dtype.kind == "i":
        return math.ceil(value) if up else math.floor(value)
    near = float(value)
    if near < value and up:
        return math.nextafter(near, math.inf)
    if near > value and not up:
        return math.nextafter(near, -math.inf)
    return near
