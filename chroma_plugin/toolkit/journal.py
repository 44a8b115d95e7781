"""Where a local store keeps its records for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.table import Numbers, Rows


@frozen(eq=False)
class Patch:
    """New values for some columns of records that stay where they are; their vectors do not change."""

    places: Numbers
    documents: Sequence[str | None] | None
    metadatas: Sequence[str | None] | None
    """JSON text."""
    uris: Sequence[str | None] | None


class Journal(Protocol):
    """The truth of one collection. Each change is all or nothing, and on disk when the call returns."""

    def dimension(self) -> int | None:
        """Of any vector it holds; None when it holds none."""

    def load(self, *, settled: bool) -> Iterator[Rows]:
        """The rows whose vectors were settled, without these, in any order; or the others, best in the order in which
        they were written. In batches.
        """

    def settle(self, last: int) -> None:
        """The vectors with stamps up to this one are on disk in `vector_directory`: they need not be kept here."""

    def write(self, removed: Numbers, added: Rows) -> None:
        """Remove the records at those places, then add those; the two may share places. ``added`` without embeddings:
        those of all records, with the new ones, are on disk in `vector_directory` and need not be kept here.
        """

    def remove(self, places: Numbers) -> None:
        """Remove the records at those places."""

    def patch(self, patch: Patch) -> None:
        """Replace the columns that are not None."""

    def vector_directory(self) -> Path | None:
        """Where a file of vectors may be kept; None when this keeps them itself."""

    def mark(self) -> str | None:
        """That of the table which was saved when this was last changed, see `saved_table`; None when it is not known,
        or something has changed since.
        """

    def graph_directory(self) -> Path | None:
        """Where index files may be kept between two openings; None for nowhere."""

    def writable(self) -> bool:
        """Whether anything may be written."""


class NoJournal:
    """Nothing is kept: the collection lives in memory."""

    def dimension(self) -> int | None:
        return None

    def load(self, *, settled: bool) -> Iterator[Rows]:
        return iter(())

    def settle(self, last: int) -> None:
        pass

    def write(self, removed: Numbers, added: Rows) -> None:
        pass

    def remove(self, places: Numbers) -> None:
        pass

    def patch(self, patch: Patch) -> None:
        pass

    def vector_directory(self) -> Path | None:
        return None

    def mark(self) -> str | None:
        return None

    def graph_directory(self) -> Path | None:
        return None

    def writable(self) -> bool:
        return False
