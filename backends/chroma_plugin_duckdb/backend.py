"""A database in one DuckDB file, served from memory."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from chroma_plugin.errors import ChromaError, StorageError
from chroma_plugin.toolkit.local_backend import LocalBackend
from chroma_plugin.types import CollectionInfo
from chroma_plugin_duckdb.catalog import DuckDBCatalog
from chroma_plugin_duckdb.file import NAME, File
from chroma_plugin_duckdb.legacy import adopt
from chroma_plugin_duckdb.options import DuckDBOptions
from chroma_plugin_duckdb.records import DuckDBRecords

logger = logging.getLogger("chroma_plugin")

_WORTH_COMPACTING: Final = 32 << 20
"""Bytes of holes in the file that are worth a rewrite, if they are also half of it."""


class DuckDBBackend(LocalBackend):
    """The file is the truth: a change is on disk before it is seen. Everything else in the directory can be thrown
    away.
    """

    persistent = True

    def __init__(self, options: DuckDBOptions) -> None:
        self._directory = _directory(options)
        path = self._directory / NAME
        adopt(self._directory, path, read_only=options.read_only)
        self._file = File(path, read_only=options.read_only)
        self._journal = DuckDBCatalog(self._file)
        super().__init__(self._journal)
        self._journal.load_into(self._catalog)
        if not options.read_only:
            self._remove_orphans()

    def journal(self, info: CollectionInfo) -> DuckDBRecords:
        return DuckDBRecords(
            self._file, self._journal.number(info), self._vector_directory(info), self._graph_directory(info)
        )

    def _vector_directory(self, info: CollectionInfo) -> Path:
        return self._directory / "vectors" / str(info.id)

    def _graph_directory(self, info: CollectionInfo) -> Path:
        return self._directory / "index" / str(info.id)

    def flush(self) -> None:
        self._file.checkpoint()

    def compact(self) -> None:
        super().compact()
        self._file.rewrite()

    def stats(self) -> dict[str, Any]:
        import duckdb

        return {
            "path": str(self._file.path),
            "read_only": self._file.read_only,
            "duckdb": duckdb.__version__,
            "file_bytes": self._file.path.stat().st_size,
            "bytes_on_disk": sum(path.stat().st_size for path in self._directory.rglob("*") if path.is_file()),
        }

    def close(self) -> None:
        super().close()
        try:
            if not self._file.read_only:
                self._finish_stores()
                self._file.checkpoint()
                if self._journal.dead_bytes() > max(_WORTH_COMPACTING, self._file.path.stat().st_size // 2):
                    self._file.rewrite()
        finally:
            self._file.close()

    def _finish_stores(self) -> None:
        for store in self._stores.values():
            try:
                store.finish()
            except (ChromaError, OSError):
                # Nothing is lost by it: the DuckDB file holds what could not be moved.
                logger.exception("Vectors could not be moved into their file; it will be tried again later.")

    def _remove_orphans(self) -> None:
        """What a process left that ended between dropping a collection and deleting its files."""
        known = self._journal.ids()
        for kind in ("vectors", "index"):
            for directory in (self._directory / kind).glob("*"):
                if directory.name not in known:
                    shutil.rmtree(directory, ignore_errors=True)

    def _forget(self, gone: Iterable[CollectionInfo]) -> None:
        gone = list(gone)
        super()._forget(gone)
        for info in gone:
            for directory in (self._vector_directory(info), self._graph_directory(info)):
                shutil.rmtree(directory, ignore_errors=True)


def _directory(options: DuckDBOptions) -> Path:
    directory = Path(options.persist_directory).absolute()
    if "?" in str(directory):
        # DuckDB reads what follows as options of the file and puts its log elsewhere.
        raise StorageError(f"persist_directory {str(directory)!r} has a '?' in it, which DuckDB can't open; rename it.")
    if directory.exists() and not directory.is_dir():
        raise StorageError(f"persist_directory {str(directory)!r} is a file; it has to be a directory.")
    if not options.read_only:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"persist_directory {str(directory)!r} can't be made: {error}") from error
    return directory
