"""The head of a DuckDB file, read without DuckDB: which file it is, and how many checkpoints it has seen.

A DuckDB file begins with three pages, each with a checksum: the main header, and two database headers, of which each
checkpoint writes the older one (https://duckdb.org/docs/stable/internals/storage).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Final

import numpy as np

from chroma_plugin.frozen import frozen

_PAGE: Final = 4096
SIZE: Final = 3 * _PAGE
"""Bytes of the head."""
_MAGIC: Final = b"DUCK"
_IDENTIFIER: Final = slice(124, 140)


@frozen
class Head:
    """What tells a DuckDB file from any other, and from its own earlier states."""

    identifier: bytes
    """16 random bytes."""
    iteration: int
    """Grows by one with each checkpoint."""

    @classmethod
    def read(cls, descriptor: int) -> Head | None:
        """That of an open file; None when it is damaged, which DuckDB will say."""
        return cls.parse(os.pread(descriptor, SIZE, 0))

    @classmethod
    def parse(cls, data: bytes) -> Head | None:
        pages = _pages(data)
        if len(data) < SIZE or data[8:12] != _MAGIC or not all(_is_sound(page) for page in pages):
            return None
        return cls(data[_IDENTIFIER], max(_iteration(page) for page in pages[1:]))


def wanted_size(data: bytes) -> int | None:
    """How long the file is at least that begins so; None when that can't be told."""
    pages = [page for page in _pages(data)[1:] if _is_sound(page)]
    if not pages:
        return None
    blocks, block = struct.unpack_from("<32xQQ", max(pages, key=_iteration))
    return int(SIZE + blocks * block)


def mended(data: bytes) -> Iterator[bytes]:
    """Heads that a file with this damaged one may have had: with the checksums of what stands there, and with one
    database header for both, which is an older state where the newer one was lost.
    """
    main, first, second = _pages(data)
    if data[8:12] != _MAGIC and not _is_sound(first) and not _is_sound(second):
        return  # nothing in it looks like one
    main = main[:8] + _MAGIC + main[12:]
    pairs = [(_sealed(first), _sealed(second))]
    pairs += [(page, _sealed(_aged(page))) for page in (first, second) if _is_sound(page)]
    for one, other in pairs:
        yield _sealed(main) + one + other


def _pages(data: bytes) -> list[bytes]:
    return [data[start : start + _PAGE].ljust(_PAGE, b"\0") for start in range(0, SIZE, _PAGE)]


def _iteration(page: bytes) -> int:
    return int.from_bytes(page[8:16], "little")


def _sealed(page: bytes) -> bytes:
    return checksum(page[8:]).to_bytes(8, "little") + page[8:]


def _aged(page: bytes) -> bytes:
    """One iteration older."""
    return page[:8] + max(_iteration(page) - 1, 0).to_bytes(8, "little") + page[16:]


def _is_sound(page: bytes) -> bool:
    return bool(int.from_bytes(page[:8], "little") == checksum(page[8:]))


_MULTIPLIER: Final = 0xBF58476D1CE4E5B9
_TAIL_MULTIPLIER: Final = 0xC6A4A7935BD1E995
_TAIL_SEED: Final = 0xE17A1465
_WHOLE: Final = (1 << 64) - 1


def checksum(data: bytes | memoryview) -> int:
    """DuckDB's: each eight bytes multiplied, all of them xored; the up to seven at the end go through MurmurHash64A."""
    count = len(data) // 8
    words = np.frombuffer(data, dtype="<u8", count=count)
    value = 5381 ^ int(np.bitwise_xor.reduce(words * np.uint64(_MULTIPLIER))) if count else 5381
    rest = bytes(data[count * 8 :])
    return value ^ _of_tail(rest) if rest else value


def _of_tail(rest: bytes) -> int:
    value = _TAIL_SEED ^ (len(rest) * _TAIL_MULTIPLIER & _WHOLE)
    value = (value ^ int.from_bytes(rest, "little")) * _TAIL_MULTIPLIER & _WHOLE
    value = (value ^ value >> 47) * _TAIL_MULTIPLIER & _WHOLE
    return value ^ value >> 47
