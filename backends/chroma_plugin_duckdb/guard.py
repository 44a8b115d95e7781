"""What is looked at before DuckDB opens its file: whether everything is there that was acknowledged.

Called by the one that holds the file's lock: what another process is writing at the moment looks cut short.
"""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from typing import Final

from chroma_plugin.errors import CorruptionError, StorageError
from chroma_plugin.toolkit.files import sync
from chroma_plugin_duckdb.head import Head
from chroma_plugin_duckdb.log import MOST_HEAD, LogHead, Reading, log_head, log_of, log_size, read_log, version_of_log
from chroma_plugin_duckdb.receipt import Receipt, receipt_of


class UnfinishedWriteWarning(UserWarning):
    """The log of a store ended in a write that was cut short and that nobody was told of; it was taken off."""


_LEFT_BY_A_STORE: Final = ("vectors/*/*", "index/*/*", "snapshot.json")


def way_out(path: Path) -> str:
    """What to do about a damaged store."""
    return (
        f"Restore the directory from a backup, or save what can be saved: chroma-plugin doctor --repair {path.parent}"
    )


def check_present(path: Path) -> None:
    """Raises CorruptionError where there is no DuckDB file, or an empty one, but what else belongs to a store."""
    if path.exists() and (path.is_dir() or path.stat().st_size):
        return
    left = [file for file in (log_of(path), receipt_of(path)) if file.exists() and file.stat().st_size]
    left += [file for pattern in _LEFT_BY_A_STORE for file in path.parent.glob(pattern)]
    if left:
        what = "empty" if path.exists() else "missing"
        raise CorruptionError(f"{path} is {what}, but there was a store: {left[0]} is there. {way_out(path)}")


def check_whole(path: Path, descriptor: int, *, read_only: bool) -> None:
    """Raises CorruptionError unless the DuckDB file, open as `descriptor`, and its log have all that was acknowledged.

    A write at the end of the log that was cut short is taken off, with a warning, a copy of the log beside it.
    """
    head = Head.read(descriptor)
    if head is None:
        return  # DuckDB says what is wrong with it
    receipt = Receipt.read(path)
    acknowledged = _acknowledged(path, head, receipt)
    _check_log(path, head, acknowledged, read_only=read_only)


def _acknowledged(path: Path, head: Head, receipt: Receipt | None) -> int:
    """How many bytes of log there have to be."""
    if receipt is None:
        return 0
    mine = f"If it is meant to be, because it was restored from a backup, delete {receipt_of(path)}."
    if receipt.head.identifier != head.identifier:
        raise CorruptionError(f"{path} is not the file that was here, but another one. {mine} Or: {way_out(path)}")
    if receipt.head.iteration > head.iteration:
        raise CorruptionError(f"{path} is an older state of the file that was here. {mine} Or: {way_out(path)}")
    if receipt.head.iteration < head.iteration:
        return 0
    if (size := log_size(path)) < receipt.log:
        what = f"has {size} of the {receipt.log} bytes that were acknowledged" if size else "is missing or empty"
        raise CorruptionError(f"{log_of(path)} {what}: what was written last is in it. {way_out(path)}")
    return receipt.log


def _check_log(path: Path, head: Head, acknowledged: int, *, read_only: bool) -> None:
    log = log_of(path)
    if not log_size(path):
        return
    found = _log_head(path, acknowledged)
    if found is None:
        return
    if found.head.identifier != head.identifier:
        raise CorruptionError(f"{log} is the log of another DuckDB file. {way_out(path)}")
    # One checkpoint behind: the process ended between finishing it and deleting the log.
    behind = head.iteration - found.head.iteration
    if behind not in (0, 1) or (behind and acknowledged):
        raise CorruptionError(f"{log} is the log of another state of {path.name}. {way_out(path)}")
    reading = read_log(log, found.length)
    if reading.whole < acknowledged or (reading.bad is not None and reading.more):
        at = reading.whole if reading.bad is None else reading.bad
        raise CorruptionError(f"{log} is damaged: what stands at byte {at} is not what was written. {way_out(path)}")
    if reading.bad is not None:
        _take_off(log, reading, read_only=read_only)


def _log_head(path: Path, acknowledged: int) -> LogHead | None:
    """None for a log that is for DuckDB to judge: it was just begun, or a later DuckDB has another format."""
    log = log_of(path)
    with log.open("rb") as file:
        data = file.read(MOST_HEAD)
    found = log_head(data)
    if found is None and (acknowledged or len(data) == MOST_HEAD) and version_of_log(data) in (None, 2):
        raise CorruptionError(f"{log} is damaged: it does not begin as a log does. {way_out(path)}")
    return found


def _take_off(log: Path, reading: Reading, *, read_only: bool) -> None:
    what = f"{log} ends in a write that was cut short, and never acknowledged, from byte {reading.whole} on"
    if read_only:
        raise StorageError(f"{what}. Open the store once without read_only: it is taken off then.")
    copy = _free_name(log)
    shutil.copyfile(log, copy)
    sync(copy)
    os.truncate(log, reading.whole)
    sync(log)
    sync(log.parent)
    warnings.warn(
        f"{what}. It was taken off; the log as it was is kept as {copy.name}.", UnfinishedWriteWarning, stacklevel=2
    )


def _free_name(log: Path) -> Path:
    number = 1
    while (copy := log.with_name(f"{log.name}.unfinished-{number}")).exists():
        number += 1
    return copy
