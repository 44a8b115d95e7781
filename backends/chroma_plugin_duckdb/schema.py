"""The tables of the file, which any DuckDB can open and query.

::

    chroma_format   version, written_by
    tenants         name
    databases       tenant, name
    collections     number, id, tenant, database, name, metadata, configuration, dimension
    records_1       place, stamp, id, document, metadata, uri, embedding       one table per collection:
    records_<number> ...

``embedding`` is the little-endian float32 vector, NULL once it was settled: moved into the file of vectors beside this
one (`chroma_plugin.toolkit.vector_file`); ``metadata`` is JSON. No table has a key or an index: ids are
unique in the arrays that are made from the file, and DuckDB replays its log without trouble only where no index is
involved.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from chroma_plugin.toolkit.files import sync
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT
from chroma_plugin.version import __version__

if TYPE_CHECKING:
    import duckdb

    from chroma_plugin_duckdb.cursor import Cursor

FORMAT: Final = 1

_CATALOG: Final = {
    "chroma_format": "CREATE TABLE chroma_format (version INTEGER, written_by VARCHAR)",
    "tenants": "CREATE TABLE tenants (name VARCHAR)",
    "databases": "CREATE TABLE databases (tenant VARCHAR, name VARCHAR)",
    "collections": (
        "CREATE TABLE collections (number INTEGER, id UUID, tenant VARCHAR, database VARCHAR, name VARCHAR, "
        "metadata JSON, configuration JSON, dimension INTEGER)"
    ),
}

# Vectors do not compress; trying makes checkpoints stall writers for seconds. What DuckDB chooses for documents takes
# half as long again, and a quarter more of the disk.
_RECORDS: Final = (
    "(place BIGINT, stamp BIGINT, id VARCHAR, document VARCHAR USING COMPRESSION zstd, metadata JSON, uri VARCHAR, "
    "embedding BLOB USING COMPRESSION uncompressed)"
)

ROWS_AT_ONCE: Final = 20_000
"""Read from a table in one piece."""


class Digest(NamedTuple):
    """Of a table."""

    rows: int
    hash: int
    """Of all that the rows hold, in any order; another one in another version of DuckDB."""


def records_table(number: int) -> str:
    """The table of the collection with that number: the only name in a statement that is not a constant."""
    return f"records_{number:d}"


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables of an empty store, in one transaction."""
    connection.execute("BEGIN")
    for statement in _CATALOG.values():
        connection.execute(statement)
    connection.execute("INSERT INTO chroma_format VALUES (?, ?)", [FORMAT, __version__])
    add_defaults(connection)
    connection.execute("COMMIT")


def add_defaults(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("INSERT INTO tenants VALUES (?)", [DEFAULT_TENANT])
    connection.execute("INSERT INTO databases VALUES (?, ?)", [DEFAULT_TENANT, DEFAULT_DATABASE])


def create_records(number: int) -> str:
    """The statement that makes a collection's table."""
    return f"CREATE TABLE {records_table(number)} {_RECORDS}"


def format_of(connection: duckdb.DuckDBPyConnection) -> tuple[int, str] | None:
    """The version of the format and of the release that wrote it; None when the file is not one of ours."""
    if not tables(connection).issuperset(_CATALOG):
        return None
    row = connection.execute("SELECT version, written_by FROM chroma_format").fetchone()
    return None if row is None else (int(row[0]), str(row[1]))


def tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The names of the tables in the file."""
    return {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}


def digests(cursor: Cursor) -> dict[str, Digest]:
    """Of all tables of ours, by their names."""
    numbers = cursor.execute("SELECT number FROM collections")
    names = [*_CATALOG, *(records_table(number) for (number,) in numbers)]
    found = {name: cursor.execute(f"SELECT count(*), bit_xor(hash({name})) FROM {name}")[0] for name in names}
    return {name: Digest(int(rows), int(total or 0)) for name, (rows, total) in found.items()}


def settled_stamps(cursor: Cursor, number: int) -> Iterator[npt.NDArray[np.int64]]:
    """The stamps of the rows whose vectors are not in the file, in pieces."""
    table = records_table(number)
    [(last,)] = cursor.execute(f"SELECT coalesce(max(rowid), -1) FROM {table}")
    statement = f"SELECT stamp FROM {table} WHERE rowid >= ? AND rowid < ? AND embedding IS NULL"
    for start in range(0, last + 1, ROWS_AT_ONCE):
        found = cursor.arrays(statement, [start, start + ROWS_AT_ONCE])
        yield np.asarray(found["stamp"], dtype=np.int64)


def copy(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Write all live rows into a new file; records in the order they stand."""
    import duckdb

    with duckdb.connect(target) as other:
        for name, statement in _CATALOG.items():
            other.execute(statement)
            _copy_rows(connection, other, name)
        for (number,) in connection.execute("SELECT number FROM collections").fetchall():
            other.execute(create_records(number))
            _copy_rows(connection, other, records_table(number))
        other.execute("CHECKPOINT")


def _copy_rows(source: duckdb.DuckDBPyConnection, target: duckdb.DuckDBPyConnection, table: str) -> None:
    last = source.execute(f"SELECT coalesce(max(rowid), -1) FROM {table}").fetchall()[0][0]
    for start in range(0, last + 1, ROWS_AT_ONCE):
        batch = source.execute(
            f"SELECT * FROM {table} WHERE rowid >= ? AND rowid < ?", [start, start + ROWS_AT_ONCE]
        ).fetchnumpy()
        target.register("batch", batch)
        target.execute(f"INSERT INTO {table} SELECT * FROM batch")
        target.unregister("batch")


def take_the_place(copy: Path, path: Path) -> None:
    """Give a finished copy the name of the original, for good."""
    sync(copy)
    os.replace(copy, path)
    sync(path.parent)


def take_a_free_place(copy: Path, path: Path) -> None:
    """Give a finished copy that name, for good, unless something has it."""
    sync(copy)
    try:
        os.link(copy, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not path.exists():
            os.rename(copy, path)
    sync(path.parent)
