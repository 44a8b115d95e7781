"""One file that is written whole, with a header and a checksum of all of it: believed entirely or not at all."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.toolkit.files import replace_file

Bytes = npt.NDArray[np.uint8]
DOUBTFUL: Final = (OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError)
"""What comes up when a file says something else than it should, whatever its checksum. Files that are only derived are
then made again.
"""
_MOST_PACKED: Final = 1032
"""Bytes that deflate makes of one, at most."""


def write_checked(path: Path, header: bytes, arrays: Sequence[npt.NDArray[Any]], *, packed: bool = False) -> str:
    """Put the file in its place: a line with checksum and header, then the bytes of the arrays. Returns the checksum.

    ``packed``: arrays of numbers that are alike take less room.
    """
    pieces = [_packed(array) if packed else _bytes(array) for array in arrays]
    checksum = zlib.crc32(header)
    for piece in pieces:
        checksum = zlib.crc32(piece.data, checksum)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.write(b"%d %s\n" % (checksum, header))
            for piece in pieces:
                file.write(piece.data)

    replace_file(path, write)
    return str(checksum)


def read_checked(path: Path, *, packed: bool = False) -> tuple[bytes, Bytes, str]:
    """The header, the bytes of the arrays, and the checksum. Raises ValueError for a file that is not what was
    written.
    """
    with path.open("rb") as file:
        checksum, _, header = file.readline().rstrip(b"\n").partition(b" ")
        body = np.fromfile(file, dtype=np.uint8)
    if not checksum.isdigit() or int(checksum) != zlib.crc32(body.data, zlib.crc32(header)):
        raise ValueError(f"{path} is not what was written")
    return header, _unpacked(body) if packed else body, checksum.decode()


def _bytes(array: npt.NDArray[Any]) -> Bytes:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _packed(array: npt.NDArray[Any]) -> Bytes:
    """The first bytes of all numbers, then the second ones, and so on, compressed; before it the two sizes and how many
    bytes a number has.
    """
    width = array.dtype.itemsize
    planes = np.ascontiguousarray(_bytes(array).reshape(-1, width).T)
    data = zlib.compress(planes.data)
    return np.frombuffer(np.array([len(data), planes.size, width], dtype="<u8").tobytes() + data, dtype=np.uint8)


def _unpacked(body: Bytes) -> Bytes:
    arrays = [np.empty(0, dtype=np.uint8)]
    place = 0
    while place < len(body):
        length, size, width = body[place : place + 24].view("<u8").tolist()
        data = _inflated(body[place + 24 : place + 24 + length], size)
        arrays.append(np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(width, -1).T).reshape(-1))
        place += 24 + length
    return np.concatenate(arrays)


def _inflated(packed: Bytes, size: int) -> bytes:
    """Exactly so many bytes. Raises ValueError for anything else, before room is made for what can't be in there."""
    if size > _MOST_PACKED * len(packed):
        raise ValueError(f"{len(packed)} packed bytes can't hold {size}")
    try:
        # One more than there should be, so that more is noticed without being unpacked.
        data = zlib.decompressobj().decompress(packed.data, size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(data) != size:
        raise ValueError(f"{len(data)} bytes were unpacked where {size} should be")
    return data
