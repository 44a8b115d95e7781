"""Choosing the best of many scores."""

from __future__ import annotations

import math
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from chroma_plugin.toolkit.vectors import RowNumbers

Scores = npt.NDArray[np.float32]
_Scalar = TypeVar("_Scalar", bound=np.generic)

NEVER: Final = np.float32(-1.5e38)
"""The score of a row that does not qualify. Finite, so that it is made by arithmetic, ten times as quick as by
indexing."""
_COLUMN: Final = 64
"""Scores are first compared in columns of so many at most."""
_FEW: Final = 2_048
"""Scores that are no quicker compared so."""


def largest(scores: Scores, count: int) -> RowNumbers:
    """For each query, of scores of shape (q, n), where the ``count`` largest are, in no order: shape (q, count); for
    one query there may be some more.

    Of many scores the greatest of each column is found first, at the speed of memory: in the ``count`` columns whose
    greatest are the greatest stand the ``count`` largest scores.
    """
    queries, length = scores.shape
    if length <= max(_FEW, 4 * count) or length % _COLUMN:
        return _largest_of_few(scores, count)
    if queries == 1:
        places = _no_less_than_many(scores[0], count)
        if len(places) <= 2 * count:
            return places[None]
    # As many columns as there are scores in those that are chosen.
    cubes = _in_columns(scores, math.isqrt(length // count))
    wide = _largest_of_few(np.maximum.reduce(cubes, axis=1), count)
    height, columns = cubes.shape[1:]
    within = cubes[np.arange(queries)[:, None, None], np.arange(height)[:, None], wide[:, None]]
    high, which = np.divmod(_largest_of_few(within.reshape(queries, -1), count), count)
    found: RowNumbers = high * columns + picked(wide, which)
    return found


def _no_less_than_many(scores: Scores, count: int) -> RowNumbers:
    """The places of all scores that are no less than the greatest of each of ``count`` columns. Few more than those
    have such a score, unless many scores are equal.
    """
    tops = np.maximum.reduce(_in_columns(scores[None], len(scores) // (4 * count))[0], axis=0)
    least = np.partition(tops, len(tops) - count)[len(tops) - count]
    return np.flatnonzero(scores >= least)


def _in_columns(scores: Scores, height: int) -> Scores:
    """The same as shape (q, height, columns), with columns of about that height: a power of two."""
    height = min(_COLUMN, 1 << (height.bit_length() - 1))
    return scores.reshape(len(scores), height, -1)


def _largest_of_few(scores: Scores, count: int) -> RowNumbers:
    length = scores.shape[1]
    if length <= count:
        return np.tile(np.arange(length), (len(scores), 1))
    # As one integer with its place behind it no score equals another: partitions are slow where many do.
    keys = scores.view(np.int32).astype(np.int64)
    keys ^= (keys >> 63) & 0x7FFF_FFFF  # the bits of negative floats, in the order of their values
    keys <<= 32
    keys |= np.arange(length)
    places: RowNumbers = np.partition(keys, length - count, axis=1)[:, length - count :] & 0xFFFF_FFFF
    return places


def picked(values: npt.NDArray[_Scalar], places: RowNumbers) -> npt.NDArray[_Scalar]:
    """From each row of the values those in the places of the same row."""
    return values[np.arange(len(places))[:, None], places]


def above(scores: Scores, bound: np.float32) -> RowNumbers:
    """The places of scores, of one query, that are no less than the bound, and not NEVER."""
    return np.flatnonzero(scores >= max(bound, NEVER / 2))


def rounded(length: int) -> int:
    """The length that scores of so many rows should have."""
    return -(-length // _COLUMN) * _COLUMN
