"""Files that may be thrown away: written whole or not at all, and checked before they are believed."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from chroma_plugin.errors import StorageError

_PIECE: Final = 8 << 20


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a temporary file beside `path`, put it on disk, and only then give it the name."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with naming(path):
        try:
            write(temporary)
            sync(temporary)
            if path.is_dir():
                discard(path)
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        sync(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What the system refuses, as a StorageError that says where, and what to do."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}. {remedy(str(error.strerror))}".rstrip()) from error


_REMEDIES: Final = {
    errno.ENOSPC: "Make room on the disk",
    errno.EDQUOT: "Make room, or have the quota raised",
    errno.EFBIG: "Raise the limit of the size of files (ulimit -f)",
    errno.EMFILE: "Close files, or raise the limit of open files (ulimit -n)",
    errno.ENFILE: "Close files, or raise the system's limit of open files",
    errno.EROFS: "Mount the disk so that it can be written, or open the store with read_only=True",
    errno.EACCES: "See that this user may write there, or open the store with read_only=True",
    errno.EPERM: "See that this user may write there, or open the store with read_only=True",
    errno.EIO: "The disk fails, as the system's log should tell: save the store to another one",
}


def remedy(text: str) -> str:
    """What to do about an error of the system that is named in a text; empty when there is nothing to say."""
    for number, advice in _REMEDIES.items():
        if os.strerror(number) in text:
            return f"What was acknowledged is kept. {advice}; then go on, or try again."
    return ""


def copy_bytes(descriptor: int, size: int, target: Path, on_bytes: Callable[[int], object]) -> None:
    """Write the first bytes of an open file to a new one; ``on_bytes`` is called with how many more are done. Where the
    file system can, they are shared, not copied. They are on disk when somebody calls `sync`.
    """
    with target.open("xb") as file:
        place = 0
        while place < size:
            copied = _copy_some(descriptor, file.fileno(), place, min(size - place, _PIECE))
            if not copied:
                raise OSError(f"{target} ends after {place} of {size} bytes: its source became shorter")
            place += copied
            on_bytes(copied)


def _copy_some(source: int, target: int, place: int, count: int) -> int:
    if hasattr(os, "copy_file_range"):
        with suppress(OSError):  # not between all file systems
            return os.copy_file_range(source, target, count, place, place)
    os.lseek(target, place, os.SEEK_SET)
    return os.write(target, os.pread(source, count, place))


def write_at(descriptor: int, data: memoryview, place: int) -> int:
    """All of it; returns the place behind it."""
    while data:
        written = os.pwrite(descriptor, data, place)
        data, place = data[written:], place + written
    return place


def discard(path: Path) -> None:
    """Delete a file that may be thrown away, or the directory that somebody put in its place."""
    if path.is_dir() and not path.is_symlink():
        from shutil import rmtree  # which imports what unpacks archives

        rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Wait until a directory is on disk with all that is in it."""
    for path in directory.rglob("*"):
        sync(path)
    sync(directory)


def checksum(path: Path) -> int:
    """CRC-32 of a file, read in pieces."""
    value = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            value = zlib.crc32(piece, value)
    return value
