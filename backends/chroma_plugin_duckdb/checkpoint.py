"""Checkpoints that may be cut short at any moment.

DuckDB writes what has changed into free blocks, and then the header that names them: until then all is as it was. Only
the blocks that say where everything stands, its metadata, are written where they are, 256 KiB at once under one
checksum: a process that ends in the middle of that, or a loss of power, leaves a file that can't be opened. So these
blocks are copied beside the file before, and when the file is opened with the header it had then, they are put back.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson

from chroma_plugin.errors import StorageError
from chroma_plugin.toolkit.checked_file import read_checked, write_checked
from chroma_plugin.toolkit.files import sync, write_at
from chroma_plugin.toolkit.formats import refuse_newer
from chroma_plugin.version import __version__

if TYPE_CHECKING:
    import duckdb

SUPPORTED: Final = hasattr(os, "pread")
"""Whether this system lets a file be read that DuckDB has locked."""
_FORMAT: Final = 1

HEAD: Final = 3 * 4096
"""Bytes of a DuckDB file before its blocks: the main header and two database headers, of which each checkpoint writes
one, in one sector (https://duckdb.org/docs/stable/internals/storage).
"""


def checkpoint(connection: duckdb.DuckDBPyConnection, path: Path, descriptor: int | None) -> None:
    """Move what is in the log into the file, open for reading as ``descriptor``. None: without a copy."""
    if descriptor is not None:
        _copy(connection, path, descriptor)
    connection.execute("CHECKPOINT")
    blocks_of(path).unlink(missing_ok=True)


def undo(path: Path, descriptor: int, *, read_only: bool) -> None:
    """Put back what a checkpoint has written that was not finished. The caller has the lock of the file, open as
    ``descriptor``. Raises StorageError when that is needed, and nothing may be written.
    """
    place = blocks_of(path)
    if not place.exists():
        return
    changed = [(at, block) for at, block in _blocks(place, descriptor) if os.pread(descriptor, len(block), at) != block]
    if read_only:
        if changed:
            raise StorageError(f"A checkpoint of {path} was cut short. Open it once without read_only: it is undone.")
        return
    for at, block in changed:
        write_at(descriptor, memoryview(block), at)
    os.fsync(descriptor)
    place.unlink()
    sync(path.parent)


def _blocks(place: Path, descriptor: int) -> list[tuple[int, bytes]]:
    """Where they were, and how; none when the checkpoint was finished, or not begun."""
    try:
        text, body, _ = read_checked(place)
    except (OSError, ValueError):
        return []  # the copy itself was cut short
    told, data = orjson.loads(text), body.tobytes()
    refuse_newer(place, told["format"], _FORMAT, told["written_by"])
    if os.pread(descriptor, HEAD, 0) != data[:HEAD]:
        return []
    size = told["block"]
    return [(at, data[HEAD + number * size :][:size]) for number, at in enumerate(told["places"])]


def _copy(connection: duckdb.DuckDBPyConnection, path: Path, descriptor: int) -> None:
    [(block,)] = connection.execute("SELECT block_size FROM pragma_database_size()").fetchall()
    found = connection.execute("SELECT DISTINCT block_id FROM pragma_metadata_info() ORDER BY ALL").fetchall()
    places: Sequence[int] = [HEAD + number * block for (number,) in found]
    pieces = [os.pread(descriptor, HEAD, 0), *(os.pread(descriptor, block, place) for place in places)]
    # Those that are only in memory so far are written to free places.
    whole = [place for place, piece in zip(places, pieces[1:], strict=True) if len(piece) == block]
    arrays = [np.frombuffer(piece, np.uint8) for piece in pieces if len(piece) in (HEAD, block)]
    told = {"format": _FORMAT, "written_by": __version__, "block": block, "places": whole}
    write_checked(blocks_of(path), orjson.dumps(told), arrays)


def blocks_of(path: Path) -> Path:
    """Where the copies of blocks of a DuckDB file stand while a checkpoint of it is made."""
    return path.with_name(f"{path.name}.blocks")
