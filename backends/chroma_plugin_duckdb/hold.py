"""The lock that DuckDB takes on its file, taken without DuckDB."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from chroma_plugin.errors import StorageError
from chroma_plugin.toolkit.files import naming

_PATIENCE: Final = 2.0
"""Seconds to wait for others to let go of the file."""
_PAUSE: Final = 0.02


class Hold:
    """No other process opens the file meanwhile.

    The lock belongs to the process, and is lost when the process closes any descriptor of the file. So this one is kept
    until DuckDB, which opens the file under it, has closed its own.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor: Final = descriptor

    @classmethod
    def take(cls, path: Path, *, read_only: bool) -> Hold | None:
        """None where that can't be done, or another process has the file: DuckDB says then who it is. Any number may
        have it that only read.
        """
        while (descriptor := _opened(path, read_only=read_only)) is not None:
            if not _locked_patiently(descriptor, read_only=read_only):
                os.close(descriptor)
                return None
            if _is_at(descriptor, path):
                return cls(descriptor)
            os.close(descriptor)  # another file has taken its place meanwhile
        return None

    def release(self) -> None:
        os.close(self.descriptor)


def _opened(path: Path, *, read_only: bool) -> int | None:
    try:
        with naming(path):
            return os.open(path, os.O_RDONLY if read_only else os.O_RDWR)
    except StorageError as error:
        if isinstance(error.__cause__, (FileNotFoundError, IsADirectoryError)):
            return None
        raise


def _is_at(descriptor: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False


def _locked_patiently(descriptor: int, *, read_only: bool) -> bool:
    """Readers have a file for moments only: a writer waits that long. For another writer nobody waits."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return False

    def lock(how: int) -> bool:
        try:
            fcntl.lockf(descriptor, how | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def only_read() -> bool:
        if not lock(fcntl.LOCK_SH):
            return False
        fcntl.lockf(descriptor, fcntl.LOCK_UN)
        return True

    deadline = monotonic() + _PATIENCE
    while not lock(fcntl.LOCK_SH if read_only else fcntl.LOCK_EX):
        if read_only or monotonic() > deadline or not only_read():
            return False
        sleep(_PAUSE)
    return True
