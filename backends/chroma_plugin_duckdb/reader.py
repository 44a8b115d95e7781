"""A database in one DuckDB file as it was at one moment: for processes that only read.

DuckDB lets nobody read while another process writes. So a reader reads everything at once and lets go of the file: it
never keeps a writer out, and what it has read stays as it was until it is told to `refresh`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn
from uuid import UUID

from chroma_plugin.backend import OnBytes
from chroma_plugin.errors import ChromaError, LockedError, ReadOnlyError
from chroma_plugin.toolkit.catalog import Catalog
from chroma_plugin.toolkit.local import LocalStore
from chroma_plugin.toolkit.local_backend import LocalBackend
from chroma_plugin.types import CollectionInfo
from chroma_plugin_duckdb.backend import (
    backed_up,
    checked_directory,
    examined,
    facts,
    graph_directory,
    vector_directory,
)
from chroma_plugin_duckdb.catalog import DuckDBCatalog
from chroma_plugin_duckdb.file import NAME, File
from chroma_plugin_duckdb.legacy import adopt
from chroma_plugin_duckdb.log import log_of
from chroma_plugin_duckdb.options import DuckDBOptions
from chroma_plugin_duckdb.records import DuckDBRecords


class DuckDBReader(LocalBackend):
    """Reads are served from memory; every change raises ReadOnlyError."""

    persistent = True

    def __init__(self, options: DuckDBOptions) -> None:
        self._path: Final = checked_directory(options) / NAME
        adopt(self._path.parent, self._path, read_only=True)
        self._broken: dict[UUID, ChromaError] = {}
        self._file = self._opened()
        self._journal = DuckDBCatalog(self._file)
        super().__init__(self._journal)
        self._read()

    def _opened(self) -> File:
        return File(self._path, read_only=True, hold=examined(self._path, read_only=True))

    def refresh(self) -> bool:
        if _state(self._path) == self._state:
            return False
        # Only now is the old picture given up: a writer may be in the way.
        self._file = self._opened()
        self._read()
        return True

    def _read(self) -> None:
        """Take a picture of the file, which is open, and close it."""
        journal, stores, broken = DuckDBCatalog(self._file), dict[UUID, LocalStore](), dict[UUID, ChromaError]()
        try:
            state, catalog = _state(self._path), Catalog(journal)
            journal.load_into(catalog)
            for info in catalog.every_collection():
                try:
                    stores[info.id] = LocalStore(info, _records(self._file, journal, info), self._background)
                except ChromaError as error:
                    broken[info.id] = error  # the others can be read all the same
        finally:
            self._file.close()
        before = self._stores
        self._state, self._journal, self._catalog = state, journal, catalog
        self._stores, self._broken = stores, broken
        for store in before.values():
            store.retire()

    def journal(self, info: CollectionInfo) -> DuckDBRecords:
        return _records(self._file, self._journal, info)

    def open_collection(self, info: CollectionInfo) -> LocalStore:
        if error := self._broken.get(info.id):
            raise type(error)(*error.args)
        return super().open_collection(info)

    def compact(self) -> NoReturn:
        raise ReadOnlyError(f"{self._path} was opened read_only: open it without, to compact it.")

    def backup(self, directory: Path, on_bytes: OnBytes) -> Sequence[tuple[CollectionInfo, int]] | None:
        """None when the file is not any more what was read, or somebody writes: then only what is in memory is it.
        Who wants to write waits for the end of the copying.
        """
        if _state(self._path) != self._state:
            return None
        try:
            file = self._opened()
        except LockedError:
            return None
        try:
            return backed_up(file, directory, on_bytes) if _state(self._path) == self._state else None
        finally:
            file.close()

    def stats(self) -> dict[str, Any]:
        return facts(self._path, read_only=True)


def _records(file: File, journal: DuckDBCatalog, info: CollectionInfo) -> DuckDBRecords:
    directory = file.path.parent
    return DuckDBRecords(
        file, journal.number(info), vector_directory(directory, info.id), graph_directory(directory, info.id)
    )


def _state(path: Path) -> Sequence[tuple[int, ...] | None]:
    """By what it is noticed that somebody has written: nobody writes without changing one of these."""
    return [_marks(file) for file in (path, log_of(path))]


def _marks(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found.st_size else None
