"""Where a few bytes stand among many.

stringzilla compares 64 bytes at a time and reads as fast as memory gives: 13 MB in 0.3 ms. Without it numpy compares
some of the bytes everywhere, in 4 ms; so it does, too, where more is found than is worth a call each.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]

_MANY: Final = 20_000
"""Places that take as long to fetch one by one, 0.1 us each, as to find by comparing everywhere."""
_AT_ONCE: Final = 256 << 10
"""Bytes that are compared before the next: they stay in the cache for all comparisons."""


@functools.cache
def available() -> bool:
    """Whether stringzilla is installed."""
    return importlib.util.find_spec("stringzilla") is not None


def occurrences(data: Bytes, wanted: bytes) -> Places:
    """The places where the wanted bytes, one at least, begin; ascending."""
    if not available():
        return _compared(data, wanted)
    import stringzilla

    whole = stringzilla.Str(data.data)
    if whole.count(wanted, allowoverlap=True) > _MANY:
        return _compared(data, wanted)
    return np.fromiter(_one_by_one(whole, wanted), dtype=np.intp)


def _one_by_one(whole: Any, wanted: bytes) -> Iterator[int]:
    place: int = whole.find(wanted)
    while place >= 0:
        yield place
        place = whole.find(wanted, place + 1)


def _compared(data: Bytes, wanted: bytes) -> Places:
    """The first, the middle and the last byte are compared everywhere, the others where those three are right."""
    count, sought = len(data) - len(wanted) + 1, np.frombuffer(wanted, dtype=np.uint8)
    telling = sorted({0, len(wanted) // 2, len(wanted) - 1})
    found = [_alike(data, sought, telling, start, min(start + _AT_ONCE, count)) for start in range(0, count, _AT_ONCE)]
    places = np.concatenate(found) if found else np.empty(0, dtype=np.intp)
    for offset in range(len(wanted)):
        if offset not in telling:
            places = places[data[places + offset] == sought[offset]]
    return places


def _alike(data: Bytes, sought: Bytes, telling: list[int], start: int, stop: int) -> Places:
    """The places from `start` up to `stop` from which on those bytes are as wanted."""
    alike = np.ones(stop - start, dtype=np.bool_)
    for offset in telling:
        alike &= data[start + offset : stop + offset] == sought[offset]
    return np.flatnonzero(alike) + start
