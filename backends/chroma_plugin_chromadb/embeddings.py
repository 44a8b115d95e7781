"""The vector of every id: the newest one in the log, else the one in the index files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from chroma_plugin.errors import CorruptionError
from chroma_plugin.requests import embeddings
from chroma_plugin.types import CollectionInfo, Matrix
from chroma_plugin_chromadb import changes, labels
from chroma_plugin_chromadb.database import Database
from chroma_plugin_chromadb.vector_files import VectorFiles


class Embeddings:
    """The vectors of one collection. What is held in memory are ids and numbers, no vectors."""

    def __init__(self, database: Database, directory: Path, info: CollectionInfo, segment: str, applied: int) -> None:
        # A folder is named by a UUID; nothing else in the file becomes part of a path.
        self._directory = directory / str(_uuid(segment))
        self._database = database
        self._info = info
        self._labels = labels.read(self._directory / "index_metadata.pickle")
        last = applied or self._labels.last_change
        self._logged = changes.newest(database, str(info.id), self._labels, last)

    def take(self, ids: Sequence[str]) -> Matrix:
        """One row per id, finite float32. Raises CorruptionError for an id without a vector."""
        result = np.empty((len(ids), self._dimension), dtype=np.float32)
        logged = [(row, number) for row, id in enumerate(ids) if (number := self._logged.get(id)) is not None]
        filed = [(row, self._label(id)) for row, id in enumerate(ids) if self._logged.get(id) is None]
        if logged:
            rows, numbers = zip(*logged, strict=True)
            result[list(rows)] = changes.vectors(self._database, numbers, self._dimension)
        if filed:
            rows, wanted = zip(*filed, strict=True)
            result[list(rows)] = self._files.take(wanted)
        return embeddings.matrix(result) if len(ids) else result

    def _label(self, id: str) -> int:
        label = None if id in self._logged else self._labels.of_id.get(id)
        if label is None:
            raise CorruptionError(
                f"The record {id!r} of collection {self._info.name!r} has no vector, neither in the log nor in "
                f"{self._directory}. Let chromadb open the directory once, or delete the record there."
            )
        return label

    @property
    def _dimension(self) -> int:
        return self._info.dimension or 0

    @cached_property
    def _files(self) -> VectorFiles:
        return VectorFiles(self._directory, self._dimension, self._info.metric)


def _uuid(text: Any) -> UUID:
    try:
        return UUID(text)
    except (ValueError, TypeError, AttributeError) as error:
        raise CorruptionError(f"The folder of a collection's vectors is named by a UUID, not by {text!r}.") from error
