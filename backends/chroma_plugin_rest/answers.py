"""Answers held to what they should be: what answers may be another server, a broken one, or a hostile one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from chroma_plugin.errors import ChromaError, UnreachableError
from chroma_plugin.wording import shown

_P = ParamSpec("_P")
_T = TypeVar("_T")
_MISFITS: Final = (LookupError, TypeError, ValueError, AttributeError, OverflowError)


def decoding(decode: Callable[_P, _T]) -> Callable[_P, _T]:
    """The same function; what an answer lacks, or has too much of, makes it raise UnreachableError."""

    @wraps(decode)
    def decoded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return decode(*args, **kwargs)
        except ChromaError:
            raise
        except _MISFITS as error:
            reason = f"{type(error).__name__}: {shown(str(error))}"
            raise UnreachableError(
                f"The server's answer is not what this client knows ({reason}). Is it a Chroma server, of a "
                f"fitting version?"
            ) from error

    return decoded


@decoding
def field(answer: Any, name: str, kind: type[_T]) -> _T:
    """A field of an object, of that type exactly."""
    value = answer[name]
    if type(value) is not kind:
        raise TypeError(f"{name} is {shown(value)}")
    return value


@decoding
def items(answer: Any, kind: type[_T]) -> list[_T]:
    """A list, of items of that type exactly."""
    if type(answer) is not list or set(map(type, answer)) - {kind}:
        raise TypeError(f"it is {shown(answer)}")
    return answer


def column(value: Mapping[str, Any], name: str, count: int, kind: type) -> list[Any] | None:
    """Of records: None, or for each of them one of that type or None. Raises TypeError."""
    found = value[name]
    if found is not None and (
        type(found) is not list or len(found) != count or set(map(type, found)) - {kind, type(None)}
    ):
        raise TypeError(f"{name} is {shown(found)}, for {count} records")
    return found
