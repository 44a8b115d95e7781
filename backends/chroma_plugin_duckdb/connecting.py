"""Connections to DuckDB files: made, opened safely, planned for small statements."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chroma_plugin.errors import StorageError
from chroma_plugin.toolkit.formats import refuse_newer
from chroma_plugin_duckdb import forks, schema
from chroma_plugin_duckdb.failures import translated
from chroma_plugin_duckdb.log import log_of
from chroma_plugin_duckdb.receipt import receipt_of

if TYPE_CHECKING:
    import duckdb

UNFINISHED: Final = ".new"
"""How the name of a file ends that is to become one; left behind only by a process that was cut short."""

_SAFE: Final = {
    # Data is never code: nothing outside this file is read, written or loaded, whatever a statement says.
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # Checkpoints are ours to make, see `checkpoint`.
    "wal_autocheckpoint": "1000GB",
    # Our statements are small, and to wake another thread for one takes a tenth of an `add`.
    "threads": "1",
    # What was needed for a while goes back to the system, some seconds later.
    "allocator_background_threads": "true",
}

_NEEDED: Final = frozenset(("filter_pushdown", "join_filter_pushdown", "unused_columns"))
"""The optimizers of DuckDB that our statements are quicker with. All others find nothing to do, which takes them a
quarter of a small statement's time.
"""


def create(path: Path) -> None:
    """An empty store, whole or not at all; nothing when another process is quicker."""
    try:
        _make_whole(path)
    except StorageError:
        # Whoever was quicker clears away what others have not finished.
        if not path.exists():
            raise


def _make_whole(path: Path) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    with translated(path):
        remove(unfinished)
        try:
            with connect(unfinished, read_only=False) as connection:
                schema.create(connection)
                connection.execute("CHECKPOINT")
            schema.take_a_free_place(unfinished, path)
        finally:
            with suppress(OSError):
                remove(unfinished)


def connect(path: Path, *, read_only: bool, told: Path | None = None) -> duckdb.DuckDBPyConnection:
    """``told``: the path that errors name, when it is not this one."""
    import duckdb

    forks.refuse_inherited(path)
    with translated(told or path):
        return duckdb.connect(path, read_only=read_only, config=dict(_SAFE))


def remove(path: Path) -> None:
    """Delete a DuckDB file and what belongs to it."""
    for file in (path, log_of(path), receipt_of(path)):
        file.unlink(missing_ok=True)


def plan_simply(connection: duckdb.DuckDBPyConnection) -> None:
    known = [name for (name,) in connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()]
    connection.execute("SET disabled_optimizers = ?", [",".join(set(known) - _NEEDED)])


def check_format(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    found = schema.format_of(connection)
    if found is None:
        raise StorageError(f"{path} is a DuckDB file, but not one of chroma-plugin. Choose another persist_directory.")
    version, written_by = found
    refuse_newer(path, version, schema.FORMAT, written_by)
