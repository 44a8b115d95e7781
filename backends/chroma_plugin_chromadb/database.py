"""The SQLite file of such a directory, opened for reading alone."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from chroma_plugin.errors import CorruptionError, NotFoundError, StorageError

NAME: Final = "chroma.sqlite3"
_NEEDED: Final = frozenset(
    ("tenants", "databases", "collections", "segments", "embeddings", "embedding_metadata", "embeddings_queue")
)
_SECONDS: Final = 5
"""How long to wait while chromadb holds its lock."""


class Database:
    """Answers queries from any thread, one after the other."""

    def __init__(self, directory: Path) -> None:
        self.path: Final = directory / NAME
        if not self.path.is_file():
            raise NotFoundError(f"{str(directory)!r} is no directory of chromadb 0.4 or newer: it has no {NAME}.")
        self._lock = threading.Lock()
        with _translated(self.path):
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, timeout=_SECONDS, check_same_thread=False)
        try:
            self._check()
            self._version = self._data_version()
        except BaseException:
            self.close()
            raise

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Raises StorageError when another process has changed the file since it was opened."""
        with self._lock, _translated(self.path):
            found = self._connection.execute(query, values).fetchall()
            if self._data_version() != self._version:
                raise StorageError(
                    f"{self.path} was changed while it was read. Stop the program that writes to it, or read from "
                    "its server, and try again."
                )
        return found

    def columns(self, table: str) -> frozenset[str]:
        """The names of a table's columns; none when there is no such table."""
        return frozenset(name for (name,) in self.rows("SELECT name FROM pragma_table_info(?)", (table,)))

    def close(self) -> None:
        self._connection.close()

    def _data_version(self) -> int:
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _check(self) -> None:
        with _translated(self.path):
            found = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        missing = _NEEDED - {name for (name,) in found}
        if missing:
            raise CorruptionError(
                f"{self.path} was not written by chromadb 0.4 or newer: it has no table {', '.join(sorted(missing))}. "
                "Open it once with a newer chromadb, which brings it up to date."
            )


def marks(count: int) -> str:
    """So many parameters of a statement: ``?, ?, ?``."""
    return ", ".join("?" * count)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if path.with_name(f"{path.name}-journal").exists():
            raise StorageError(
                f"{path} was left in the middle of a write, or is being written to: there is a {path.name}-journal. "
                f"Stop the program that writes; if none runs, let chromadb open it once, or: sqlite3 {path} .tables"
            ) from error
        raise StorageError(f"{path} can't be read now: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise CorruptionError(f"{path} can't be read: {error}.") from error
