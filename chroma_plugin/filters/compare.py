"""Kinds of values, and when two values are equal or ordered: the one place where "types never coerce" is code."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from chroma_plugin.errors import InvalidArgumentError


class Kind(IntEnum):
    """What a value is, for comparing. Values of different kinds are never equal and never ordered."""

    MISSING = 0
    NONE = 1
    BOOL = 2
    NUMBER = 3
    STR = 4
    LIST = 5
    DICT = 6


class Missing:
    """The type of `MISSING`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""What stands in a field that is not there."""

_KINDS: Final[dict[type, Kind]] = {
    Missing: Kind.MISSING,
    type(None): Kind.NONE,
    bool: Kind.BOOL,
    int: Kind.NUMBER,
    float: Kind.NUMBER,
    str: Kind.STR,
    list: Kind.LIST,
    dict: Kind.DICT,
}


def kind_of(value: object) -> Kind:
    """The kind of a stored value, an operand or `MISSING`.

    Raises InvalidArgumentError for what metadata can't hold (a numpy scalar, a tuple): a backend must give back plain
    Python values.
    """
    kind = _KINDS.get(type(value))
    if kind is None:
        raise InvalidArgumentError(f"Metadata holds a value of type {type(value).__name__}, which can't be compared.")
    return kind


def equal(value: object, operand: object) -> bool:
    """Whether a value equals a scalar operand: of one kind, and equal (numbers exactly, whether int or float).

    Operands are scalars, so lists and dicts equal nothing.
    """
    kind = kind_of(operand)
    return kind < Kind.LIST and kind_of(value) is kind and value == operand


def comparable(value: object, operand: object) -> bool:
    """Whether the two are ordered at all: both numbers, or both str."""
    kind = kind_of(value)
    return kind in (Kind.NUMBER, Kind.STR) and kind_of(operand) is kind


def less(value: object, operand: object) -> bool:
    """Whether the two are comparable and the first is smaller (str by code point)."""
    return comparable(value, operand) and value < operand  # type: ignore[operator]
