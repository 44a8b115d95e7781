"""DuckDB's errors and the system's as ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chroma_plugin.errors import (
    CorruptionError,
    FormatVersionError,
    LockedError,
    ReadOnlyError,
    StorageError,
)
from chroma_plugin.toolkit.damage import way_out
from chroma_plugin.toolkit.files import naming, remedy

_SIGNS_OF_DAMAGE: Final = (
    "orrupt",
    "not a valid DuckDB database file",
    "Could not read enough bytes",
    "replaying WAL",
    "This WAL was created",
    "WAL does not match",
)
_PID: Final = re.compile(r"\(PID (\d+)\)")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """What goes wrong inside is an error of ours that names the path; the most specific one."""
    import duckdb

    try:
        with naming(path):
            yield
    except duckdb.Error as error:
        text = str(error)
        if "Could not set lock" in text:
            raise _locked(path, text) from error
        if "read-only mode" in text:
            raise ReadOnlyError(f"{path} can't be written: {text}") from error
        if "newer version of DuckDB" in text:
            raise FormatVersionError(
                f"{path} can't be read by DuckDB {duckdb.__version__}: {text.splitlines()[0]} "
                "Upgrade: pip install -U duckdb"
            ) from error
        if any(sign in text for sign in _SIGNS_OF_DAMAGE):
            raise CorruptionError(f"{path} is damaged: {text}. {way_out(path.parent)}") from error
        raise StorageError(f"{path}: {text.rstrip('.')}. {remedy(text)}".rstrip()) from error


def _locked(path: Path, text: str) -> LockedError:
    match = _PID.search(text)
    pid = int(match[1]) if match else None
    holder = f"process {pid}" if pid else "another process"
    return LockedError(
        f"{path} is open in {holder}. One process may write at a time: close it there, or let both use one server. "
        "(Any number of processes may read beside it, each with read_only=True.)",
        pid,
    )
