"""The vectors in the files of an hnswlib index, mapped and never loaded as an index.

``data_level0.bin`` has one row per element: its links, its vector, its label. In a cosine index the vector is
normalised, and ``length.bin`` has its length.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.errors import CorruptionError
from chroma_plugin.types import Matrix, Metric

_HEADER: Final = struct.Struct("<i6QiI3QdQ")
_VERSION: Final = 1
_DELETED: Final = 0x10000
"""hnswlib's mark, in the word with the number of links."""


class VectorFiles:
    """The vectors of one index by label."""

    def __init__(self, directory: Path, dimension: int, metric: Metric) -> None:
        self._directory = directory
        version, _, _, count, row, label, data, *_ = _header(directory)
        if version != _VERSION or data + 4 * dimension != label or label + 8 != row:
            raise CorruptionError(f"{directory} holds no index of dimension {dimension} in a format that is known.")
        layout = np.dtype(
            {
                "names": ["links", "vector", "label"],
                "formats": ["<u4", ("<f4", dimension), "<u8"],
                "offsets": [0, data, label],
                "itemsize": row,
            }
        )
        self._rows = _mapped(directory / "data_level0.bin", layout, count)
        self._lengths = _mapped(directory / "length.bin", np.dtype("<f4"), count) if metric is Metric.COSINE else None
        alive = np.flatnonzero((self._rows["links"] & _DELETED) == 0)
        self._row_of = dict(zip(self._rows["label"][alive].tolist(), alive.tolist(), strict=True))

    def take(self, labels: Sequence[int]) -> Matrix:
        """One row per label. Raises CorruptionError for one that is not there."""
        try:
            rows = np.array([self._row_of[label] for label in labels], dtype=np.intp)
        except KeyError as error:
            raise CorruptionError(f"{self._directory} has no vector with the label {error}.") from error
        vectors: Matrix = self._rows["vector"][rows]
        return vectors if self._lengths is None else vectors * self._lengths[rows, None]


def _header(directory: Path) -> tuple[Any, ...]:
    path = directory / "header.bin"
    try:
        return _HEADER.unpack(path.read_bytes())
    except (OSError, struct.error) as error:
        raise CorruptionError(f"{path} can't be read: {error}.") from error


def _mapped(path: Path, layout: np.dtype[Any], count: int) -> npt.NDArray[Any]:
    if count == 0:
        return np.zeros(0, dtype=layout)
    try:
        if path.stat().st_size < count * layout.itemsize:
            raise ValueError("it is shorter")
        return np.memmap(path, dtype=layout, mode="r", shape=(count,))
    except (OSError, ValueError) as error:
        raise CorruptionError(f"{path} can't be read as {count} rows: {error}.") from error
