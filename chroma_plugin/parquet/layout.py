"""The two layouts of the two files: Chroma 0.3.x's and ours, told apart by their columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from chroma_plugin.errors import CorruptionError, NotFoundError
from chroma_plugin.frozen import frozen
from chroma_plugin.parquet.engine import literal, reading
from chroma_plugin.toolkit.formats import refuse_newer

if TYPE_CHECKING:
    import duckdb

COLLECTIONS_FILE: Final = "chroma-collections.parquet"
RECORDS_FILE: Final = "chroma-embeddings.parquet"
FORMAT_VERSION: Final = 1


@frozen
class Layout:
    """How to read one layout: the columns that must be there, and constant SQL that maps them to one shape."""

    name: str
    collection_columns: frozenset[str]
    record_columns: frozenset[str]
    collections: str
    """-> id, name, metadata, configuration, dimension, tenant, database; parameter: the file"""
    owner: str
    """The column of the records file that holds the collection's id."""
    records: str
    """-> id, embedding, document, metadata, uri; parameters: the file, collection id, first row, last row"""


OURS: Final = Layout(
    name="chroma-plugin",
    collection_columns=frozenset(
        {"format_version", "id", "name", "metadata", "configuration", "dimension", "tenant", "database"}
    ),
    record_columns=frozenset({"collection_id", "id", "embedding", "document", "metadata", "uri"}),
    collections="""
        SELECT id, name, metadata, configuration, dimension, tenant, database
        FROM read_parquet(?, file_row_number = true) ORDER BY file_row_number""",
    owner="collection_id",
    records="""
        SELECT id, embedding, document, metadata, uri FROM read_parquet(?, file_row_number = true)
        WHERE collection_id = ? AND file_row_number BETWEEN ? AND ? ORDER BY file_row_number""",
)
LEGACY: Final = Layout(
    name="Chroma 0.3.x",
    collection_columns=frozenset({"uuid", "name", "metadata"}),
    record_columns=frozenset({"collection_uuid", "uuid", "embedding", "document", "id", "metadata"}),
    collections="""
        SELECT uuid AS id, name, metadata, NULL AS configuration, NULL AS dimension,
               'default_tenant' AS tenant, 'default_database' AS database
        FROM read_parquet(?, file_row_number = true) ORDER BY file_row_number""",
    owner="collection_uuid",
    records="""
        SELECT id, embedding, document, metadata, NULL::VARCHAR AS uri FROM read_parquet(?, file_row_number = true)
        WHERE collection_uuid = ? AND file_row_number BETWEEN ? AND ? ORDER BY file_row_number""",
)


def has_files(directory: Path) -> bool:
    """Both files are there."""
    return (directory / COLLECTIONS_FILE).is_file() and (directory / RECORDS_FILE).is_file()


def detect(connection: duckdb.DuckDBPyConnection, directory: Path) -> Layout:
    """The layout of the files in a directory.

    Raises NotFoundError when one is missing, CorruptionError when they are damaged or of no known layout,
    FormatVersionError when a newer release wrote them.
    """
    for name in (COLLECTIONS_FILE, RECORDS_FILE):
        if not (directory / name).is_file():
            raise NotFoundError(f"No Parquet export in {str(directory)!r}: {name} is missing.")
    collections = columns(connection, directory / COLLECTIONS_FILE)
    records = columns(connection, directory / RECORDS_FILE)
    for layout in (OURS, LEGACY):
        if layout.collection_columns <= collections and layout.record_columns <= records:
            if layout is OURS:
                _check_version(connection, directory / COLLECTIONS_FILE)
            return layout
    raise CorruptionError(
        f"The Parquet files in {str(directory)!r} are neither chroma-plugin's nor Chroma 0.3.x's: "
        f"{COLLECTIONS_FILE} has the columns {sorted(collections)}, {RECORDS_FILE} has {sorted(records)}."
    )


def columns(connection: duckdb.DuckDBPyConnection, path: Path) -> frozenset[str]:
    """The names of a Parquet file's columns. Raises CorruptionError when it is not a Parquet file."""
    with reading(path):
        described = connection.execute("SELECT * FROM read_parquet(?) LIMIT 0", [literal(path)]).description
    return frozenset(str(column[0]) for column in described or ())


def _check_version(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    row = connection.execute("SELECT max(format_version) FROM read_parquet(?)", [literal(path)]).fetchone()
    refuse_newer(path, row and row[0], FORMAT_VERSION, None)
