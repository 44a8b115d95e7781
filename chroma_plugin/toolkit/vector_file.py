"""Vectors in a file: mapped where many are wanted, read one by one where few are.

Wherever few lie, the system maps their surroundings, too, and what is mapped counts as memory of this process. To read
them takes longer. So a search along a graph, which measures twenty, always reads; others do until they have read so
many that nearly all would have been mapped.

A vector is first kept by the journal, together with its record. When enough have gathered, they are *settled*: put on
disk here, with the stamp of each, and named by a header. From then on the journal need not hold them any more. Rows
behind the header's end are only there for this process; the next one has them from the journal. Those of a bulk are
settled before the journal hears of their records, and never go there.

Three files with one number: ``7.vectors`` (float32 rows), ``7.stamps`` (int64 each) and ``7.header``, JSON, which
is replaced whole and makes the others valid. What it names is never changed. Compaction begins the next number. Every
block has a checksum, which is looked at before its first use.
"""

from __future__ import annotations

import mmap
import os
import threading
import weakref
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson

from chroma_plugin import compiled
from chroma_plugin.distances import among, among_in_file
from chroma_plugin.errors import CorruptionError
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.blocks import Blocks
from chroma_plugin.toolkit.damage import way_out
from chroma_plugin.toolkit.files import naming, replace_file, sync, write_at
from chroma_plugin.toolkit.formats import refuse_newer
from chroma_plugin.toolkit.vectors import NO_STAMPS, MemoryVectors, RowNumbers
from chroma_plugin.types import Matrix, Metric
from chroma_plugin.version import __version__

SUPPORTED: Final = hasattr(os, "pread") and hasattr(mmap.mmap, "madvise")
"""Whether this system reads at a place of a file and gives mapped memory back; else vectors stay in the journal."""

_FORMAT: Final = 1
_BLOCK_BYTES: Final = 256 << 10
"""Bytes under one checksum: a first look at one row costs 0.2 ms."""
_LARGEST_SLACK: Final = 64 << 20
_FEW: Final = 64
"""Rows that are read one by one. Around each the system would map forty others."""


@frozen
class Header:
    """What a file of vectors holds."""

    format: int
    written_by: str
    """The release: what to install when it is too new."""
    dimension: int
    rows: int
    stamps_checksum: int
    in_block: int
    """Rows under one checksum."""
    checksums: list[int]

    def check(self) -> None:
        """Raises ValueError when something else than numbers stands there."""
        counts = (self.format, self.dimension, self.rows, self.stamps_checksum, self.in_block, *self.checksums)
        if any(type(count) is not int or count < 0 for count in counts) or not self.dimension:
            raise ValueError("it says what no header says")


