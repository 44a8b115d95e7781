"""The parts that error messages share: the nearest known name, a value cut to a sane length, secrets hidden."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable
from typing import Final

HIDDEN: Final = "'***'"

_SECRET_NAME: Final = re.compile(r"password|passwd|secret|credential|api_?key|headers$|token$", re.IGNORECASE)
_SECRET_IN_URL: Final = re.compile(r"://[^/\s@]*:[^/\s@]+@|\bpassword\s*=", re.IGNORECASE)

_short: Final = reprlib.Repr()
_short.maxstring = _short.maxother = 100


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``" Did you mean 'x'?"`` for the nearest known name, or the empty string when none is near."""
    import difflib  # only errors need it

    by_folded = {candidate.casefold(): candidate for candidate in known}
    # Cut: matching takes quadratic time, and the name may be a stranger's.
    near = difflib.get_close_matches(name[:100].casefold(), list(by_folded), n=1)
    return f" Did you mean {by_folded[near[0]]!r}?" if near else ""


def shown(value: object, name: str = "") -> str:
    """The repr of a value for a message, cut; three stars when ``name`` or the value says that it is a secret."""
    if value is not None and (_SECRET_NAME.search(name) or (isinstance(value, str) and _SECRET_IN_URL.search(value))):
        return HIDDEN
    return _short.repr(value)
