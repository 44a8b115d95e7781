"""Where a local store keeps its records for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chroma_plugin.toolkit.table import Numbers, Rows


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """New values for some columns of records that stay where they are; their vectors do not change."""

    places: Numbers
    documents: Sequence[str | None] | None
    metadatas: Sequence[str | None] | None
    """JSON text."""
    uris: Sequence[str | None] | None


class Journal(Protocol):
    """The truth of one collection. Each change is all or nothing, and on disk when the call returns."""

    def count(self) -> int:
        """How many rows `load` gives."""

    def load(self, dimension: int) -> Iterator[Rows]:
        """All rows, in batches, best in the order in which they were written."""

    def write(self, removed: Numbers, added: Rows) -> None:
        """Remove the records at those places, then add those; the two may share places."""

    def remove(self, places: Numbers) -> None:
        """Remove the records at those places."""

    def patch(self, patch: Patch) -> None:
        """Replace the columns that are not None."""

    def graph_directory(self) -> Path | None:
        """Where index files may be kept between two openings; None for nowhere."""

    def writable(self) -> bool:
        """Whether index files may be written."""


class NoJournal:
    """Nothing is kept: the collection lives in memory."""

    def count(self) -> int:
        return 0

    def load(self, dimension: int) -> Iterator[Rows]:
        return iter(())

    def write(self, removed: Numbers, added: Rows) -> None:
        pass

    def remove(self, places: Numbers) -> None:
        pass

    def patch(self, patch: Patch) -> None:
        pass

    def graph_directory(self) -> Path | None:
        return None

    def writable(self) -> bool:
        return False
