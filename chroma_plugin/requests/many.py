"""One item or many: every argument that takes a list also takes a single item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol, TypeVar

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests.shown import kind
from chroma_plugin.wording import reading, shown

_NOT_A_LIST = (str, bytes, bytearray, Mapping)
_AT_ONCE: Final = 4_096


class _Slices(Protocol):
    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> Any: ...


_Sliced = TypeVar("_Sliced", bound=_Slices)


def as_list(value: Any, what: str, item: str) -> list[Any]:
    """The items of any iterable but strings, bytes and dicts, as a list of its own."""
    if type(value) in (list, tuple):  # as nearly always; to ask the ABCs takes longer than all else here
        return list(value)
    if isinstance(value, _NOT_A_LIST) or not isinstance(value, Iterable):
        raise InvalidArgumentError(f"{what} must be {item} or a list of them, not {kind(value)}.")
    with reading(what):
        return list(value)


def not_empty(values: list[Any], what: str) -> list[Any]:
    """The same list; an empty one is refused."""
    if not values:
        raise InvalidArgumentError(f"{what} is an empty list; give at least one, or leave the argument out.")
    return values


def pieces(values: _Sliced) -> Iterator[_Sliced]:
    """The same in runs of a few thousand: what is made of one to look at it stays in the processor's cache, and its
    memory serves the next one.
    """
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def same_length(count: int, **columns: Any) -> None:
    """Raise InvalidArgumentError when a column is not as long as ids."""
    for name, column in columns.items():
        if column is not None and len(column) != count:
            raise InvalidArgumentError(
                f"ids and {name} must be of one length, but there are {count} ids and {len(column)} {name}."
            )


def examples(values: Iterable[str], most: int = 5) -> str:
    """Some of the values, for a message: ``'a', 'b' and 3 more``."""
    listed = list(values)
    some = ", ".join(shown(value) for value in listed[:most])
    return some if len(listed) <= most else f"{some} and {len(listed) - most} more"
