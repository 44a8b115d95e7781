"""Reading what another process writes and has open: from a copy of the DuckDB file and its log.

DuckDB lets nobody else open its file then. But what was acknowledged stands still in it: commits go behind the end of
the log, and into blocks that the file does not use yet. Only a checkpoint moves things, and it shows: in the head of
the file when it is done, in the copies of blocks beside the file until then (see `checkpoint`). So a copy between whose
beginning and end the head has stayed the same, cut where the log was acknowledged, is the store as it was acknowledged
at the beginning; or later, but never less.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Final

from chroma_plugin.errors import ChromaError, LockedError
from chroma_plugin.toolkit.files import copy_bytes, naming
from chroma_plugin_duckdb import checkpoint, guard
from chroma_plugin_duckdb.head import Head
from chroma_plugin_duckdb.log import log_of
from chroma_plugin_duckdb.moment import Moment
from chroma_plugin_duckdb.receipt import Receipt, receipt_of

_PATIENCE: Final = 10.0
"""Seconds to wait for a while without a checkpoint that is long enough. One comes after 64 MiB of log."""
_PAUSE: Final = 0.02


def moment(path: Path) -> Moment:
    """What there is now to be copied."""
    with naming(path), _open(path) as descriptor:
        return Moment.acknowledged(path, descriptor, _receipt(path))


def _receipt(path: Path) -> Receipt | None:
    return Receipt.read(path) or Receipt.read(path)  # it may have been met half written


@contextmanager
def copied(path: Path) -> Iterator[tuple[Path, Moment]]:
    """A copy of the DuckDB file at that path, with its log, whole and examined, until the block ends; and what it is a
    copy of. Raises LockedError where the writer leaves no time for one, CorruptionError for a damaged one.
    """
    with naming(path):
        directory = TemporaryDirectory(prefix="chroma-plugin-", ignore_cleanup_errors=True)
    with directory as place:
        copy = Path(place) / path.name
        with naming(path):
            taken = _copied_patiently(path, copy)
        with _told_of(path, copy), _open(copy, os.O_RDWR) as descriptor:
            checkpoint.undo(copy, descriptor, read_only=False)
            guard.check_whole(copy, descriptor, read_only=True)
        yield copy, taken


def _copied_patiently(path: Path, copy: Path) -> Moment:
    end = monotonic() + _PATIENCE
    while True:
        taken = _copied(path, copy)
        if taken is not None:
            return taken
        if monotonic() > end:
            raise LockedError(
                f"{path} is being written by another process, and was put in order by it so often that it could not be "
                f"read in {_PATIENCE:.0f} seconds. Try again when it has less to do, or let both use one server."
            )
        sleep(_PAUSE)


def _copied(path: Path, copy: Path) -> Moment | None:
    """None when something was moved meanwhile."""
    with _open(path) as descriptor:
        place, receipt = _place(path), _receipt(path)
        taken, size = Moment.acknowledged(path, descriptor, receipt), os.fstat(descriptor).st_size

        def stays() -> bool:
            return _place(path) == place and Head.read(descriptor) == taken.head

        try:
            with naming(copy):
                _copy(path, descriptor, size, taken.log, copy)
        except OSError:
            if stays() and os.fstat(descriptor).st_size >= size:  # else a checkpoint has cut off its end
                raise
            return None
        if receipt is not None:
            receipt_of(copy).write_bytes(receipt.encoded())
        return taken if stays() else None


def _place(path: Path) -> tuple[int, int]:
    """Changes when another file takes the place of this one, and when files come or go beside it: so a checkpoint is
    noticed that failed and was undone.
    """
    return path.stat().st_ino, path.parent.stat().st_mtime_ns


def _copy(path: Path, descriptor: int, size: int, log_size: int, copy: Path) -> None:
    for old in copy.parent.iterdir():
        old.unlink()
    with suppress(FileNotFoundError), _open(log_of(path)) as log:
        copy_bytes(log, min(log_size, os.fstat(log).st_size), log_of(copy), lambda _: None)
    copy_bytes(descriptor, size, copy, lambda _: None)
    with suppress(FileNotFoundError):
        # After the file: what a checkpoint has changed in it by now is put back from these.
        shutil.copyfile(checkpoint.blocks_of(path), checkpoint.blocks_of(copy))


@contextmanager
def _open(path: Path, how: int = os.O_RDONLY) -> Iterator[int]:
    descriptor = os.open(path, how)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _told_of(path: Path, copy: Path) -> Iterator[None]:
    """What is wrong with the copy is wrong with the original."""
    try:
        yield
    except ChromaError as error:
        told = [str(each).replace(str(copy.parent), str(path.parent)) for each in error.args]
        raise type(error)(*told) from error
