"""Catalog and records of a damaged store, from whatever of it can be read: the DuckDB file, or what was saved beside it
at the last clean end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import numpy as np

from chroma_plugin.errors import ChromaError
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit import saved_table, vector_file
from chroma_plugin.toolkit.salvage import Stamps
from chroma_plugin.toolkit.table import Table
from chroma_plugin.toolkit.texts import Kind
from chroma_plugin.toolkit.vector_file import VectorFile
from chroma_plugin.types import CollectionInfo
from chroma_plugin_duckdb import snapshot
from chroma_plugin_duckdb.catalog import info_of_row
from chroma_plugin_duckdb.salvage import AT_ONCE, Columns, Source
from chroma_plugin_duckdb.schema import records_table
from chroma_plugin_duckdb.snapshot import Identity, Snapshot

TEXTS: Final = ("id", "document", "metadata", "uri")
_COLUMNS: Final = ("place", "stamp", *TEXTS, "embedding")
_COLLECTION: Final = ("number", "id", "tenant", "database", "name", "metadata", "configuration", "dimension")
_SETTLED: Final = "embedding IS NULL"


@frozen
class FoundCollection:
    """A collection, and where its records can be read."""

    info: CollectionInfo
    source: Source | None
    table: str
    saved: Table | None

    def settled(self) -> Stamps:
        """The stamps of the records whose vectors stand in a file of their own."""
        if self.saved is not None:
            return self.saved.stamps[:][self.saved.view.alive]
        if self.source is None:
            return np.empty(0, dtype=np.int64)
        found = [columns for _, columns in self.source.rows(self.table, ("stamp", _SETTLED)) if len(columns) == 2]
        pairs = (pair for columns in found for pair in zip(columns["stamp"], columns[_SETTLED], strict=True))
        return np.array([stamp for stamp, settled in pairs if settled], dtype=np.int64)

    def batches(self) -> Iterator[tuple[int, Columns]]:
        """How many records there are, and those of their columns that can be read."""
        if self.saved is not None:
            yield from _of_saved(self.saved)
        elif self.source is not None:
            yield from self.source.rows(self.table, _COLUMNS)


class Salvaged:
    """A damaged store."""

    def __init__(self, path: Path, place: Path, notes: list[str]) -> None:
        """`place` is an empty directory. What is left out is told in `notes`."""
        self._path, self._notes = path, notes
        found: tuple[Snapshot | None, Identity | None] = snapshot.read(path) or (None, None)
        self._saved, self._identity = found
        self._source = Source.open(path, place, notes)
        if self._source is None and self._saved is not None:
            notes.append("What was saved at the last clean end was used; what was written since is lost.")
        self.collections: Final = self._collections()

    @property
    def readable(self) -> bool:
        """Whether there is a catalog at all, be it empty."""
        if self._source is not None:
            return any(name == "collections" or name.startswith("records_") for name in self._source.tables())
        return self._saved is not None

    def _collections(self) -> list[FoundCollection]:
        """All that are known by name, or by their records."""
        found = dict(self._infos())
        for name in self._source.tables() if self._source is not None else ():
            match = re.fullmatch(r"records_(\d+)", name)
            if match and int(match[1]) not in found:
                found[int(match[1])] = self._unnamed(int(match[1]))
        return [self._found(number, info) for number, info in sorted(found.items())]

    def places(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Tenants and databases."""
        tenants = [name for (name,) in self._complete("tenants", ("name",))]
        databases = [(tenant, name) for tenant, name in self._complete("databases", ("tenant", "name"))]
        if self._saved is not None:
            tenants, databases = [*tenants, *self._saved.tenants], [*databases, *self._saved.databases]
        infos = [each.info for each in self.collections]
        databases += [(info.tenant, info.database) for info in infos]
        tenants += [tenant for tenant, _ in databases]
        return list(dict.fromkeys(tenants)), list(dict.fromkeys(databases))

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

    def _infos(self) -> Iterator[tuple[int, CollectionInfo]]:
        if self._source is None:
            yield from self._saved.collections if self._saved is not None else ()
        for row in self._complete("collections", _COLLECTION):
            yield row[0], info_of_row(*row[1:])

    def _complete(self, table: str, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """The rows of which all can be read."""
        for _, columns in self._source.rows(table, names) if self._source is not None else ():
            if len(columns) == len(names):
                yield from zip(*(columns[name] for name in names), strict=True)

    def _unnamed(self, number: int) -> CollectionInfo:
        """A collection whose line in the catalog is lost."""
        known = dict(self._saved.collections) if self._saved is not None else {}
        if number in known:
            return known[number]
        name = f"recovered-{number}"
        self._notes.append(f"The name of a collection is lost, and its configuration: it is {name!r} now.")
        return CollectionInfo(uuid4(), name, configuration={"hnsw": {"space": "l2"}, "embedding_function": None})

    def _found(self, number: int, info: CollectionInfo) -> FoundCollection:
        table = records_table(number)
        saved = self._table(info.id) if self._is_saved_better(table) else None
        if self._source is None and saved is None:
            self._notes.append(f"No record of collection {info.name!r} can be read.")
        return FoundCollection(info, self._source, table, saved)

    def _is_saved_better(self, table: str) -> bool:
        """Whether records can be read only there, or not all of them elsewhere and nothing was written since."""
        if self._source is None:
            return True
        if self._saved is None or self._identity != _identity(self._path):
            return False
        return any(len(columns) < len(_COLUMNS) for _, columns in self._source.rows(table, _COLUMNS))

    def _table(self, id: UUID) -> Table | None:
        mark = self._saved.marks.get(id) if self._saved is not None else None
        return None if mark is None else saved_of(self._path.parent / "vectors" / str(id), mark)


def saved_of(directory: Path, mark: str) -> Table | None:
    """The table that was saved with that mark beside the vectors in the directory; None when it is not to be had."""
    path = vector_file.latest(directory)
    try:
        return None if path is None else saved_table.load(VectorFile.open(path, None), mark)
    except ChromaError:
        return None


def _identity(path: Path) -> Identity | None:
    try:
        with path.open("rb") as file:
            return Identity.of(file.fileno())
    except OSError:
        return None


def _of_saved(table: Table) -> Iterator[tuple[int, Columns]]:
    rows = table.view.rows()
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        columns: dict[str, Sequence[Any]] = {
            "place": table.places[:][some].tolist(),
            "stamp": table.stamps[:][some].tolist(),
            "embedding": [None] * len(some),
        }
        with suppress(ChromaError):  # of a damaged block of texts
            columns |= dict(zip(TEXTS, table.texts.take(some, tuple(Kind)), strict=True))
        yield len(some), columns
