"""The demo's collection: made in batches, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chroma_plugin.cli.corpus import Entry, collect
from chroma_plugin.cli.output import errors
from chroma_plugin.embedding_functions import DefaultEmbeddingFunction, EmbeddingFunction, HashingEmbeddingFunction

if TYPE_CHECKING:
    from chroma_plugin.api.collection import Collection

COLLECTION: Final = "standard-library"
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Another release has another library, and another store."""
_BATCH: Final = 128
"""Entries per write; with more, the collection shows a bar of its own for each."""


class Embedding(StrEnum):
    """The embedding functions that the demo offers."""

    DEFAULT = "default"
    HASHING = "hashing"

    def function(self) -> EmbeddingFunction[Any]:
        return HashingEmbeddingFunction() if self is Embedding.HASHING else DefaultEmbeddingFunction()


def is_complete(collection: Collection, limit: int | None) -> bool:
    """Whether an earlier run indexed all that is wanted, of this Python's library."""
    return (collection.metadata or {}) == _mark(limit)


def index(collection: Collection, limit: int | None) -> None:
    """Add the entries that are not in the collection yet, with a progress bar on standard error."""
    entries = list(islice(collect(), limit))
    known = set(collection.get(include=[])["ids"])
    missing = [entry for entry in entries if entry.id not in known]
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors(),
        transient=True,
    ) as progress:
        task = progress.add_task("embedding", total=len(entries), completed=len(entries) - len(missing))
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            _add(collection, batch)
            progress.advance(task, len(batch))
    # Written last: without it the next run looks for what is missing.
    collection.modify(metadata=_mark(limit))


def _add(collection: Collection, entries: Sequence[Entry]) -> None:
    collection.add(
        ids=[entry.id for entry in entries],
        documents=[entry.text for entry in entries],
        metadatas=[entry.metadata for entry in entries],
    )


def _mark(limit: int | None) -> dict[str, Any]:
    return {"corpus": "standard library", "python": PYTHON, "limit": limit}
