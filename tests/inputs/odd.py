"""Values that misbehave, made to be passed where something sensible is expected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

SURROGATE = "broken \ud800 text"
LONG = "x" * 5_000_000
WIDE = 10**5000
"""An int whose digits Python refuses to print."""


class Fresh:
    """A value that is made anew for each call, because a call uses it up or because it takes much room."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


class Raises:
    """An object that fails at everything that may be asked of it."""

    def _fail(self, *_: object) -> Any:
        raise ZeroDivisionError("an object of the caller failed")

    __repr__ = __str__ = __iter__ = __len__ = __getitem__ = __index__ = __int__ = __float__ = _fail
    __array__ = __eq__ = __contains__ = __call__ = _fail  # type: ignore[assignment]
    __hash__ = object.__hash__


class RaisingMapping(Mapping[str, Any]):
    """A dict, to look at; nothing can be read from it."""

    def __getitem__(self, key: str) -> Any:
        raise ZeroDivisionError("no item")

    def __iter__(self) -> Iterator[str]:
        raise ZeroDivisionError("no keys")

    def __len__(self) -> int:
        raise ZeroDivisionError("no length")


class RaisingList(list[Any]):
    """A list that ends in an exception."""

    def __iter__(self) -> Iterator[Any]:
        raise ZeroDivisionError("no items")


class Text(str):
    """A str of a subclass whose own methods lie."""

    def __str__(self) -> str:
        return "a lie"

    __repr__ = __str__


class Whole(int):
    """An int of a subclass whose repr lies."""

    def __repr__(self) -> str:
        return "a lie"


def failing() -> Iterator[Any]:
    """A generator that fails after its first item."""
    yield "x"
    raise ZeroDivisionError("no second item")


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def deep_where(operator: str, levels: int) -> Any:
    where: Any = {"n": 1}
    for _ in range(levels):
        where = {operator: where if operator == "$not" else [where]}
    return where


def own_list() -> Any:
    """A list that is its own element."""
    value: list[Any] = []
    value.append(value)
    return value


def own_dict() -> Any:
    """A dict that is its own value."""
    value: dict[str, Any] = {}
    value["k"] = value
    return value


def own_where() -> Any:
    """A filter that is its own operand."""
    where: dict[str, Any] = {}
    where["$and"] = [where]
    return where


def objects(*items: Any) -> Any:
    """An array of any objects."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array
