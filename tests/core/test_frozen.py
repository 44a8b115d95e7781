"""`frozen` makes dataclasses that are equal, shown and copied as those of the standard library are."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields, is_dataclass, replace

import pytest

from chroma_plugin.frozen import frozen


@frozen
class Point:
    x: int
    y: list[int] = field(default_factory=list)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Standard:
    x: int
    y: list[int] = field(default_factory=list)
    secret: str = field(default="", repr=False)


@frozen
class One:
    value: float


@frozen
class Empty:
    pass


@frozen(eq=False)
class Itself:
    x: int


@frozen
class Told:
    x: int

    def __repr__(self) -> str:
        return "told"


def test_equal_by_what_they_hold() -> None:
    assert Point(1, [2]) == Point(1, [2]) != Point(1, [3])
    assert One(1.0) == One(1.0)
    assert hash(One(1.0)) == hash(One(1.0))
    assert Empty() == Empty()
    assert hash(Empty()) == hash(Empty())
    assert One(1) != Standard(1)
    assert One(1) != 1
    assert (nan := One(float("nan"))) == nan


def test_equal_by_identity() -> None:
    one = Itself(1)
    assert one == one != Itself(1)
    assert len({one, Itself(1)}) == 2


def test_shown_like_a_dataclass() -> None:
    assert repr(Point(1, [2], "hidden")) == repr(Standard(1, [2], "hidden")).replace("Standard", "Point")
    assert repr(Told(1)) == "told"


def test_a_dataclass_for_everything_else() -> None:
    point = Point(1, [2])
    assert is_dataclass(point)
    assert [each.name for each in fields(point)] == ["x", "y", "secret"]
    assert replace(point, x=3) == Point(3, [2])
    assert copy.deepcopy(point) == point
    assert not hasattr(point, "__dict__")
    with pytest.raises(TypeError, match="unhashable"):
        hash(point)
