"""Faults put into the product on purpose: a harness that does not find them would find nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from chroma_plugin_duckdb import checkpoint
from chroma_plugin_duckdb.head import Head
from chroma_plugin_duckdb.receipt import Receipt
from chroma_plugin_duckdb.records import DuckDBRecords

from chroma_plugin.toolkit import checked_file, files, text_file, vector_file
from chroma_plugin.toolkit.vector_file import VectorFile

_BATCH = 9
"""Batches of at least so many rows are hit."""


def plant(name: str) -> None:
    """Put one of those below into this process."""
    (FOUND_BY_KILLS | FOUND_BY_LOSS_OF_POWER | FOUND_BY_LOOKS)[name]()


def _skip_syncs() -> None:
    """Files are given their names without being synced."""
    for module in (files, vector_file):
        module.sync = lambda path: None  # type: ignore[attr-defined]


def _skip_sync_of_vectors() -> None:
    """The journal lets go of vectors that are not on disk."""
    real = os.fsync
    vector_file.os = _Without(os, fsync=lambda descriptor: None)  # type: ignore[attr-defined]
    assert os.fsync is real


def _rename_early() -> None:
    """A file gets its name before its content is on disk."""

    def replace_file(path: Path, write: Callable[[Path], object]) -> None:
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        write(temporary)
        temporary.replace(path)
        files.sync(path.parent)

    for module in (files, vector_file, checked_file):
        module.replace_file = replace_file  # type: ignore[attr-defined]


def _lose_a_batch() -> None:
    """A write is acknowledged and never reaches the journal."""
    write = DuckDBRecords.write

    def losing(self: DuckDBRecords, removed: Any, added: Any) -> None:
        if len(added) < _BATCH or added.stamps[0] < _BATCH:
            write(self, removed, added)

    DuckDBRecords.write = losing  # type: ignore[method-assign]


def _tear_a_batch() -> None:
    """A write is made in two transactions."""
    write = DuckDBRecords.write

    def tearing(self: DuckDBRecords, removed: Any, added: Any) -> None:
        half = len(added) // 2
        if half:
            write(self, removed, _part(added, slice(half)))
            write(self, removed[:0], _part(added, slice(half, None)))
        else:
            write(self, removed, added)

    DuckDBRecords.write = tearing  # type: ignore[method-assign]


def _part(rows: Any, part: slice) -> Any:
    columns = {name: getattr(rows, name) for name in type(rows).__slots__}
    return type(rows)(**{name: None if column is None else column[part] for name, column in columns.items()})


def _swap_rows() -> None:
    """Two vectors change places on their way into the file."""
    stage = VectorFile.stage

    def swapping(self: VectorFile, embeddings: Any) -> None:
        order = np.arange(len(embeddings))
        if len(order) >= _BATCH:
            order[:2] = 1, 0
        stage(self, embeddings[order])

    VectorFile.stage = swapping  # type: ignore[method-assign]


def _shift_texts() -> None:
    """A document is written where another one's place is."""
    real = text_file._encoded

    def shifted(texts: Any) -> list[bytes | None]:
        found = real(texts)
        return found[1:] + found[:1] if len(found) >= _BATCH else found

    text_file._encoded = shifted


def _leave_changed_blocks() -> None:
    """What a checkpoint under way has changed already is read as it is."""
    checkpoint.undo = lambda path, descriptor, read_only: None


def _forget_the_log() -> None:
    """Only the file is read, not what was written since its last checkpoint."""
    Receipt.read = classmethod(lambda cls, path: cls(Head(b"", 0), 0))  # type: ignore[method-assign, assignment]


class _Without:
    """A module with another function in one place."""

    def __init__(self, module: Any, **changed: Any) -> None:
        self.__dict__.update(vars(module), **changed)


FOUND_BY_KILLS: dict[str, Callable[[], None]] = {
    "lost batch": _lose_a_batch,
    "torn batch": _tear_a_batch,
    "swapped rows": _swap_rows,
    "shifted texts": _shift_texts,
}
FOUND_BY_LOSS_OF_POWER: dict[str, Callable[[], None]] = {
    "skipped syncs": _skip_syncs,
    "skipped sync of vectors": _skip_sync_of_vectors,
    "early rename": _rename_early,
}
FOUND_BY_LOOKS: dict[str, Callable[[], None]] = {
    "changed blocks": _leave_changed_blocks,
    "forgotten log": _forget_the_log,
}
