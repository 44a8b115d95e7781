"""A directory written by Chroma 0.3.x (``duckdb+parquet``) becomes ours when it is first opened.

Its two Parquet files are read and left as they are; its pickles are never opened.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from chroma_plugin.errors import StorageError
from chroma_plugin.toolkit.table import Rows, as_json
from chroma_plugin.types import CollectionInfo, Records
from chroma_plugin_duckdb import schema
from chroma_plugin_duckdb.catalog import DuckDBCatalog
from chroma_plugin_duckdb.connecting import remove
from chroma_plugin_duckdb.file import File
from chroma_plugin_duckdb.records import DuckDBRecords

_CHROMADB_FILE: Final = "chroma.sqlite3"

logger = logging.getLogger("chroma_plugin")


def adopt(directory: Path, path: Path, *, read_only: bool) -> None:
    """Make the file at `path` from the Parquet files in `directory`, whole or not at all, unless it is there."""
    if path.exists() or not directory.is_dir():
        return
    if (directory / _CHROMADB_FILE).exists():
        raise StorageError(
            f"{directory} was written by chromadb 0.4 or newer, which keeps {_CHROMADB_FILE}. Copy it into a new "
            f"directory: chroma-plugin copy {directory} NEW_DIRECTORY. To look into it: chroma_db_impl='chromadb'."
        )
    from chroma_plugin.parquet.legacy import is_legacy_directory

    if not is_legacy_directory(directory):
        return
    if read_only:
        raise StorageError(f"{directory} was written by Chroma 0.3.x: open it once without read_only to take it over.")
    unfinished = path.with_name(f"{path.name}.import")
    remove(unfinished)
    file = File(unfinished, read_only=False)
    try:
        count = _copy(directory, file)
        file.checkpoint()
    except BaseException:
        file.close()
        remove(unfinished)
        raise
    file.close()
    schema.take_the_place(unfinished, path)
    logger.info(
        "Took over %d records that Chroma 0.3.x wrote in %s; its files are left as they were.", count, directory
    )


def _copy(directory: Path, file: File) -> int:
    from chroma_plugin.parquet.legacy import read_legacy

    catalog = DuckDBCatalog(file)
    total = 0
    for info, batches in read_legacy(directory):
        catalog.add_collection(info)
        records = DuckDBRecords(file, catalog.number(info), directory, directory)
        count = 0
        for rows in _rows(batches):
            records.write(np.empty(0, dtype=np.int64), rows)
            info = _with_dimension(info, rows)
            count += len(rows)
        catalog.change_collection(info)
        total += count
    return total


def _rows(batches: Iterator[Records]) -> Iterator[Rows]:
    start = 0
    for batch in batches:
        assert batch.embeddings is not None
        numbers = np.arange(start, start + len(batch), dtype=np.int64)
        yield Rows(
            ids=batch.ids,
            places=numbers,
            stamps=numbers,
            embeddings=batch.embeddings,
            documents=batch.documents or [None] * len(batch),
            metadatas=as_json(batch.metadatas) or [None] * len(batch),
            uris=batch.uris or [None] * len(batch),
        )
        start += len(batch)


def _with_dimension(info: CollectionInfo, rows: Rows) -> CollectionInfo:
    assert rows.embeddings is not None
    return replace(info, dimension=rows.embeddings.shape[1])
