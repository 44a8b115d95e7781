"""Text from the environment and from early code, read as the type that a setting or an option declares."""

from __future__ import annotations

import json
import operator
import os
import types
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.wording import shown

_BOOLS: Final[Mapping[str, bool]] = {
    "true": True, "1": True, "yes": True, "on": True,
    "false": False, "0": False, "no": False, "off": False,
}  # fmt: skip


def coerce(value: object, hint: object, what: str, *, name: str = "") -> Any:
    """The value as the type ``hint`` declares: as it is when it fits, else read from text, path or number.

    ``what`` begins the message of the InvalidArgumentError for a value that does not fit; ``name`` decides whether that
    message may show the value. Types this function has no rule for are checked with isinstance, or let through.
    """
    choices = _choices(hint)
    if isinstance(value, str) and bool in choices and value.strip().lower() in _BOOLS:
        return _BOOLS[value.strip().lower()]  # also where text is allowed: `bool | str` with "false" means False
    if any(_fits(value, choice) for choice in choices):
        return value
    for choice in choices:
        try:
            return _read(value, choice)
        except (ValueError, TypeError, OverflowError):
            continue
    wanted = " or ".join(_named(choice) for choice in choices)
    raise InvalidArgumentError(f"{what} must be {wanted}, got {shown(value, name)}.")


def _choices(hint: object) -> tuple[object, ...]:
    """The members of a union, flat; ``Annotated`` and type aliases of it opened."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _choices(get_args(hint)[0])
    if origin is Union or isinstance(hint, types.UnionType):
        return tuple(choice for member in get_args(hint) for choice in _choices(member))
    return (hint,)


def _fits(value: object, choice: object) -> bool:
    if choice is int or choice is float:
        return isinstance(value, choice) and not isinstance(value, bool)
    if get_origin(choice) is Literal:
        return any(type(value) is type(member) and value == member for member in get_args(choice))
    kind = get_origin(choice) or choice
    if not isinstance(kind, type):
        return True  # Any, a NewType, a type variable: nothing to check against
    if isinstance(value, str | bytes) and kind not in (str, bytes, object):
        return False  # a str is a Sequence too, but never the list that somebody asked for
    try:
        return isinstance(value, kind)
    except TypeError:
        return True  # a Protocol that can't be checked at run time


def _read(value: object, choice: object) -> object:
    """The value converted. Raises ValueError or TypeError when that is not possible."""
    kind = get_origin(choice) or choice
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(value)
    if isinstance(value, str) and isinstance(kind, type) and issubclass(kind, Mapping | list | tuple):
        read = json.loads(value)
        if isinstance(read, dict if issubclass(kind, Mapping) else list):
            return tuple(read) if kind is tuple else read
    raise ValueError


def _int(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    return int(value) if isinstance(value, str) else operator.index(value)


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _text(value: Any) -> str:
    text = os.fspath(value)
    if isinstance(text, str):
        return text
    raise TypeError


def _none(value: object) -> None:
    if not (isinstance(value, str) and value.strip().lower() in ("", "none", "null")):
        raise ValueError


_READERS: Final[dict[object, Callable[[Any], object]]] = {
    int: _int,
    float: _float,
    str: _text,
    Path: Path,
    type(None): _none,
}


def _named(choice: object) -> str:
    if choice is type(None):
        return "None"
    return choice.__name__ if isinstance(choice, type) and not get_args(choice) else str(choice).replace("typing.", "")
