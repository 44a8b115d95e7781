"""What can be told of a regular expression without matching it, so that fewer texts have to be asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any, Final

_READ_DIFFERENTLY: Final = re.compile(
    r"""
    \(\?(?!:)         # flags, and groups of special kinds
    | \\[^dDsSwWbB\W] # escapes, except the classes and punctuation
    | \{,             # a count in Python, text in RE2
    | \[\[ | \[: | \[\^\[ | -- | && | ~~ | \|\|  # classes inside classes
    """,
    re.VERBOSE,
)
"""Where Python and RE2 may not mean the same, or where it takes thought to see that they do."""


@lru_cache(maxsize=128)
def required_literal(pattern: str) -> str:
    """The longest run of characters that stands in every match of a pattern that RE2 accepts; "" when in doubt."""
    if _READ_DIFFERENTLY.search(pattern):
        return ""
    try:
        characters = "".join(_characters(_parser.parse(pattern)))
    except (re.error, OverflowError, RecursionError):
        return ""
    return max(characters.split(_BREAK), key=len)


_BREAK: Final = "\0"


def _characters(parsed: Any) -> Iterator[str]:
    """What must stand there, one after the other; `_BREAK` where something else may stand between."""
    for kind, value in parsed:
        if kind is _constants.LITERAL:
            yield chr(value)
        elif kind is _constants.SUBPATTERN:
            yield from _characters(value[-1])
        elif kind is not _constants.AT:  # a place, no text
            yield _BREAK


def is_local(pattern: str) -> bool:
    """Whether a match in a text is a match wherever that text stands in a longer one; False when in doubt."""
    return not _LOOKS_AROUND.search(pattern)


_LOOKS_AROUND: Final = re.compile(r"[\^$]|\\[AzZbBGCQ]|\(\?(?![imsU-]*[:)]|P?<)")
"""Anchors and word boundaries, whatever else they may be where they stand; and what begins as flags and is none that
RE2 has: of those that it has, only `m` is about the surroundings, and through anchors.
"""
