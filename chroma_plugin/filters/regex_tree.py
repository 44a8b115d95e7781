"""A regular expression of RE2 as a tree, where Python's own parser is sure to read it in the same way."""

from __future__ import annotations

import re

# Python keeps its parser to itself, and no library reads an expression into a tree. A part of the tree that its users
# don't know leaves the whole pattern to RE2.
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any, Final

kinds: Final = _constants
"""What a part may be."""
Tree = Any
"""Pairs of one of `kinds` and what the part consists of."""

_READ_DIFFERENTLY: Final = re.compile(
    r"""
    \(\?(?![ims]*(?:-[ims]+)?[:)])  # groups of special kinds, and flags that Python does not have
    | \\[^aAbBdDfnrsStvwW\W]        # escapes, except the classes, control characters, places and punctuation
    | \{,                           # a count in Python, text in RE2
    | \{(?:\d+,)?(?:0\d|\d{5})      # likewise
    | \[\[ | \[: | \[\^\[ | -- | && | ~~ | \|\|  # classes inside classes
    """,
    re.VERBOSE,
)
"""Where Python and RE2 may not mean the same, or where it takes thought to see that they do."""


def parse(pattern: str) -> tuple[Tree, int] | None:
    """The tree of a pattern that RE2 accepts, and the flags that hold for all of it; None when in doubt."""
    if _READ_DIFFERENTLY.search(pattern):
        return None
    try:
        tree = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return None
    return tree, tree.state.flags
