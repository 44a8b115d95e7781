"""A file that only grows, in blocks with checksums: what is read is what was written, or an error says where not."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.errors import CorruptionError


class Blocks:
    """The checksums of the first ``size`` bytes. Each block is looked at before its first use, and never again."""

    def __init__(
        self, path: Path, descriptor: int, block: int, size: int, checksums: Sequence[int], way_out: str
    ) -> None:
        self.path: Final = path
        self.block: Final = block
        self.size: Final = size
        self.checksums: Final = list(checksums)
        self._descriptor, self._way_out = descriptor, way_out
        self.checked: Final = np.zeros(len(self.checksums), dtype=np.bool_)
        """Which of them were looked at."""
        self.sound = not self.checksums
        """Nothing has to be looked at any more."""

    def look_at(self, blocks: npt.NDArray[np.intp]) -> None:
        """Raises CorruptionError when one of them is not what was written."""
        if self.sound:
            return
        checked = self.checked
        wanted = np.zeros(len(checked), dtype=np.bool_)
        wanted[blocks[blocks < len(checked)]] = True
        for block in np.flatnonzero(wanted & ~checked).tolist():
            if not checked[block]:
                if self._checksum(block, self.size) != self.checksums[block]:
                    where = f"{self.block} bytes from {block * self.block} on are not what was written"
                    raise CorruptionError(f"{self.path} is damaged: {where}. {self._way_out}")
                checked[block] = True
        self.sound = bool(checked.all())

    def look_between(self, first: int, last: int) -> None:
        """At the bytes from `first` up to `last`."""
        if not self.sound:
            self.look_at(np.arange(first // self.block, -(-last // self.block)))

    def look_at_all(self) -> Iterator[None]:
        """One after the other."""
        for block in np.flatnonzero(~self.checked).tolist():
            self.look_at(np.array([block]))
            yield

    def grown(self, size: int) -> Blocks:
        """Those of a file that was written on: the last block, if it was not full, gets a new checksum."""
        whole = self.size // self.block
        self.look_between(whole * self.block, self.size)
        fresh = [self._checksum(block, size) for block in range(whole, -(-size // self.block))]
        checksums = [*self.checksums[:whole], *fresh]
        blocks = Blocks(self.path, self._descriptor, self.block, size, checksums, self._way_out)
        blocks.checked[whole:] = True
        blocks.checked[:whole] = self.checked[:whole]
        blocks.sound = bool(blocks.checked.all())
        return blocks

    def on(self, descriptor: int) -> Blocks:
        """The same of the same file, opened otherwise."""
        return Blocks(self.path, descriptor, self.block, self.size, self.checksums, self._way_out)

    def _checksum(self, block: int, size: int) -> int:
        first = block * self.block
        wanted = min(first + self.block, size) - first
        data = os.pread(self._descriptor, wanted, first)
        return zlib.crc32(data) if len(data) == wanted else -1
