"""Choosing the best of many scores."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.toolkit.vectors import RowNumbers

Scores = npt.NDArray[np.float32]

NEVER: Final = np.float32(-1.5e38)
"""The score of a row that does not qualify. Finite, so that it is made by arithmetic, ten times as quick as by
indexing."""
_COLUMN: Final = 64
"""Scores are first compared in columns of so many."""


def largest(scores: Scores, count: int) -> list[RowNumbers]:
    """For each query, of scores of shape (q, n), the rows of the ``count`` largest that are not NEVER, and a few more.
    n is a multiple of 64.

    The greatest of each column is found first, at the speed of memory. At least ``count`` scores are no less than the
    ``count``-th greatest of these, few more are, and all of them stand in the columns whose greatest is no less.
    """
    queries, length = scores.shape
    columns = length // _COLUMN
    if columns < 4 * count:
        return [_largest_of_few(each, count) for each in scores]
    cubes = scores.reshape(queries, _COLUMN, columns)
    greatest = np.maximum.reduce(cubes, axis=1)
    bounds = np.partition(greatest, columns - count, axis=1)[:, columns - count]
    return [_in_columns(*each) for each in zip(cubes, greatest, np.maximum(bounds, NEVER / 2), strict=True)]


def _in_columns(cube: Scores, greatest: Scores, bound: np.float32) -> RowNumbers:
    columns = np.flatnonzero(greatest >= bound)
    high, wide = np.nonzero(cube[:, columns] >= bound)
    rows: RowNumbers = high * cube.shape[1] + columns[wide]
    return rows


def _largest_of_few(scores: Scores, count: int) -> RowNumbers:
    if len(scores) <= count:
        return above(scores, NEVER)
    return above(scores, np.partition(scores, len(scores) - count)[len(scores) - count])


def above(scores: Scores, bound: np.float32) -> RowNumbers:
    """The rows whose scores are no less than the bound, and not NEVER."""
    return np.flatnonzero(scores >= max(bound, NEVER / 2))


def smallest(scores: Scores, count: int, slack: float) -> RowNumbers:
    """The rows of the ``count`` smallest scores, and of those that are larger by no more than ``slack``."""
    if len(scores) <= count:
        return np.arange(len(scores))
    bound = np.partition(scores, count - 1)[count - 1]
    return np.flatnonzero(scores <= bound + slack)


def rounded(length: int) -> int:
    """The length that scores of so many rows must have."""
    return -(-length // _COLUMN) * _COLUMN
