"""By what it is told whether a DuckDB file holds what it held before."""

from __future__ import annotations

import os
from pathlib import Path

from chroma_plugin.frozen import frozen
from chroma_plugin_duckdb.head import Head
from chroma_plugin_duckdb.log import log_size
from chroma_plugin_duckdb.receipt import Receipt


@frozen
class Moment:
    """The state of a DuckDB file: two that are equal hold the same."""

    inode: int
    head: Head | None
    log: int
    """Bytes of the log that belong to it."""

    @classmethod
    def at_rest(cls, path: Path, descriptor: int) -> Moment:
        """Of a file that nobody writes, open as ``descriptor``."""
        return cls(os.fstat(descriptor).st_ino, Head.read(descriptor), log_size(path))

    @classmethod
    def acknowledged(cls, path: Path, descriptor: int, receipt: Receipt | None) -> Moment:
        """Of a file that another process may be writing: nothing that may yet be refused."""
        head = Head.read(descriptor)
        if receipt is None:
            log = log_size(path)
        else:
            # After a checkpoint there is no receipt until something was acknowledged again.
            log = receipt.log if head is None or receipt.head.iteration >= head.iteration else 0
        return cls(os.fstat(descriptor).st_ino, head, log)
