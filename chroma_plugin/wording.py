"""The parts that messages share: the nearest known name, a value cut to a sane length, secrets hidden, what a terminal
would obey made visible, and what the caller's own objects raise.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from chroma_plugin.errors import InvalidArgumentError

HIDDEN: Final = "'***'"

_SECRET_NAME: Final = re.compile(r"password|passwd|secret|credential|api_?key|headers$|token$", re.IGNORECASE)
# Each in time linear in the text, which may be a stranger's.
_USER_IN_URL: Final = re.compile(r"://([^/\s@]*)@")
_PASSWORD: Final = re.compile(r"\bpassword\s*=", re.IGNORECASE)

OBEYED: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""By a terminal: control characters but tab and line feed, and those that turn the direction of writing."""

_MOST_BITS: Final = 128


class _Short(reprlib.Repr):
    """Short whatever it is given: no digits of a huge int, which Python refuses to write, and no failure of an object
    whose own repr fails.
    """

    def repr1(self, value: Any, level: int) -> str:
        try:
            return super().repr1(value, level)
        except Exception:
            return f"<{type(value).__name__}>"

    def repr_int(self, value: int, level: int) -> str:
        bits = value.bit_length()
        return repr(value) if bits <= _MOST_BITS else f"<an int of {bits} bits>"


_short: Final = _Short()
_short.maxstring = _short.maxother = 100
_short.maxlevel = 3


def visible(text: str) -> str:
    """The text with what a terminal would obey written as Python writes it in a str."""
    return OBEYED.sub(lambda found: repr(found[0])[1:-1], text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``" Did you mean 'x'?"`` for the nearest known name, or the empty string when none is near."""
    import difflib  # only errors need it

    by_folded = {candidate.casefold(): candidate for candidate in known}
    # Cut: matching takes quadratic time, and the name may be a stranger's.
    near = difflib.get_close_matches(name[:100].casefold(), list(by_folded), n=1)
    return f" Did you mean {by_folded[near[0]]!r}?" if near else ""


def shown(value: object, name: str = "") -> str:
    """The repr of a value for a message, cut; three stars when ``name`` or the value says that it is a secret."""
    if value is not None and (_SECRET_NAME.search(name) or (isinstance(value, str) and _has_secret(value))):
        return HIDDEN
    return _short.repr(value)


def _has_secret(text: str) -> bool:
    users = _USER_IN_URL.findall(text)
    return any(user.partition(":")[2] for user in users) or _PASSWORD.search(text) is not None


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Raise InvalidArgumentError for whatever an object of the caller's raises while it is read."""
    try:
        yield
    except InvalidArgumentError:
        raise
    except Exception as error:
        raise InvalidArgumentError(f"{what} can't be read: {type(error).__name__}: {shown(_said(error))}.") from error


def plain_dict(value: Mapping[Any, Any], what: str) -> dict[Any, Any]:
    """The same as a dict, which fails at nothing. Raises InvalidArgumentError for a mapping that fails."""
    if type(value) is dict:
        return value
    with reading(what):
        return dict(value)


def _said(error: Exception) -> str:
    try:
        return str(error)
    except Exception:
        return ""
