"""Directories that Chroma 0.3.x wrote with ``chroma_db_impl="duckdb+parquet"``.

Everything is in the two Parquet files: collections (uuid, name, metadata as JSON text) and embeddings (collection_uuid,
uuid, embedding DOUBLE[], document, id, metadata as JSON text). The ``index`` folder beside them holds an index that can
be built again and three pickles per collection, which run code when they are loaded: it is never opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chroma_plugin.errors import NotFoundError
from chroma_plugin.parquet.engine import connection
from chroma_plugin.parquet.layout import LEGACY, detect, has_files
from chroma_plugin.parquet.reading import ParquetDirectory
from chroma_plugin.types import CollectionInfo, Records


def is_legacy_directory(path: Path) -> bool:
    """Whether the directory holds the two Parquet files of Chroma 0.3.x.

    Raises CorruptionError when the two files are there and can't be read: such a directory is not an empty one.
    """
    if not has_files(path):
        return False
    with connection() as connected:
        return detect(connected, path) is LEGACY


def read_legacy(path: Path) -> Iterator[tuple[CollectionInfo, Iterator[Records]]]:
    """Every collection of a Chroma 0.3.x directory with its records in batches, in the order they were written.

    The ids of collections are kept. Embeddings become float32, as hnswlib had them. ``info.metadata``
    still has the ``hnsw:*`` keys; ``info.configuration`` says the same.

    Raises NotFoundError when it is no such directory, CorruptionError for damaged files, and InvalidArgumentError for
    what today's rules refuse: of collections before anything is yielded, of records when their batch is reached.
    """
    directory = ParquetDirectory(path)
    if directory.layout is not LEGACY:
        raise NotFoundError(f"{str(path)!r} was not written by Chroma 0.3.x but by {directory.layout.name}.")
    for part in directory.parts:
        yield part.info, directory.records(part)
