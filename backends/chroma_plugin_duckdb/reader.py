"""A database in one DuckDB file as it was at one moment: for processes that only read.

DuckDB lets nobody read while another process writes. So a reader reads everything at once and lets go of the file: it
never keeps a writer out, and what it has read stays as it was until it is told to `refresh`. Where a writer has the
file, a copy is read, see `beside`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn
from uuid import UUID

from chroma_plugin.backend import OnBytes
from chroma_plugin.errors import ChromaError, LockedError, ReadOnlyError, StorageError
from chroma_plugin.toolkit.catalog import Catalog
from chroma_plugin.toolkit.local import LocalStore
from chroma_plugin.toolkit.local_backend import LocalBackend
from chroma_plugin.types import CollectionInfo
from chroma_plugin_duckdb import beside, guard
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
from chroma_plugin_duckdb.hold import Hold
from chroma_plugin_duckdb.legacy import adopt
from chroma_plugin_duckdb.moment import Moment
from chroma_plugin_duckdb.options import DuckDBOptions
from chroma_plugin_duckdb.records import DuckDBRecords

_TRIES: Final = 5
"""Vectors stand in files of their own. Where a writer exchanged them meanwhile, all is read again."""


@dataclass(slots=True)
class _Picture:
    """All that was in the file at one moment."""

    moment: Moment | None
    catalog: Catalog
    stores: dict[UUID, LocalStore] = field(default_factory=dict)
    broken: dict[UUID, ChromaError] = field(default_factory=dict)
    """Why a collection could not be read; the others can be all the same."""

    def retire(self) -> None:
        for store in self.stores.values():
            store.retire()


class DuckDBReader(LocalBackend):
    """Reads are served from memory; every change raises ReadOnlyError."""

    persistent = True

    def __init__(self, options: DuckDBOptions) -> None:
        self._path: Final = checked_directory(options) / NAME
        adopt(self._path.parent, self._path, read_only=True)
        # Never opened: it is there to refuse changes.
        super().__init__(DuckDBCatalog(File(self._path, read_only=True, later=True)))
        self._picture = _Picture(None, self._catalog)
        self.refresh()

    def refresh(self) -> bool:
        """Nothing of the old picture is given up before there is another one."""
        picture = self._taken()
        if picture is None:
            return False
        for _ in range(_TRIES - 1):
            if not picture.broken:
                break
            again = self._taken()
            if again is None:
                break
            picture.retire()
            picture = again
        self._show(picture)
        return True

    def _taken(self) -> _Picture | None:
        """A picture of now; None when it is the one that is shown."""
        guard.check_present(self._path)
        hold = Hold.take(self._path, read_only=True)
        if hold is None:
            return self._taken_beside_a_writer()
        moment = Moment.at_rest(self._path, hold.descriptor)
        if moment == self._picture.moment:
            hold.release()
            return None
        try:
            return self._pictured(moment, self._opened(hold))
        except LockedError:  # a writer came before DuckDB had opened it
            return self._taken_beside_a_writer()

    def _opened(self, hold: Hold) -> File:
        return File(self._path, read_only=True, hold=examined(self._path, hold, read_only=True))

    def _taken_beside_a_writer(self) -> _Picture | None:
        if not self._path.exists():
            raise StorageError(f"There is no store to read at {self._path}: it has to be written first.")
        if beside.moment(self._path) == self._picture.moment:
            return None
        with beside.copied(self._path) as (copy, moment):
            return self._pictured(moment, File(self._path, read_only=True, copy=copy))

    def _pictured(self, moment: Moment, file: File) -> _Picture:
        """A picture of the file, which is open, and will be closed."""
        journal = DuckDBCatalog(file)
        picture = _Picture(moment, Catalog(journal))
        try:
            journal.load_into(picture.catalog)
            for info in picture.catalog.every_collection():
                try:
                    records = _records(file, journal.number(info), info)
                    picture.stores[info.id] = LocalStore(info, records, self._background)
                except ChromaError as error:
                    picture.broken[info.id] = error
        finally:
            file.close()
        return picture

    def _show(self, picture: _Picture) -> None:
        before, self._picture = self._picture, picture
        self._catalog, self._stores = picture.catalog, picture.stores
        before.retire()

    def open_collection(self, info: CollectionInfo) -> LocalStore:
        if error := self._picture.broken.get(info.id):
            raise type(error)(*error.args)
        return super().open_collection(info)

    def journal(self, info: CollectionInfo) -> NoReturn:
        raise AssertionError(f"the records of {info.name} were read with all others")

    def compact(self) -> NoReturn:
        raise ReadOnlyError(f"{self._path} was opened read_only: open it without, to compact it.")

    def backup(self, directory: Path, on_bytes: OnBytes) -> Sequence[tuple[CollectionInfo, int]] | None:
        """None when the file is not any more what was read, or somebody writes: then only what is in memory is it.
        Who wants to write waits for the end of the copying.
        """
        hold = Hold.take(self._path, read_only=True)
        if hold is None:
            return None
        if Moment.at_rest(self._path, hold.descriptor) != self._picture.moment:
            hold.release()
            return None
        file = self._opened(hold)
        try:
            return backed_up(file, directory, on_bytes)
        finally:
            file.close()

    def stats(self) -> dict[str, Any]:
        return facts(self._path, read_only=True)


def _records(file: File, number: int, info: CollectionInfo) -> DuckDBRecords:
    directory = file.path.parent
    return DuckDBRecords(file, number, vector_directory(directory, info.id), graph_directory(directory, info.id))
