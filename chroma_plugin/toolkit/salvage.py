"""What can still be read of damaged files of vectors (`vector_file`)."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chroma_plugin.errors import ChromaError
from chroma_plugin.toolkit.vector_file import Header, read_header
from chroma_plugin.types import Matrix

Stamps = npt.NDArray[np.int64]


class SalvagedVectors:
    """The settled vectors of a collection by their stamps, as far as they are what was written."""

    def __init__(self, directory: Path, dimension: int | None, wanted: Stamps, notes: list[str]) -> None:
        """`wanted`: the stamps of all records that need one. What is left out is told in `notes`."""
        numbers = [int(path.stem) for path in directory.glob("*.vectors") if path.stem.isdecimal() and path.is_file()]
        path = directory / f"{max(numbers, default=0)}.vectors"
        self._vectors: Matrix = np.empty((0, dimension or 1), dtype=np.float32)
        self._row_of: dict[int, int] = {}
        if not len(wanted):
            return
        header = _header(path, dimension, notes)
        dimension = header.dimension if header is not None else dimension
        if not dimension or not path.is_file():
            notes.append(f"{path} is missing, or its dimension is unknown.")
            return
        self._vectors = _matrix(path, dimension)
        stamps = _stamps(path.with_suffix(".stamps"), header, wanted, notes)[: len(self._vectors)]
        good = _good(self._vectors, header, len(stamps))
        if not good.all():
            lost = np.count_nonzero(~good)
            notes.append(f"{path} is damaged: {lost} of its {len(good)} rows are not what was written.")
        # The last one, where an update of other columns copied a vector.
        self._row_of = {stamp: row for row, stamp in enumerate(stamps.tolist()) if good[row]}

    def take(self, stamps: Stamps) -> tuple[Matrix, npt.NDArray[np.bool_]]:
        """Their vectors, and which of them there are; zeros for the others."""
        rows = np.array([self._row_of.get(stamp, -1) for stamp in stamps.tolist()], dtype=np.intp)
        found = np.zeros((len(rows), self._vectors.shape[1]), dtype=np.float32)
        found[rows >= 0] = self._vectors[rows[rows >= 0]]
        return found, rows >= 0


def _header(path: Path, dimension: int | None, notes: list[str]) -> Header | None:
    try:
        return read_header(path, dimension, whole=False)
    except ChromaError as error:
        notes.append(f"Vectors of {path} can't be verified: {error}")
        return None


def _matrix(path: Path, dimension: int) -> Matrix:
    rows = path.stat().st_size // (dimension * 4)
    if not rows:
        return np.empty((0, dimension), dtype=np.float32)
    return np.memmap(path, dtype="<f4", mode="r", shape=(rows, dimension))


def _stamps(path: Path, header: Header | None, wanted: Stamps, notes: list[str]) -> Stamps:
    """Those of the file, if they can be believed; no wrong vector is given to any record."""
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    stamps = np.frombuffer(data[: len(data) // 8 * 8], dtype="<i8").astype(np.int64)
    if header is None:
        return stamps  # nothing says that they are wrong
    for candidate in _candidates(stamps[: header.rows], header.rows, wanted):
        if zlib.crc32(candidate.astype("<i8").tobytes()) == header.stamps_checksum:
            return candidate
    notes.append(f"{path} is damaged, or the header beside it is another's: which vector is whose is lost.")
    return stamps[:0]


def _candidates(stamps: Stamps, rows: int, wanted: Stamps) -> list[Stamps]:
    """What stood there may be what stands there, the numbers one after the other, or what stands there but for one bit:
    then one of the wanted stamps is missing, and one that nobody wants differs from it by that.
    """
    found = [stamps, np.arange(rows, dtype=np.int64)]
    missing = np.setdiff1d(wanted, stamps)
    if len(missing) == 1 and len(stamps) == rows:
        differing = stamps ^ missing[0]
        for row in np.flatnonzero((differing != 0) & (differing & (differing - 1) == 0)).tolist():
            found.append(stamps.copy())
            found[-1][row] = missing[0]
    return found


def _good(vectors: Matrix, header: Header | None, rows: int) -> npt.NDArray[np.bool_]:
    """Which rows are what was written."""
    good = np.ones(rows, dtype=np.bool_)
    if header is None:
        return np.asarray(np.isfinite(vectors[:rows]).all(axis=1))
    for number, expected in enumerate(header.checksums):
        first, last = number * header.in_block, min((number + 1) * header.in_block, header.rows)
        if last > len(vectors) or zlib.crc32(np.ascontiguousarray(vectors[first:last]).data) != expected:
            good[first:last] = False
    return good
