"""A database in one DuckDB file, served from memory."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final
from uuid import UUID

from chroma_plugin.backend import OnBytes
from chroma_plugin.errors import ChromaError, InvalidArgumentError, StorageError
from chroma_plugin.toolkit.local_backend import LocalBackend
from chroma_plugin.types import CollectionInfo
from chroma_plugin_duckdb import guard, snapshot
from chroma_plugin_duckdb.backup import copy
from chroma_plugin_duckdb.catalog import DuckDBCatalog
from chroma_plugin_duckdb.connecting import UNFINISHED
from chroma_plugin_duckdb.file import NAME, File
from chroma_plugin_duckdb.hold import Hold
from chroma_plugin_duckdb.legacy import adopt
from chroma_plugin_duckdb.options import DuckDBOptions
from chroma_plugin_duckdb.records import DuckDBRecords
from chroma_plugin_duckdb.snapshot import Snapshot

logger = logging.getLogger("chroma_plugin")

_WORTH_COMPACTING: Final = 32 << 20
"""Bytes of holes in the file that are worth a rewrite, if they are also half of it."""

_LEFT_BEHIND: Final = (f"{NAME}.*{UNFINISHED}*", f"{NAME}.*.tmp", "*.json.*.tmp", "*/*/*.tmp")
"""Names of files that were never finished."""


class DuckDBBackend(LocalBackend):
    """The file is the truth: a change is on disk before it is seen. Everything else in the directory can be thrown
    away.
    """

    persistent = True

    def __init__(self, options: DuckDBOptions) -> None:
        assert not options.read_only, "this one writes; see `reader`"
        self._directory = checked_directory(options)
        _make(self._directory)
        path = self._directory / NAME
        self._marks: dict[UUID, str] = {}
        guard.check_present(path)
        hold = Hold.take(path, read_only=False)
        saved = None if hold is None else _saved(path, examined(path, hold, read_only=False))
        if hold is None:
            adopt(self._directory, path, read_only=False)
        self._file = File(path, read_only=False, hold=hold, later=saved is not None)
        self._journal = DuckDBCatalog(self._file)
        super().__init__(self._journal)
        if saved is None:
            self._journal.load_into(self._catalog)
        else:
            self._journal.resume(self._catalog, saved)
            self._marks = saved.marks
        self._remove_orphans()

    def journal(self, info: CollectionInfo) -> DuckDBRecords:
        return DuckDBRecords(
            self._file,
            self._journal.number(info),
            vector_directory(self._directory, info.id),
            graph_directory(self._directory, info.id),
            self._marks.get(info.id),
        )

    def one_commit(self) -> AbstractContextManager[object]:
        return self._file.transaction()

    def flush(self) -> None:
        self._file.checkpoint()

    def compact(self) -> None:
        super().compact()
        self._file.rewrite()

    def backup(self, directory: Path, on_bytes: OnBytes) -> Sequence[tuple[CollectionInfo, int]]:
        return backed_up(self._file, directory, on_bytes)

    def stats(self) -> dict[str, Any]:
        return facts(self._file.path, read_only=False)

    def close(self) -> None:
        super().close()
        if self._file.closed:
            return
        try:
            self._finish_stores()
            if self._file.touched:
                self._tidy()
        finally:
            changed = self._file.touched
            self._file.close()
        if changed and self._marks:
            self._save_snapshot()

    def _tidy(self) -> None:
        """Leave a file that is quickly opened, and no larger than it must be."""
        try:
            self._file.checkpoint()
            if self._journal.dead_bytes() > max(_WORTH_COMPACTING, self._file.path.stat().st_size // 2):
                self._file.rewrite()
        except (ChromaError, OSError):
            # Nothing is lost by it: the log holds what could not be moved.
            logger.exception("The next opening will take longer: the file could not be put in order.")

    def _finish_stores(self) -> None:
        for id, store in self._stores.items():
            try:
                mark = store.finish()
            except (ChromaError, OSError):
                # Nothing is lost by it: the DuckDB file holds what could not be moved.
                logger.exception("Vectors could not be moved into their file; it will be tried again later.")
                mark = None
            self._marks.pop(id, None)
            if mark is not None:
                self._marks[id] = mark

    def _save_snapshot(self) -> None:
        try:
            snapshot.save(self._journal.snapshot(self._catalog, self._marks), self._file.path)
        except OSError:
            logger.exception("The next opening will take longer: what makes it quick could not be written.")

    def _remove_orphans(self) -> None:
        """What a process left that was cut short: files it had not finished, and those of a collection it dropped."""
        for pattern in _LEFT_BEHIND:
            for path in self._directory.glob(pattern):
                with suppress(OSError):  # they do no harm, and the next opening tries again
                    path.unlink()
        known = self._journal.ids()
        for kind in ("vectors", "index"):
            for directory in (self._directory / kind).glob("*"):
                if directory.name not in known:
                    shutil.rmtree(directory, ignore_errors=True)

    def _forget(self, gone: Iterable[CollectionInfo]) -> None:
        gone = list(gone)
        super()._forget(gone)
        for info in gone:
            self._marks.pop(info.id, None)
            for directory in (vector_directory(self._directory, info.id), graph_directory(self._directory, info.id)):
                shutil.rmtree(directory, ignore_errors=True)


def vector_directory(directory: Path, id: UUID) -> Path:
    return directory / "vectors" / str(id)


def graph_directory(directory: Path, id: UUID) -> Path:
    return directory / "index" / str(id)


def backed_up(file: File, directory: Path, on_bytes: OnBytes) -> Sequence[tuple[CollectionInfo, int]]:
    """`Backend.backup` of the store that the file is of."""
    store = file.path.parent
    _refuse_question_mark(directory)
    if directory.resolve().is_relative_to(store.resolve()):
        raise InvalidArgumentError(f"{str(directory.parent)!r} is in the store itself: back it up to elsewhere.")
    return copy(file, store, directory, on_bytes)


def facts(path: Path, *, read_only: bool) -> dict[str, Any]:
    """What `info` says about the database in that file."""
    from importlib.metadata import version  # costs 10 ms, and who only opens a store does without

    return {
        "path": str(path),
        "read_only": read_only,
        "duckdb": version("duckdb"),
        "file_bytes": path.stat().st_size,
        "bytes_on_disk": sum(map(_size, path.parent.rglob("*"))),
    }


def _size(path: Path) -> int:
    """Of a file; 0 for what is none, and for one that has just been deleted."""
    with suppress(FileNotFoundError):
        found = path.stat()
        return found.st_size if S_ISREG(found.st_mode) else 0
    return 0


def examined(path: Path, hold: Hold, *, read_only: bool) -> Hold:
    """The hold, when all is in the file that was acknowledged; else it is released."""
    try:
        guard.check_whole(path, hold.descriptor, read_only=read_only)
    except BaseException:
        hold.release()
        raise
    return hold


def _saved(path: Path, hold: Hold) -> Snapshot | None:
    """What was saved of the file, if it has not changed since and that is worth while."""
    saved = snapshot.load(path, hold.descriptor)
    return saved if saved is not None and saved.marks else None


def checked_directory(options: DuckDBOptions) -> Path:
    """Where the store is, or shall be. Raises StorageError for what can't be one."""
    directory = Path(options.persist_directory).absolute()
    _refuse_question_mark(directory)
    if directory.exists() and not directory.is_dir():
        raise StorageError(f"persist_directory {str(directory)!r} is a file; it has to be a directory.")
    return directory


def _refuse_question_mark(directory: Path) -> None:
    if "?" in str(directory):
        # DuckDB reads what follows as options of the file and puts its log elsewhere.
        raise StorageError(f"persist_directory {str(directory)!r} has a '?' in it, which DuckDB can't open; rename it.")


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"persist_directory {str(directory)!r} can't be made: {error}") from error
