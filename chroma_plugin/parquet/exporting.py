"""Collections written to Parquet, in bounded memory and all or nothing."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.errors import StorageError
from chroma_plugin.parquet import checks
from chroma_plugin.parquet.engine import connection, writing
from chroma_plugin.parquet.layout import COLLECTIONS_FILE, FORMAT_VERSION, RECORDS_FILE
from chroma_plugin.parquet.reading import ROWS
from chroma_plugin.parquet.report import TransferReport
from chroma_plugin.requests.names import chosen_names
from chroma_plugin.types import Matrix

if TYPE_CHECKING:
    import duckdb

    from chroma_plugin.api.client import Client
    from chroma_plugin.api.collection import Collection

_COLLECTIONS_TABLE: Final = """
    CREATE TABLE collections (
        format_version INTEGER, id VARCHAR, name VARCHAR, metadata VARCHAR, configuration VARCHAR, dimension INTEGER,
        tenant VARCHAR, database VARCHAR)"""
_RECORDS_TABLE: Final = """
    CREATE TABLE records (
        collection_id VARCHAR, id VARCHAR, embedding FLOAT[], document VARCHAR, metadata VARCHAR, uri VARCHAR)"""
_ADD_COLLECTION: Final = "INSERT INTO collections VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_RECORDS: Final = """
    INSERT INTO records SELECT ?, id, embedding, document, metadata, uri FROM batch"""


def export_collections(
    client: Client, directory: str | Path, *, names: Iterable[str] | None = None, overwrite: bool = False
) -> TransferReport:
    """Write collections of the client's database to two Parquet files in ``directory``, which is made if needed.

    ``names`` picks some of them; default: all. A record that is written or deleted meanwhile may or may not be in the
    files. The files appear when they are complete.

    Raises NotFoundError for an unknown name, and StorageError when the directory has such files and ``overwrite`` is
    False, or can't be written to. Then no file was changed.
    """
    target = checks.directory(directory)
    collections = _chosen(client, names)
    if not overwrite and ((target / COLLECTIONS_FILE).exists() or (target / RECORDS_FILE).exists()):
        raise StorageError(
            f"{str(target)!r} holds an export already. Choose another directory, or pass overwrite=True."
        )
    target.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".chroma-export-", dir=target) as scratch,
        # The rows of one Parquet file are written in one go; until then they wait here.
        connection(spill=Path(scratch) / "rows") as connected,
        writing(target),
    ):
        counts = _collect(connected, collections)
        _publish(connected, Path(scratch), target)
    return TransferReport(target, counts)


def _chosen(client: Client, names: Iterable[str] | None) -> Sequence[Collection]:
    every = client.list_collections()
    if names is None:
        return every
    by_name = {collection.name: collection for collection in every}
    wanted = chosen_names(names, by_name)
    return [by_name[name] for name in wanted]


def _collect(connected: duckdb.DuckDBPyConnection, collections: Sequence[Collection]) -> Mapping[str, int]:
    connected.execute(_COLLECTIONS_TABLE)
    connected.execute(_RECORDS_TABLE)
    counts: dict[str, int] = {}
    for collection in collections:
        counts[collection.name], dimension = _collect_records(connected, collection)
        connected.execute(_ADD_COLLECTION, _collection_row(collection, dimension))
    return counts


def _collection_row(collection: Collection, dimension: int | None) -> list[Any]:
    return [
        FORMAT_VERSION,
        str(collection.id),
        collection.name,
        _json(collection.metadata),
        _json(collection.configuration_json),
        dimension,
        collection.tenant,
        collection.database,
    ]


def _collect_records(connected: duckdb.DuckDBPyConnection, collection: Collection) -> tuple[int, int | None]:
    # By ids, not by offset: a delete in between can't shift the batches.
    ids = collection.get(include=[])["ids"]
    count, dimension = 0, None
    for start in range(0, len(ids), ROWS):
        records = collection.get(
            ids=ids[start : start + ROWS], include=["embeddings", "documents", "metadatas", "uris"]
        )
        if not records["ids"]:
            continue
        embeddings = np.asarray(records["embeddings"], dtype=np.float32)
        connected.register("batch", _batch(records, embeddings))
        connected.execute(_ADD_RECORDS, [str(collection.id)])
        connected.unregister("batch")
        count += len(records["ids"])
        dimension = embeddings.shape[1]
    return count, dimension


def _batch(records: Mapping[str, Any], embeddings: Matrix) -> dict[str, npt.NDArray[np.object_]]:
    return {
        "id": _column(records["ids"]),
        "embedding": _column(embeddings),
        "document": _column(records["documents"]),
        "metadata": _column([_json(metadata) for metadata in records["metadatas"]]),
        "uri": _column(records["uris"]),
    }


def _column(values: Sequence[Any] | npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    column = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        column[row] = value
    return column


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, allow_nan=False)


def _publish(connected: duckdb.DuckDBPyConnection, scratch: Path, target: Path) -> None:
    for table, name in (("records", RECORDS_FILE), ("collections", COLLECTIONS_FILE)):
        relation = connected.table(table)
        relation.write_parquet(str(scratch / name), compression="zstd", row_group_size=ROWS)
        _sync(scratch / name)
    # Without the list of collections a directory is no export: whoever stops in between leaves no mixture.
    (target / COLLECTIONS_FILE).unlink(missing_ok=True)
    for name in (RECORDS_FILE, COLLECTIONS_FILE):
        os.replace(scratch / name, target / name)
    _sync(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
