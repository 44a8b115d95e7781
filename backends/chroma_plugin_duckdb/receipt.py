"""What was acknowledged last: how far the log of the DuckDB file reached then.

A log that is gone, or shorter than it was, can't be told from DuckDB's files. So ``chroma.duckdb.receipt`` says after
each write how long the log is, of which file, after which of its checkpoints. It is written after the log is on disk
and is not synced itself: after a loss of power it may be older, which asks for less, but never newer. Without it, or
when it is damaged, nothing is asked.
"""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.files import sync
from chroma_plugin_duckdb.head import Head
from chroma_plugin_duckdb.log import MOST_HEAD, log_head, log_of, log_size

_TEXT: Final = b"%s %020d %020d"
_LENGTH: Final = 32 + 21 + 21
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)


def receipt_of(path: Path) -> Path:
    """Where the receipt of a DuckDB file stands."""
    return path.with_name(f"{path.name}.receipt")


@frozen
class Receipt:
    """What must be there."""

    head: Head
    log: int
    """Bytes of the log."""

    @classmethod
    def read(cls, path: Path) -> Receipt | None:
        """That of the DuckDB file at the path; None when there is none to be believed."""
        try:
            with receipt_of(path).open("rb") as file:
                text, _, checksum = file.read(2 * _LENGTH).rpartition(b" ")
            if len(text) != _LENGTH or int(checksum) != zlib.crc32(text):
                return None
            identifier, iteration, log = text.split(b" ")
            return cls(Head(bytes.fromhex(identifier.decode()), int(iteration)), int(log))
        except (OSError, ValueError):
            return None

    def encoded(self) -> bytes:
        """Always as long."""
        text = _TEXT % (self.head.identifier.hex().encode(), self.head.iteration, self.log)
        return b"%s %010d" % (text, zlib.crc32(text))


class Receipts:
    """Writes those of one DuckDB file. That one can't be written fails no write: it is on disk already."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head: Head | None = None
        """Of the log as it is; None when there is none yet."""
        self._log = 0
        self._descriptor: int | None = None

    def opened(self) -> None:
        """When DuckDB has opened the file, and may have begun another log."""
        self._head, self._log = None, 0

    def committed(self) -> None:
        """After a commit or a checkpoint."""
        size = log_size(self._path)
        if size < self._log or self._head is None:
            self._head = self._head_now() if size else None
        self._log = size
        if self._head is not None:
            self._write(Receipt(self._head, size))

    def closed(self) -> None:
        """When DuckDB has closed the file."""
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_RDONLY)
            try:
                head = Head.read(descriptor)
            finally:
                os.close(descriptor)
            if head is not None:
                # A checkpoint that ended badly may leave a log whose content is in the file.
                self._write(Receipt(head, log_size(self._path) if self._head_now() == head else 0))
        self._release()

    def withdraw(self) -> None:
        """Before another file takes the place of this one."""
        self._release()
        self._head, self._log = None, 0
        receipt_of(self._path).unlink(missing_ok=True)
        sync(self._path.parent)

    def _head_now(self) -> Head | None:
        try:
            with log_of(self._path).open("rb") as file:
                found = log_head(file.read(MOST_HEAD))
        except OSError:
            return None
        return None if found is None else found.head

    def _write(self, receipt: Receipt) -> None:
        with suppress(OSError):
            if self._descriptor is None:
                self._descriptor = os.open(receipt_of(self._path), os.O_WRONLY | os.O_CREAT | _NO_FOLLOW, 0o666)
            os.pwrite(self._descriptor, receipt.encoded(), 0)

    def _release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
