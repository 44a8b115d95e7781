"""DuckDB's log, read without DuckDB: which of it is whole, and whether what is not can be a write that was cut short.

DuckDB drops in silence what follows some kinds of damage in its log, and refuses the whole database for others, even
for a hole in a write that nobody was told of. So the log is read here before DuckDB sees it. It has a head, which names
the file it belongs to, and frames: size, checksum, data. A transaction is some frames and an empty one, its end.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Final

from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.files import sync
from chroma_plugin_duckdb.head import Head, checksum

_FRAME: Final = 16
"""Bytes of size and checksum before the data."""
_END_DATA: Final = bytes.fromhex("640064ffff")
_END: Final = len(_END_DATA).to_bytes(8, "little") + checksum(_END_DATA).to_bytes(8, "little") + _END_DATA
"""The frame that ends a transaction, always the same."""


_SUFFIX: Final = ".wal"


def log_of(path: Path) -> Path:
    """Where the log of a DuckDB file stands."""
    return path.with_name(path.name + _SUFFIX)


def log_size(path: Path) -> int:
    """Bytes of the log of a DuckDB file; 0 when there is none."""
    try:
        return os.stat(f"{path}{_SUFFIX}").st_size  # each write asks; to make a path takes five times as long
    except OSError:
        return 0


def cut(log: Path, size: int) -> None:
    """Leave so many bytes of a log, for good."""
    os.truncate(log, size)
    sync(log)


@frozen
class LogHead:
    """How a log begins."""

    head: Head
    """Of the DuckDB file it belongs to, as it was when the log was begun."""
    length: int
    """Bytes before the first frame."""


MOST_HEAD: Final = 64
"""No log's head is longer."""
_VERSION: Final = 2
_FIELDS: Final = tuple(number.to_bytes(2, "little") for number in (100, 101, 102, 103, 0xFFFF))


def log_head(data: bytes) -> LogHead | None:
    """The head in the first bytes of a log: an entry in DuckDB's binary format, with what kind of entry it is, the
    version of the format, the identifier and the iteration. None when it is not that of a version that is known.
    """
    at = 0

    def take(expected: bytes) -> bool:
        nonlocal at
        at += len(expected)
        return data[at - len(expected) : at] == expected

    def number() -> int:
        nonlocal at
        value, shift = 0, 0
        while at < len(data):
            value |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 0x80:
                break
        return value

    kind, version, identifier, iteration, end = _FIELDS
    if not (take(kind + b"b") and take(version + bytes([_VERSION])) and take(identifier + b"\x10")):
        return None
    numbers = [number() for _ in range(16)]
    if max(numbers) > 0xFF or not take(iteration):
        return None
    head = Head(bytes(numbers), number())
    return LogHead(head, at) if take(end) else None


def head_of_log(head: Head) -> bytes:
    """How the log of a DuckDB file begins that has this head."""
    kind, version, identifier, iteration, end = _FIELDS
    numbers = b"".join(_varint(byte) for byte in head.identifier)
    begin = kind + b"b" + version + bytes([_VERSION]) + identifier + b"\x10"
    return begin + numbers + iteration + _varint(head.iteration) + end


def _varint(value: int) -> bytes:
    pieces = []
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*pieces, value])


def version_of_log(data: bytes) -> int | None:
    """The version of the format in the first bytes of a log; None when it does not begin like one."""
    start = _FIELDS[0] + b"b" + _FIELDS[1]
    return data[len(start)] if data.startswith(start) and len(data) > len(start) else None


@frozen
class Reading:
    """What was found in a log."""

    size: int
    whole: int
    """Up to here stand whole transactions."""
    bad: int | None = None
    """Where the first frame stands that is not what was written; None when there is none."""
    more: bool = False
    """Whole transactions follow after it: it is no write that was cut short."""


def read_log(path: Path, start: int) -> Reading:
    """Look at all frames of the log at that path; the first one stands at `start`."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        with memoryview(data) as view:
            whole, at = _walk(view, start)
        if at == len(data) or _is_short(data, at):
            return Reading(len(data), whole)
        return Reading(len(data), whole, at, _more_follows(data, at))


def _walk(data: memoryview, start: int) -> tuple[int, int]:
    """Where the last whole transaction ends, and the first place where no whole frame stands."""
    whole = at = start
    known: dict[bytes, int] = {}
    while length := _frame(data, at, known):
        at += length
        if data[at - len(_END) : at] == _END:
            whole = at
    return whole, at


def _frame(data: memoryview, at: int, known: dict[bytes, int]) -> int:
    """The length of the frame that stands there; 0 when there is none. `known`: checksums of small frames, most of
    which are alike.
    """
    size = int.from_bytes(data[at : at + 8], "little")
    body = data[at + _FRAME : at + _FRAME + size]
    if len(body) < size or not size:
        return 0
    if size > _SMALL:
        found = checksum(body)
    else:
        small = bytes(body)
        found = known[small] if small in known else known.setdefault(small, checksum(small))
    return _FRAME + size if found == int.from_bytes(data[at + 8 : at + _FRAME], "little") else 0


_SMALL: Final = 32


def _is_short(data: mmap.mmap, at: int) -> bool:
    """Whether the file just ends too early for the last frame: DuckDB drops such a write by itself."""
    if len(data) - at < _FRAME:
        return True
    ends = at + _FRAME + int.from_bytes(data[at : at + 8], "little")
    return ends > len(data) and data.find(_END, at) < 0 and not _was_end(data[at : at + len(_END)])


def _more_follows(data: mmap.mmap, bad: int) -> bool:
    """Whether a whole frame begins behind the end of a transaction, further on; or behind what was one."""
    if _was_end(data[bad : bad + len(_END)]) and len(data) > bad + len(_END):
        return True
    end = data.find(_END, bad)
    with memoryview(data) as view:
        while end >= 0:
            if _frame(view, end + len(_END), {}):
                return True
            end = data.find(_END, end + 1)
    return False


def ends_after(data: bytes, place: int) -> int:
    """How many transactions end behind that place."""
    return data.count(_END, place)


def _was_end(frame: bytes) -> bool:
    """Whether it is the end of a transaction but for one of its three parts."""
    parts = (slice(0, 8), slice(8, 16), slice(16, 21))
    return sum(frame[part] == _END[part] for part in parts) == 2


_SECTOR: Final = 512


def never_began(path: Path) -> bool:
    """Whether the first sector of a log never arrived on disk, and no more than one transaction stands behind it.

    Each is on disk before the next one begins: it is a first write that a loss of power cut short.
    """
    with path.open("rb") as file:
        return not any(file.read(_SECTOR)) and file.read().count(_END) <= 1  # all of it only for the rare log
