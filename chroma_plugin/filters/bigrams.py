"""Which bytes must follow upon one another wherever a regular expression matches.

The matches are not known, but at each place between two parts of the pattern that are never empty, some byte that can
end the first is followed by some byte that can begin the second. So is what `[0-9]+[a-z]` matches: somewhere in it a
digit is followed by a lower-case letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache, reduce
from itertools import accumulate
from operator import or_
from typing import Any, Final

from chroma_plugin.filters.regex_tree import Tree, kinds, parse
from chroma_plugin.frozen import frozen

ByteSet = int
"""Bit i says whether byte i is in it."""
Bigram = tuple[ByteSet, ByteSet]
"""One of the first is followed by one of the second."""


@lru_cache(maxsize=128)
def required_bigrams(pattern: str) -> frozenset[Bigram]:
    """What stands somewhere, in UTF-8, in every text in which a pattern that RE2 accepts is found; nothing when in
    doubt.
    """
    parsed = parse(pattern)
    if parsed is None:
        return frozenset()
    try:
        return _sequence(*parsed).bigrams
    except (_UnknownPartError, RecursionError):
        return frozenset()


class _UnknownPartError(Exception):
    """A part whose matches are not surely known."""


def byte_set(characters: Iterable[int]) -> ByteSet:
    return reduce(or_, (1 << character for character in characters), 0)


def _ascii(characters: str) -> ByteSet:
    return byte_set(characters.encode("ascii"))


_ASCII: Final = byte_set(range(128))
_BEYOND: Final = byte_set(range(128, 256))
"""What a character consists of that is not ASCII; which of them is not looked at."""
_UPPER: Final = _ascii("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER: Final = _UPPER << 32
_CASES_BEYOND: Final = _ascii("KkSs")
"""The letters that are the same as one beyond ASCII when case is ignored: the Kelvin sign and the long s."""
_CLASSES: Final[dict[Any, ByteSet]] = {
    kinds.CATEGORY_DIGIT: (digits := _ascii("0123456789")),
    kinds.CATEGORY_SPACE: (spaces := _ascii("\t\n\f\r ")),
    kinds.CATEGORY_WORD: (words := digits | _UPPER | _LOWER | _ascii("_")),
    kinds.CATEGORY_NOT_DIGIT: ~digits & _ASCII | _BEYOND,
    kinds.CATEGORY_NOT_SPACE: ~spaces & _ASCII | _BEYOND,
    kinds.CATEGORY_NOT_WORD: ~words & _ASCII | _BEYOND,
}
"""As RE2 has them, ASCII only."""


@frozen
class _Part:
    """What is known of all matches of a part of the pattern."""

    empty: bool = True
    """One may be empty."""
    first: ByteSet = 0
    """The bytes with which they begin,"""
    last: ByteSet = 0
    """and with which they end."""
    bigrams: frozenset[Bigram] = frozenset()

    def __add__(self, other: _Part) -> _Part:
        """The ends of this one and the other behind it."""
        return _Part(
            self.empty and other.empty,
            self.first | (other.first if self.empty else 0),
            other.last | (self.last if other.empty else 0),
        )


_NOTHING: Final = _Part()


def _sequence(tree: Tree, flags: int) -> _Part:
    parts = [_part(kind, value, flags) for kind, value in tree]
    before = list(accumulate(parts, initial=_NOTHING))
    behind = list(accumulate(reversed(parts), lambda later, part: part + later, initial=_NOTHING))[::-1]
    cuts = zip(before, behind, strict=True)
    between = {(left.last, right.first) for left, right in cuts if not left.empty and not right.empty}
    whole = before[-1]
    return _Part(whole.empty, whole.first, whole.last, frozenset(between).union(*(part.bigrams for part in parts)))


def _part(kind: Any, value: Any, flags: int) -> _Part:
    if kind is kinds.AT:  # a place, no text
        return _NOTHING
    if kind is kinds.SUBPATTERN:
        _, on, off, inner = value
        return _sequence(inner, flags & ~off | on)
    if kind is kinds.BRANCH:
        return _either([_sequence(inner, flags) for inner in value[1]])
    if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
        least, _, inner = value
        return _repeated(_sequence(inner, flags), least)
    characters = _characters(kind, value, flags)
    return _Part(False, characters, characters)


def _either(parts: list[_Part]) -> _Part:
    return _Part(
        any(part.empty for part in parts),
        reduce(or_, (part.first for part in parts)),
        reduce(or_, (part.last for part in parts)),
    )


def _repeated(part: _Part, least: int) -> _Part:
    if least == 0:
        return _Part(True, part.first, part.last)
    joint = {(part.last, part.first)} if least > 1 and not part.empty else set()
    return _Part(part.empty, part.first, part.last, part.bigrams | joint)


def _characters(kind: Any, value: Any, flags: int) -> ByteSet:
    """The bytes of which a character consists that the part matches, and perhaps more."""
    if kind is kinds.ANY:
        return _ASCII | _BEYOND if flags & re.DOTALL else ~_ascii("\n") & _ASCII | _BEYOND
    if kind is kinds.LITERAL:
        return _any_of([(kind, value)], flags)
    if kind is kinds.NOT_LITERAL:
        return _none_of([(kinds.LITERAL, value)], flags)
    if kind is kinds.IN:
        return _none_of(value[1:], flags) if value[0][0] is kinds.NEGATE else _any_of(value, flags)
    raise _UnknownPartError


def _any_of(members: Tree, flags: int) -> ByteSet:
    characters = _listed(members, flags)
    if flags & re.IGNORECASE and characters & (_CASES_BEYOND | _BEYOND):
        return characters | _CASES_BEYOND | _BEYOND
    return characters


def _none_of(members: Tree, flags: int) -> ByteSet:
    return ~_listed(members, flags) & _ASCII | _BEYOND


def _listed(members: Tree, flags: int) -> ByteSet:
    """Exactly the ASCII characters that are named, in either case if case is ignored, and what may be beyond."""
    named = reduce(or_, (_member(kind, value) for kind, value in members), 0)
    return named | (named & _LOWER) >> 32 | (named & _UPPER) << 32 if flags & re.IGNORECASE else named


def _member(kind: Any, value: Any) -> ByteSet:
    if kind is kinds.CATEGORY and value in _CLASSES:
        return _CLASSES[value]
    if kind not in (kinds.LITERAL, kinds.RANGE):
        raise _UnknownPartError
    least, most = value if kind is kinds.RANGE else (value, value)
    return byte_set(range(least, min(most, 127) + 1)) | (_BEYOND if most > 127 else 0)
