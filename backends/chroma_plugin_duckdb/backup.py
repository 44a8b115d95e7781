"""A copy of the whole store as it is at one moment, made while it is used.

The moment is a short one: writers wait while it is noted how long the files are. Behind it they go on. What they write
then stands elsewhere: DuckDB writes into its log and into blocks that the file does not use, and moves nothing from one
to the other; vectors are written behind the others, and files that a compaction deletes stay open here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import UUID

import numpy as np

from chroma_plugin.backend import OnBytes
from chroma_plugin.errors import CorruptionError
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit import pinned
from chroma_plugin.toolkit.files import copy_bytes
from chroma_plugin.toolkit.pinned import Pinned
from chroma_plugin.toolkit.table import Numbers
from chroma_plugin.toolkit.vector_file import VectorFile, latest
from chroma_plugin.types import CollectionInfo
from chroma_plugin_duckdb import catalog, schema
from chroma_plugin_duckdb.cursor import Cursor
from chroma_plugin_duckdb.file import NAME, File
from chroma_plugin_duckdb.log import log_of


@frozen
class _Moment:
    """What has to be copied."""

    seen: Cursor
    """Reads the tables as they were then."""
    file_size: int
    log: int | None
    log_size: int
    vectors: dict[UUID, Pinned]

    @property
    def size(self) -> int:
        return self.file_size + self.log_size + sum(each.size for each in self.vectors.values())


def copy(file: File, directory: Path, target: Path, on_bytes: OnBytes) -> list[tuple[CollectionInfo, int]]:
    """Make a store of the empty directory ``target``, and compare it with this one as it was; the collections that are
    in it, and how many records each has.

    Raises CorruptionError when the two differ, or when vectors are damaged. What it wrote may not be on disk yet.
    """
    with file.steady(), ExitStack() as stack:
        with file.reading():
            moment = _now(file, directory, stack)
        _copy_database(file, moment, target, on_bytes)
        expected, held = schema.digests(moment.seen), catalog.collections(moment.seen)
        _copy_vectors(moment, target, on_bytes)
    _copy_indexes(directory, target)
    try:
        _verify(target, expected)
    except CorruptionError as error:
        raise CorruptionError(
            f"There is no backup, since what was copied from {directory} is damaged. {error}"
        ) from error
    return [(info, expected[schema.records_table(number)].rows) for number, info in held]


def _now(file: File, directory: Path, stack: ExitStack) -> _Moment:
    """The caller keeps the writers waiting."""
    seen = stack.enter_context(file.snapshot())
    log, log_size = _log(file.path, stack)
    vectors = {}
    for _, info in catalog.collections(seen):
        held = pinned.pin(directory / "vectors" / str(info.id))
        if held is not None:
            vectors[info.id] = held
            stack.callback(held.close)
    return _Moment(seen, os.fstat(file.descriptor()).st_size, log, log_size, vectors)


def _log(path: Path, stack: ExitStack) -> tuple[int | None, int]:
    with suppress(FileNotFoundError):
        log = os.open(log_of(path), os.O_RDONLY)
        stack.callback(os.close, log)
        return log, os.fstat(log).st_size
    return None, 0


def _copy_database(file: File, moment: _Moment, target: Path, on_bytes: OnBytes) -> None:
    counted = _counted(0, moment.size, on_bytes)
    copy_bytes(file.descriptor(), moment.file_size, target / NAME, counted)
    if moment.log is not None:
        copy_bytes(moment.log, moment.log_size, log_of(target / NAME), counted)


def _copy_vectors(moment: _Moment, target: Path, on_bytes: OnBytes) -> None:
    counted = _counted(moment.file_size + moment.log_size, moment.size, on_bytes)
    for id, held in moment.vectors.items():
        held.copy(target / "vectors" / str(id), counted)


def _counted(done: int, size: int, on_bytes: OnBytes) -> Callable[[int], object]:
    def count(more: int) -> None:
        nonlocal done
        done += more
        on_bytes(done, size)

    return count


def _copy_indexes(directory: Path, target: Path) -> None:
    """They are made again where they don't fit; where they do, that time is saved."""
    for path in directory.glob("index/*/*"):
        with suppress(FileNotFoundError), path.open("rb") as file:  # it was replaced by another
            copy = target / path.relative_to(directory)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy_bytes(file.fileno(), os.fstat(file.fileno()).st_size, copy, lambda _: None)


# -- looking whether it is the same ----------------------------------------------------------------------------------


def _verify(directory: Path, expected: dict[str, schema.Digest]) -> None:
    """Open the copy and read all of it. Afterwards what was in the log is in the file."""
    file = File(directory / NAME, read_only=False)
    try:
        with file.reading() as cursor:
            found = schema.digests(cursor)
            different = [name for name in expected if found.get(name) != expected[name]]
            if different:
                raise CorruptionError(
                    f"{NAME}, or its log, has other rows on disk than the open store: of {', '.join(different)}. "
                    "client.persist() writes again what is in the log; client.export() writes what the store holds."
                )
            for number, info in catalog.collections(cursor):
                _verify_vectors(directory / "vectors" / str(info.id), schema.settled_stamps(cursor, number))
        file.checkpoint()
    finally:
        file.close()


def _verify_vectors(directory: Path, settled: Iterable[Numbers]) -> None:
    path = latest(directory)
    stamps = np.empty(0, dtype=np.int64)
    if path is not None:
        vectors = VectorFile.open(path, None)
        stamps = np.sort(vectors.stamps())
        for _ in vectors.check():
            pass
    for some in settled:
        if not np.isin(some, stamps).all():
            raise CorruptionError(f"{directory} lacks vectors of records that stand in {NAME}.")
