"""One file that is written whole, with a header and a checksum of all of it: believed entirely or not at all."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chroma_plugin.toolkit.files import replace_file


def write_checked(path: Path, header: bytes, arrays: Sequence[npt.NDArray[Any]]) -> None:
    """Put the file in its place: a line with checksum and header, then the bytes of the arrays."""
    pieces = [np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in arrays]
    checksum = zlib.crc32(header)
    for piece in pieces:
        checksum = zlib.crc32(piece.data, checksum)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.write(b"%d %s\n" % (checksum, header))
            for piece in pieces:
                file.write(piece.data)

    replace_file(path, write)


def read_checked(path: Path) -> tuple[bytes, npt.NDArray[np.uint8]]:
    """The header and the bytes of the arrays. Raises ValueError for a file that is not what was written."""
    with path.open("rb") as file:
        checksum, _, header = file.readline().rstrip(b"\n").partition(b" ")
        body = np.fromfile(file, dtype=np.uint8)
    if not checksum.isdigit() or int(checksum) != zlib.crc32(body.data, zlib.crc32(header)):
        raise ValueError(f"{path} is not what was written")
    return header, body
