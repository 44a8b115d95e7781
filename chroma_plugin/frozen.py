"""Objects that nobody changes, for what it costs to make any others.

Type checkers refuse a change, as they do with ``dataclass(frozen=True)``; at run time nothing does. That would make
each object take four times as long, and a call makes ten; and each class would have to run Python's compiler for six
functions, not one: a fifth of the time that it takes to open a store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

_T = TypeVar("_T")


@overload
def frozen(cls: type[_T], /) -> type[_T]: ...
@overload
def frozen(*, eq: bool = True) -> Callable[[type[_T]], type[_T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_T] | None = None, /, *, eq: bool = True) -> Any:
    """A dataclass with slots. Objects are equal if all that they hold is; with ``eq=False``, if they are the same."""

    def made(cls: type[_T]) -> type[_T]:
        whole = dataclass(slots=True, eq=False, repr=False)(cls)
        for name, method in _methods(whole, eq).items():
            if name not in vars(cls):
                setattr(whole, name, method)
        return whole

    return made if cls is None else made(cls)


def _methods(cls: Any, eq: bool) -> dict[str, Callable[..., Any]]:
    shown = [each.name for each in fields(cls) if each.repr]

    def __repr__(self: Any) -> str:
        return f"{cls.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    return {"__repr__": __repr__} | (_equality(cls) if eq else {})


def _equality(cls: Any) -> dict[str, Callable[..., Any]]:
    key = _key([each.name for each in fields(cls) if each.compare])

    def __eq__(self: Any, other: Any) -> Any:
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(key(self))

    return {"__eq__": __eq__, "__hash__": __hash__}


def _key(names: list[str]) -> Callable[[Any], Any]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple(getattr(self, name) for name in names)
