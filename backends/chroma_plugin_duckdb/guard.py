"""What is looked at before DuckDB opens its file: whether everything is there that was acknowledged.

Called by the one that holds the file's lock: what another process is writing at the moment looks cut short.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Final

from chroma_plugin.errors import CorruptionError
from chroma_plugin.toolkit.damage import way_out
from chroma_plugin.toolkit.files import sync
from chroma_plugin_duckdb.head import Head
from chroma_plugin_duckdb.log import (
    MOST_HEAD,
    LogHead,
    cut,
    log_head,
    log_of,
    log_size,
    never_began,
    read_log,
    version_of_log,
)
from chroma_plugin_duckdb.receipt import Receipt, receipt_of


class UnfinishedWriteWarning(UserWarning):
    """The log of a store ended in a write that was cut short and that nobody was told of; it was taken off."""


_LEFT_BY_A_STORE: Final = ("vectors/*/*", "index/*/*", "snapshot.json")


def _damaged(file: Path, what: str) -> CorruptionError:
    return CorruptionError(f"{file} {what}. {way_out(file.parent)}")


def check_present(path: Path) -> None:
    """Raises CorruptionError where there is no DuckDB file, or an empty one, but what else belongs to a store."""
    if path.is_dir():
        raise _damaged(path, "is a directory; it has to be a file")
    if path.exists() and path.stat().st_size:
        return
    left = [file for file in (log_of(path), receipt_of(path)) if file.exists() and file.stat().st_size]
    left += [file for pattern in _LEFT_BY_A_STORE for file in path.parent.glob(pattern)]
    if left:
        what = "empty" if path.exists() else "missing"
        raise _damaged(path, f"is {what}, but there was a store: {left[0]} is there")


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
    mine = f"If that is meant, because it was restored from a backup, delete {receipt_of(path)}"
    if receipt.head.identifier != head.identifier:
        raise _damaged(path, f"is not the file that was here, but another one. {mine}")
    if receipt.head.iteration > head.iteration:
        raise _damaged(path, f"is an older state of the file that was here. {mine}")
    if receipt.head.iteration < head.iteration:
        return 0
    if (size := log_size(path)) < receipt.log:
        what = f"has {size} of the {receipt.log} bytes that were acknowledged" if size else "is missing or empty"
        raise _damaged(log_of(path), f"{what}: what was written last is in it")
    return receipt.log


def _check_log(path: Path, head: Head, acknowledged: int, *, read_only: bool) -> None:
    log = log_of(path)
    if not log_size(path):
        return
    if not acknowledged and never_began(log):
        _take_off(log, 0, read_only=read_only)
        return
    found = _log_head(path, acknowledged)
    if found is None:
        return
    if found.head.identifier != head.identifier:
        raise _damaged(log, "is the log of another DuckDB file")
    # One checkpoint behind: the process ended between finishing it and deleting the log.
    behind = head.iteration - found.head.iteration
    if behind not in (0, 1) or (behind and acknowledged):
        raise _damaged(log, f"is the log of another state of {path.name}")
    reading = read_log(log, found.length)
    if reading.whole < acknowledged or (reading.bad is not None and reading.more):
        at = reading.whole if reading.bad is None else reading.bad
        raise _damaged(log, f"is damaged: what stands at byte {at} is not what was written")
    if reading.bad is not None:
        _take_off(log, reading.whole, read_only=read_only)
    elif reading.whole < reading.size and not read_only:
        cut(log, reading.whole)  # DuckDB passes over it, and leaves it: it would seem to be acknowledged


def _log_head(path: Path, acknowledged: int) -> LogHead | None:
    """None for a log that is for DuckDB to judge: it was just begun, or a later DuckDB has another format."""
    log = log_of(path)
    with log.open("rb") as file:
        data = file.read(MOST_HEAD)
    found = log_head(data)
    if found is None and (acknowledged or len(data) == MOST_HEAD) and version_of_log(data) in (None, 2):
        raise _damaged(log, "is damaged: it does not begin as a log does")
    return found


def _take_off(log: Path, whole: int, *, read_only: bool) -> None:
    what = f"{log} ends in a write that was cut short, and never acknowledged, from byte {whole} on"
    if read_only:
        raise CorruptionError(f"{what}. Open the store once without read_only: it is taken off then.")
    copy = _free_name(log)
    shutil.copyfile(log, copy)
    sync(copy)
    cut(log, whole)
    sync(log.parent)
    warnings.warn(
        f"{what}. It was taken off; the log as it was is kept as {copy.name}.", UnfinishedWriteWarning, stacklevel=2
    )


def _free_name(log: Path) -> Path:
    number = 1
    while (copy := log.with_name(f"{log.name}.unfinished-{number}")).exists():
        number += 1
    return copy