class VectorFile:
    """The `Vectors` of one table. All but the settling is called by the table's one writer or by its readers."""

    def __init__(self, path: Path, header: Header) -> None:
        self.dimension: Final = header.dimension
        self.path: Final = path
        self._width = header.dimension * 4
        self._header = header
        self._length = header.rows
        with naming(path):
            self._descriptor = os.open(path, os.O_RDWR)
        # Readers may hold on to it; and a client that is closed at exit still writes.
        weakref.finalize(self, os.close, self._descriptor).atexit = False
        block, size = header.in_block * self._width, header.rows * self._width
        self._blocks = Blocks(path, self._descriptor, block, size, header.checksums, way_out())
        self._capacity = header.rows
        self._map: mmap.mmap | None = None
        self._picture: Matrix = np.empty((0, header.dimension), dtype=np.float32)
        self._mapping = threading.Lock()
        self._read = 0
        """Rows, one by one, since the last `release`."""
        self._settling = threading.Lock()
        self._ahead = NO_STAMPS
        """Of rows behind the end that a header on disk names, or may name."""

    # -- making and finding ------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, directory: Path, dimension: int) -> VectorFile:
        """An empty one, with the next number."""
        with naming(directory):
            directory.mkdir(parents=True, exist_ok=True)
            number = 1 + max((int(path.stem) for path in directory.glob("*.*") if path.stem.isdecimal()), default=0)
            path = directory / f"{number}.vectors"
            path.touch(exist_ok=False)
            for parent in (directory.parent, directory.parent.parent):  # it may have been made just now
                sync(parent)
        return cls(path, Header(_FORMAT, __version__, dimension, 0, 0, max(1, _BLOCK_BYTES // (dimension * 4)), []))

    @classmethod
    def open(cls, path: Path, dimension: int | None) -> VectorFile:
        """The one at the path that `latest` gives. Raises CorruptionError for a damaged one."""
        return cls(path, read_header(path, dimension))

    def remove_others(self) -> None:
        """Delete the files of other numbers: left behind by a compaction, finished or not."""
        for path in self.path.parent.glob("*.*"):
            if path.name.partition(".")[0] != self.path.stem:
                with suppress(OSError):  # they do no harm, and the next opening tries again
                    path.unlink()

    def discard(self) -> None:
        """Delete its files, the header first: nothing is only here. Where that is refused, `settle` sees to it."""
        with suppress(OSError):  # the caller has an error that says more
            for suffix in (".header", ".stamps", ".vectors"):
                self.path.with_suffix(suffix).unlink(missing_ok=True)

    # -- what `Vectors` asks -----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._length

    def stage(self, embeddings: Matrix) -> None:
        data = np.ascontiguousarray(embeddings, dtype="<f4").data.cast("B")
        place = self._length * self._width
        with naming(self.path):
            self._reserve(len(embeddings))
            write_at(self._descriptor, data, place)

    def _reserve(self, count: int) -> None:
        """Make room on the disk: a full one must be noticed here, not when a mapped page is written back."""
        needed = self._length + count
        if needed > self._capacity:
            slack = min(needed // 4, _LARGEST_SLACK // self._width)
            _allocate(self._descriptor, (needed + slack) * self._width)
            self._capacity = needed + slack

    def publish(self, count: int) -> None:
        self._length += count
        self._ahead = self._ahead[count:]

    def block(self, first: int, last: int) -> Matrix:
        self._blocks.look_between(first * self._width, last * self._width)
        return self._mapped(last)[first:last]

    def take(self, rows: RowNumbers) -> Matrix:
        self._look_at(rows)
        return self._mapped(self._length).take(rows, axis=0)

    def measured(self, queries: Matrix, rows: RowNumbers, metric: Metric) -> Matrix:
        self._look_at(rows)
        if compiled.IS_THERE and rows.size <= _FEW and self._read < self._length // 8:
            self._read += rows.size
            found = among_in_file(queries, self._descriptor, rows, metric)
            if found is not None:
                return found
            self.must_be_whole()
        return among(queries, self._mapped(self._length), rows, metric)

    def sound(self) -> Matrix | int | None:
        return self._descriptor if self._blocks.sound else None

    def must_be_whole(self) -> None:
        if os.fstat(self._descriptor).st_size < self._length * self._width:
            raise _damaged(self.path, "it has become shorter")

    def _look_at(self, rows: RowNumbers) -> None:
        if not self._blocks.sound:
            self._blocks.look_at(rows * self._width // self._blocks.block)

    def unclaimed(self) -> npt.NDArray[np.int64]:
        return self._ahead

    def release(self) -> None:
        with self._mapping:
            self._read = 0
            if self._map is not None:
                self._map.madvise(mmap.MADV_DONTNEED)

    def trim(self) -> None:
        """Give back the room on the disk that was made and not used."""
        self._capacity = self._length + len(self._ahead)
        with naming(self.path):
            os.ftruncate(self._descriptor, self._capacity * self._width)

    @property
    def nbytes(self) -> int:
        return 0

    def _mapped(self, rows: int) -> Matrix:
        """A read-only picture of at least so many rows. Older ones stay good: they show the same file."""
        picture = self._picture
        if len(picture) < rows:
            with self._mapping:
                self._map = mmap.mmap(self._descriptor, self._capacity * self._width, access=mmap.ACCESS_READ)
                picture = self._picture = np.frombuffer(self._map, dtype="<f4").reshape(-1, self.dimension)
        return picture

    # -- settling ----------------------------------------------------------------------------------------------------

    @property
    def settled(self) -> int:
        """How many rows the next process finds here."""
        return self._header.rows

    def settle(self, stamps: npt.NDArray[np.int64]) -> None:
        """Put the first ``len(stamps)`` rows on disk, for good, each with its stamp; staged ones may be among them."""
        with self._settling:
            # A bulk may have been quicker than the background.
            if len(stamps) > self.settled:
                self._settle(stamps)

    def _settle(self, stamps: npt.NDArray[np.int64]) -> None:
        rows = len(stamps)
        with naming(self.path):
            self._become_latest()
            os.fsync(self._descriptor)
            numbers = stamps[self.settled :].astype("<i8").tobytes()
            self._append_stamps(numbers)
        blocks = self._blocks.grown(rows * self._width)
        in_block, checksum = self._header.in_block, zlib.crc32(numbers, self._header.stamps_checksum)
        header = Header(_FORMAT, __version__, self.dimension, rows, checksum, in_block, blocks.checksums)
        text = orjson.dumps(asdict(header))
        sealed = b"%d %s" % (zlib.crc32(text), text)
        if rows > self._length:  # also if what follows fails: then it may be there
            self._ahead = stamps[self._length :]
        replace_file(self.path.with_suffix(".header"), lambda temporary: temporary.write_bytes(sealed))
        self._blocks, self._header = blocks, header

    def _append_stamps(self, numbers: bytes) -> None:
        """Behind those that the header names; what an attempt has left there that failed is written over."""
        path = self.path.with_suffix(".stamps")
        if not self.settled:
            replace_file(path, lambda temporary: temporary.write_bytes(numbers))
            return
        descriptor = os.open(path, os.O_WRONLY)
        try:
            write_at(descriptor, memoryview(numbers), self.settled * 8)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _become_latest(self) -> None:
        """Delete the header of an attempt to replace this file that neither succeeded nor could be cleared away: the
        next process would read that one.
        """
        while (path := latest(self.path.parent)) is not None and int(path.stem) > int(self.path.stem):
            path.with_suffix(".header").unlink()
            sync(self.path.parent)

    def stamps(self) -> npt.NDArray[np.int64]:
        """Of the settled rows."""
        return _read_stamps(self.path, self._header)

    # -- checking ----------------------------------------------------------------------------------------------------

    def check(self) -> Iterator[None]:
        """Look at every block that nobody has looked at yet, one at a time."""
        return self._blocks.look_at_all()


def in_memory(path: Path, dimension: int | None) -> tuple[MemoryVectors, npt.NDArray[np.int64]]:
    """The settled vectors as a copy in memory, with their stamps: for those who may not write here."""
    header = read_header(path, dimension)
    vectors = MemoryVectors(header.dimension)
    try:
        matrix = np.fromfile(path, dtype="<f4", count=header.rows * header.dimension).reshape(-1, header.dimension)
    except FileNotFoundError as error:  # a writer has just put another in its place
        raise _damaged(path, str(error)) from error
    for number, expected in enumerate(header.checksums):
        first = number * header.in_block
        if zlib.crc32(matrix[first : first + header.in_block].data) != expected:
            raise _damaged(path, f"rows {first} and following are not what was written")
    vectors.stage(matrix)
    vectors.publish(len(matrix))
    return vectors, _read_stamps(path, header)


def latest(directory: Path) -> Path | None:
    """The file that was settled last: the newest number that has a header."""
    numbers = [int(path.stem) for path in directory.glob("*.header") if path.stem.isdecimal()]
    return directory / f"{max(numbers)}.vectors" if numbers else None


def read_header(path: Path, dimension: int | None, *, whole: bool = True) -> Header:
    """That of the file of vectors at the path. Raises CorruptionError for a damaged one; ``whole``: also for a file
    that is shorter than it says.
    """
    try:
        header = parse_header(_content(path.with_suffix(".header")), path)
        size = path.stat().st_size if whole else header.rows * header.dimension * 4
    except (FileNotFoundError, IsADirectoryError) as error:
        raise _damaged(path, str(error)) from error
    if (
        dimension not in (None, header.dimension)
        or size < header.rows * header.dimension * 4
        or len(header.checksums) * header.in_block < header.rows
    ):
        raise _damaged(path, f"{header.rows} rows of dimension {header.dimension} don't fit its {size} bytes")
    return header


def parse_header(sealed: bytes, path: Path) -> Header:
    """What stands in the header of the vectors at that path. Raises CorruptionError for anything else, and
    FormatVersionError for that of a later release.
    """
    checksum, _, text = sealed.partition(b" ")
    try:
        if int(checksum) != zlib.crc32(text):
            raise ValueError("its checksum is wrong")
        told = orjson.loads(text)
        refuse_newer(path.with_suffix(".header"), told["format"], _FORMAT, told.get("written_by"))
        header = Header(**told)
        header.check()
        return header
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path.with_suffix(".header"), str(error)) from error


def _read_stamps(path: Path, header: Header) -> npt.NDArray[np.int64]:
    try:
        # There may be more of them than the header knows: it is written after them.
        text = _content(path.with_suffix(".stamps"))[: header.rows * 8]
    except (FileNotFoundError, IsADirectoryError) as error:
        raise _damaged(path, str(error)) from error
    if len(text) != header.rows * 8 or zlib.crc32(text) != header.stamps_checksum:
        raise _damaged(path.with_suffix(".stamps"), "its checksum is wrong")
    return np.frombuffer(text, dtype="<i8")


def _content(path: Path) -> bytes:
    """What can't be read at the moment, for want of a descriptor, say, is not damaged."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise
    except OSError:
        with naming(path):
            raise


def _damaged(path: Path, what: str) -> CorruptionError:
    return CorruptionError(f"{path} is damaged: {what}. {way_out()}")


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)
