"""A damaged store becomes a sound one with all that could be read; its files as they were are kept in
``damaged-<date>``.

The new store is made beside the old one, in ``repairing``, and moved into its place when it is on disk.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import orjson

from chroma_plugin.errors import ChromaError, FormatVersionError, LockedError, StorageError
from chroma_plugin.repairing import Repair, RepairedCollection
from chroma_plugin.toolkit.files import sync
from chroma_plugin.toolkit.local_backend import LocalBackend
from chroma_plugin.toolkit.salvage import SalvagedVectors
from chroma_plugin.toolkit.table import Rows
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT, Matrix, Scan
from chroma_plugin_duckdb import snapshot
from chroma_plugin_duckdb.catalog import DuckDBCatalog
from chroma_plugin_duckdb.checkpoint import blocks_of
from chroma_plugin_duckdb.file import NAME, File
from chroma_plugin_duckdb.hold import Hold
from chroma_plugin_duckdb.log import log_of
from chroma_plugin_duckdb.opening import opened
from chroma_plugin_duckdb.options import DuckDBOptions
from chroma_plugin_duckdb.receipt import receipt_of
from chroma_plugin_duckdb.records import DuckDBRecords
from chroma_plugin_duckdb.salvage import Columns
from chroma_plugin_duckdb.salvaged import TEXTS, FoundCollection, Salvaged, saved_of

_WORK: Final = "repairing"
_KEPT: Final = "damaged-"
_REPORT: Final = "not-whole.jsonl"


class DuckDBRepairer:
    """A `chroma_plugin.repairing.Repairer`."""

    def __init__(self, options: DuckDBOptions) -> None:
        self._directory = Path(options.persist_directory).absolute()
        self._path = self._directory / NAME

    def faults(self) -> list[str]:
        try:
            backend = opened(DuckDBOptions(self._directory, read_only=True))
        except (LockedError, FormatVersionError):
            raise
        except StorageError as error:
            return [str(error)]
        try:
            return [*_faults_of_collections(backend), *self._faults_of_saved()]
        finally:
            backend.close()

    def _faults_of_saved(self) -> Iterator[str]:
        """Of the texts that the next opening would believe."""
        saved, _ = snapshot.read(self._path) or (None, None)
        for id, mark in saved.marks.items() if saved is not None else ():
            table = saved_of(self._directory / "vectors" / str(id), mark)
            if table is not None and table.texts.file is not None:
                try:
                    for _ in table.texts.file.blocks.look_at_all():
                        pass
                except ChromaError as error:
                    yield str(error)

    def repair(self) -> Repair:
        self._alone()
        faults = self.faults()
        if self._path.is_file() and any("without read_only" in fault for fault in faults):
            # Not damage: a process ended in the middle of something, which the next one that writes puts right.
            opened(DuckDBOptions(self._directory)).close()
            faults = self.faults()
        before = self._alone()
        if not faults:
            return Repair()
        repair = Repair(faults=faults)
        work = self._directory / _WORK
        shutil.rmtree(work, ignore_errors=True)
        for part in ("source", "store"):
            (work / part).mkdir(parents=True)
        try:
            _save(self._path, work, repair)
            if self._alone() != before:
                raise StorageError(f"{self._directory} was written to meanwhile: nothing was changed; try again.")
            self._exchange(work, repair)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return repair

    def _alone(self) -> dict[Path, tuple[int, int]]:
        """Sizes and times of the files, which nobody else has. Raises LockedError where somebody does."""
        hold = Hold.take(self._path, read_only=False) if self._path.is_file() else None
        if hold is not None:
            hold.release()
        elif self._path.is_file():
            raise LockedError(f"{self._path} is open in another process, or can't be written.")
        facts = {path: path.lstat() for path in self._files() if path.is_file()}
        return {path: (told.st_size, told.st_mtime_ns) for path, told in facts.items()}

    def _files(self) -> list[Path]:
        """What belongs to the store and lies in its directory."""
        own = (self._path, log_of(self._path), receipt_of(self._path), blocks_of(self._path))
        paths = (*own, *(self._directory / name for name in ("snapshot.json", "vectors", "index")))
        return [path for path in paths if path.exists() or path.is_symlink()]

    def _exchange(self, work: Path, repair: Repair) -> None:
        """The DuckDB file last: without it, but with anything else, a directory is no new store."""
        kept = _free(self._directory / f"{_KEPT}{time.strftime('%Y-%m-%d')}")
        kept.mkdir()
        report = work / _REPORT
        if report.stat().st_size:
            repair.report = report.rename(kept / _REPORT)
        for path in reversed(self._files()):
            path.rename(kept / path.name)
        for path in sorted((work / "store").iterdir(), reverse=True):
            path.rename(self._directory / path.name)
        sync(kept)
        sync(self._directory)
        repair.originals = kept


def _faults_of_collections(backend: LocalBackend) -> Iterator[str]:
    for tenant in backend.list_tenants():
        for database in backend.list_databases(tenant):
            for info in backend.list_collections(tenant, database):
                try:
                    for _ in backend.open_collection(info).scan(Scan()):
                        pass
                except ChromaError as error:
                    yield f"collection {info.name!r}: {error}"


def _free(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number, free = number + 1, path.with_name(f"{path.name}-{number + 1}")
    return free


# -- saving ----------------------------------------------------------------------------------------------------------


def _save(path: Path, work: Path, repair: Repair) -> None:
    """Write all that can be read into a new store, and the rest, as far as it can be, into the report."""
    salvaged = Salvaged(path, work / "source", repair.notes)
    try:
        if not salvaged.readable:
            raise StorageError(f"Nothing of it can be read, so nothing was changed. {' '.join(repair.faults)}")
        file = File(work / "store" / NAME, read_only=False)
        try:
            catalog = DuckDBCatalog(file)
            _make_places(catalog, *salvaged.places())
            with (work / _REPORT).open("wb") as report:
                for found in salvaged.collections:
                    repair.collections.append(_Saving(file, catalog, found, path.parent, repair.notes, report).done())
            file.checkpoint()
        finally:
            file.close()
    finally:
        salvaged.close()


def _make_places(catalog: DuckDBCatalog, tenants: Sequence[str], databases: Sequence[tuple[str, str]]) -> None:
    for tenant in tenants:
        if tenant != DEFAULT_TENANT:
            catalog.add_tenant(tenant)
    for tenant, name in databases:
        if (tenant, name) != (DEFAULT_TENANT, DEFAULT_DATABASE):
            catalog.add_database(tenant, name)


class _Saving:
    """Of one collection."""

    def __init__(
        self,
        file: File,
        catalog: DuckDBCatalog,
        found: FoundCollection,
        directory: Path,
        notes: list[str],
        report: BinaryIO,
    ) -> None:
        self._found, self._report = found, report
        catalog.add_collection(found.info)
        self._records = DuckDBRecords(file, catalog.number(found.info), directory, directory)
        place = directory / "vectors" / str(found.info.id)
        self._vectors = SalvagedVectors(place, found.info.dimension, found.settled(), notes)
        self._told = RepairedCollection(found.info.name)
        self._known: set[str] = set()

    def done(self) -> RepairedCollection:
        for count, columns in self._found.batches():
            if not {"id", "stamp", "place"} <= columns.keys():
                self._give_up(count, columns)
                continue
            matrix, there = self._embeddings(columns)
            self._write(columns, matrix, [row for row in range(count) if there[row] and self._is_new(columns, row)])
            for row in np.flatnonzero(~there).tolist():
                self._told.lost.append(columns["id"][row])
                self._tell(columns, row, "its vector is lost")
        return self._told

    def _give_up(self, count: int, columns: Columns) -> None:
        """Records that can't be told from others, or not be put in order."""
        ids = columns.get("id", ())
        self._told.lost += ids
        self._told.lost_unknown += count - len(ids)
        for row in range(len(ids)):
            self._tell(columns, row, "its place in the collection is lost")

    def _is_new(self, columns: Columns, row: int) -> bool:
        id = columns["id"][row]
        if id in self._known:
            return False
        self._known.add(id)
        return True

    def _embeddings(self, columns: Columns) -> tuple[Matrix, Any]:
        """Of all records, from the DuckDB file or from beside it; and which of them there are."""
        matrix, there = self._vectors.take(np.array(columns["stamp"], dtype=np.int64))
        for row, blob in enumerate(columns.get("embedding", ())):
            if blob is not None:
                vector = np.frombuffer(blob, dtype="<f4")
                if matrix.shape[1] != len(vector):  # no vector was settled: only now is the dimension known
                    matrix = np.zeros((len(matrix), len(vector)), dtype=np.float32)
                matrix[row], there[row] = vector, True
        return matrix, there

    def _write(self, columns: Columns, matrix: Matrix, rows: list[int]) -> None:
        absent = [name for name in TEXTS if name not in columns]
        if not rows:
            return
        texts = {name: [columns[name][row] if name in columns else None for row in rows] for name in TEXTS}
        numbers = {name: np.array(columns[name], dtype=np.int64)[rows] for name in ("place", "stamp")}
        ids: list[Any] = texts["id"]
        self._records.write(
            np.empty(0, dtype=np.int64),
            Rows(
                ids=ids,
                places=numbers["place"],
                stamps=numbers["stamp"],
                embeddings=matrix[rows],
                documents=texts["document"],
                metadatas=texts["metadata"],
                uris=texts["uri"],
            ),
        )
        self._told.kept += len(rows)
        if absent:
            self._told.incomplete += ids
            for row in rows:
                self._tell(columns, row, f"it is kept without its {' and '.join(absent)}")

    def _tell(self, columns: Columns, row: int, why: str) -> None:
        """A line of the report, with all that is left of a record."""
        known = {name: columns[name][row] for name in TEXTS if name in columns}
        line = {"collection": self._told.name, **known, "why": why}
        if isinstance(line.get("metadata"), str):
            line["metadata"] = orjson.Fragment(line["metadata"])
        self._report.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
