"""What can be told of a regular expression without matching it, so that fewer texts have to be asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from chroma_plugin.filters.regex_tree import Tree, kinds, parse


@lru_cache(maxsize=128)
def required_literal(pattern: str) -> str:
    """The longest run of characters that stands in every match of a pattern that RE2 accepts; "" when in doubt."""
    parsed = parse(pattern)
    if parsed is None:
        return ""
    try:
        characters = "".join(_characters(*parsed))
    except RecursionError:
        return ""
    return max(characters.split(_BREAK), key=len)


_BREAK: Final = "\0"


def _characters(tree: Tree, flags: int) -> Iterator[str]:
    """What must stand there, one after the other; `_BREAK` where something else may stand between."""
    for kind, value in tree:
        if kind is kinds.LITERAL and not flags & re.IGNORECASE:
            yield chr(value)
        elif kind is kinds.SUBPATTERN:
            _, on, off, inner = value
            yield from _characters(inner, flags & ~off | on)
        elif kind is not kinds.AT:  # a place, no text
            yield _BREAK


def is_local(pattern: str) -> bool:
    """Whether a match in a text is a match wherever that text stands in a longer one; False when in doubt."""
    return not _LOOKS_AROUND.search(pattern)


_LOOKS_AROUND: Final = re.compile(r"[\^$]|\\[AzZbBGCQ]|\(\?(?![imsU-]*[:)]|P?<)")
"""Anchors and word boundaries, whatever else they may be where they stand; and what begins as flags and is none that
RE2 has: of those that it has, only `m` is about the surroundings, and through anchors.
"""
