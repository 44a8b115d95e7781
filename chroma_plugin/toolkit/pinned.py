"""The settled vectors of one moment, held open: they can be copied whatever happens to their files meanwhile.

Rows that a header names are never changed, and a file that is deleted is there as long as it is open.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from chroma_plugin.errors import CorruptionError
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.files import copy_bytes
from chroma_plugin.toolkit.vector_file import Header, latest, parse_header

_STAMP_BYTES: Final = 8


@frozen
class Pinned:
    """The three files with one number."""

    path: Path
    """Where the vectors were."""
    text: bytes
    """Of the header."""
    header: Header
    stamps: int
    """A descriptor, as the next one."""
    vectors: int

    @property
    def size(self) -> int:
        """Bytes that are to be copied."""
        return self.header.rows * (self.header.dimension * 4 + _STAMP_BYTES)

    def copy(self, directory: Path, on_bytes: Callable[[int], object]) -> None:
        """Write files of the same names; the header comes last."""
        directory.mkdir(parents=True)
        copy, rows = directory / self.path.name, self.header.rows
        copy_bytes(self.vectors, rows * self.header.dimension * 4, copy, on_bytes)
        copy_bytes(self.stamps, rows * _STAMP_BYTES, copy.with_suffix(".stamps"), on_bytes)
        copy.with_suffix(".header").write_bytes(self.text)

    def close(self) -> None:
        os.close(self.stamps)
        os.close(self.vectors)


def pin(directory: Path) -> Pinned | None:
    """Those that were settled last; None when there are none. Raises CorruptionError when a file is missing."""
    path = latest(directory)
    while path is not None:
        with suppress(FileNotFoundError):
            return _opened(path)
        newer = latest(directory)
        if newer == path:
            raise CorruptionError(f"{path} is damaged: one of its three files is missing. Restore it from a backup.")
        path = newer
    return None


def _opened(path: Path) -> Pinned:
    text = path.with_suffix(".header").read_bytes()
    header = parse_header(text, path)
    stamps = os.open(path.with_suffix(".stamps"), os.O_RDONLY)
    try:
        return Pinned(path, text, header, stamps, os.open(path, os.O_RDONLY))
    except BaseException:
        os.close(stamps)
        raise
