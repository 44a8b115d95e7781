"""What can still be read of a damaged DuckDB file.

It is read where it stands, and never written: DuckDB gets a second name of the file, read-only, beside a copy of the
log that ends where the log is damaged. Where the head of the file is damaged it gets a copy with a head that may have
been.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chroma_plugin.errors import ChromaError
from chroma_plugin_duckdb.connecting import connect
from chroma_plugin_duckdb.file import NAME
from chroma_plugin_duckdb.head import SIZE, Head, mended, wanted_size
from chroma_plugin_duckdb.log import MOST_HEAD, LogHead, ends_after, head_of_log, log_head, log_of, log_size, read_log
from chroma_plugin_duckdb.receipt import Receipt

if TYPE_CHECKING:
    import duckdb

AT_ONCE: Final = 2_048
"""Rows that are read, or given up, together."""

_MOST_MISSING: Final = 1 << 28
"""Bytes at the end of a file that may be made up for; a damaged head may claim any number."""

Columns = Mapping[str, Sequence[Any]]
"""By name; a column that can't be read is not in it."""


class Source:
    """A damaged DuckDB file, as far as it can be read."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path, place: Path, notes: list[str]) -> Source | None:
        """That of the file at `path`; `place` is an empty directory for the copies. None when DuckDB can't read any of
        it. Whatever is left out is told in `notes`.
        """
        if not path.is_file() or not path.stat().st_size:
            notes.append(f"{path} is missing or empty.")
            return None
        for number, file in enumerate(_copies(path, place)):
            _copy_log(path, file, notes if not number else [])
            source = cls._opened(file)
            if source is not None:
                if number or not file.samefile(path):
                    notes.append(f"The head of {path} was damaged, or its end was missing.")
                return source
        notes.append(f"{path} can't be read at all.")
        return None

    @classmethod
    def _opened(cls, file: Path) -> Source | None:
        try:
            connection = connect(file, read_only=True)
        except ChromaError:
            return None
        source = cls(connection)
        if source.tables():
            return source
        source.close()
        return None

    def tables(self) -> set[str]:
        """Their names."""
        return {name for (name,) in self._asked("SELECT table_name FROM duckdb_tables()") or ()}

    def rows(self, table: str, names: Sequence[str]) -> Iterator[tuple[int, Columns]]:
        """Some rows at a time: how many there are, as far as that is known, and their columns."""
        last = self._last(table)
        for first in range(0, last + 1, AT_ONCE):
            found = self._columns(table, names, first)
            count = max((len(column) for column in found.values()), default=min(AT_ONCE, last + 1 - first))
            if count:
                yield count, found

    def _last(self, table: str) -> int:
        found = self._asked(f"SELECT coalesce(max(rowid), -1) FROM {table}")
        found = found or self._asked("SELECT estimated_size - 1 FROM duckdb_tables() WHERE table_name = ?", [table])
        return int(found[0][0]) if found else -1

    def _columns(self, table: str, names: Sequence[str], first: int) -> Columns:
        """All together; or, where that fails, those that can be read alone."""
        among, between = f"FROM {table} WHERE rowid >= ? AND rowid < ? ORDER BY rowid", [first, first + AT_ONCE]
        found = self._asked(f"SELECT {', '.join(names)} {among}", between)
        if found is not None:
            return dict(zip(names, zip(*found, strict=True), strict=True)) if found else dict.fromkeys(names, ())
        alone = {name: self._asked(f"SELECT {name} {among}", between) for name in names}
        return {name: [value for (value,) in rows] for name, rows in alone.items() if rows is not None}

    def _asked(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]] | None:
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except Exception:  # whatever DuckDB makes of damage: it is what can't be read
            return None

    def close(self) -> None:
        self._connection.close()


def _copies(path: Path, place: Path) -> Iterator[Path]:
    """Files to try, best first."""
    with path.open("rb") as file:
        head = file.read(SIZE)
    size = wanted_size(head)
    if Head.parse(head) is not None and size is not None and path.stat().st_size >= size:
        yield _second_name(path, place / NAME)
        return
    for number, candidate in enumerate(mended(head)):
        file_of_its_own = place / f"{number}-{NAME}"
        shutil.copyfile(path, file_of_its_own)
        with file_of_its_own.open("r+b") as copy:
            copy.write(candidate)
        size, wanted = path.stat().st_size, wanted_size(candidate) or 0
        if size < wanted < 2 * size + _MOST_MISSING:
            os.truncate(file_of_its_own, wanted)  # DuckDB refuses what is too short, and sees what is not there
        yield file_of_its_own


def _second_name(path: Path, name: Path) -> Path:
    try:
        os.link(path, name)
    except OSError:  # not on every file system
        shutil.copyfile(path, name)
    return name


def _copy_log(path: Path, file: Path, notes: list[str]) -> None:
    """Put as much of the log beside that file as DuckDB can read."""
    log, size, receipt = log_of(path), log_size(path), Receipt.read(path)
    with file.open("rb") as opened:
        head = Head.parse(opened.read(SIZE))
    if receipt is not None and head is not None:
        if receipt.head.identifier != head.identifier or receipt.head.iteration > head.iteration:
            notes.append(f"{path} is another file than the one that was here last, or an older state of it.")
        elif receipt.head == head and size < receipt.log:
            notes.append(f"{log} has {size} of the {receipt.log} bytes that were acknowledged.")
    if not size or not log.is_file():
        return
    data = log.read_bytes()
    found = log_head(data[:MOST_HEAD])
    if head is not None and receipt is not None and receipt.head == head and _is_nearly(found, head):
        begins = head_of_log(head)
        data, found = begins + data[len(begins) :], LogHead(head, len(begins))
        acknowledged = receipt.log
    else:
        acknowledged = 0
    if found is not None and head is not None and found.head.iteration + 1 == head.iteration:
        return  # one checkpoint behind: all of it is in the file
    if found is not None and found.head == head:
        log_of(file).write_bytes(data)
        reading = read_log(log_of(file), found.length)
        if reading.whole >= acknowledged:
            os.truncate(log_of(file), reading.whole)
            if reading.bad is not None:
                notes.append(
                    f"{log} is damaged at byte {reading.bad}: what was written before is there; from byte "
                    f"{reading.whole} on, {ends_after(data, reading.bad)} write(s) could not be used."
                )
            return
        log_of(file).unlink()
    notes.append(f"{log} is not the log of {path} as it is, or its head is damaged: it was left out.")


def _is_nearly(found: LogHead | None, head: Head) -> bool:
    """Whether the head of a log may have been that one before it was damaged; not that of another state or file."""
    if found is None:
        return True
    differing = sum(one != other for one, other in zip(found.head.identifier, head.identifier, strict=True))
    return found.head.iteration == head.iteration and differing == 1
