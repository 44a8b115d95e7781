"""What is in a backup."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chroma_plugin.frozen import frozen


@frozen
class CollectionBackup:
    """One collection in it."""

    tenant: str
    database: str
    name: str
    records: int


@frozen
class BackupReport:
    """A backup that was written, or a store that was restored from one."""

    path: Path
    collections: Sequence[CollectionBackup]
    bytes: int
    """Of all files."""

    @property
    def records(self) -> int:
        return sum(collection.records for collection in self.collections)
