"""Choosing the best of many scores."""

from __future__ import annotations

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
"""Scores are first compared in columns of so many."""
_WORTH_IT: Final = 4
"""Columns for each score that is wanted, from which that is quicker."""


def largest(scores: Scores, count: int) -> RowNumbers:
    """For each query, of scores of shape (q, n), where the ``count`` largest are, in no order: shape (q, count).

    Of many scores the greatest of each column is found first, at the speed of memory: in the ``count`` columns whose
    greatest are the greatest stand the ``count`` largest scores.
    """
    queries, length = scores.shape
    columns = length // _COLUMN
    if length % _COLUMN or columns < _WORTH_IT * count:
        return _largest_of_few(scores, count)
    cubes = scores.reshape(queries, _COLUMN, columns)
    wide = _largest_of_few(np.maximum.reduce(cubes, axis=1), count)
    within = cubes[np.arange(queries)[:, None, None], np.arange(_COLUMN)[:, None], wide[:, None]]
    high, which = np.divmod(_largest_of_few(within.reshape(queries, -1), count), count)
    found: RowNumbers = high * columns + picked(wide, which)
    return found


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
