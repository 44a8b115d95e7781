"""A transaction: what it has read and written in each collection, and its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from uuid import UUID

from chroma_plugin.backend import Backend, Change, CollectionStore
from chroma_plugin.errors import ClosedError
from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.transactions.collection import TransactedCollection


class Transaction:
    """Of one database. Any number of threads may use it."""

    def __init__(self) -> None:
        self._collections: dict[UUID, TransactedCollection] = {}
        self._ended = False

    def collection(self, opened: OpenCollection) -> TransactedCollection:
        """That collection, seen from inside. Raises ClosedError after the end."""
        if self._ended:
            raise ClosedError("The transaction has ended: begin another one.")
        return self._collections.setdefault(opened.info.id, TransactedCollection(opened))

    def end(self) -> None:
        """Without writing anything, unless `commit` has done so."""
        self._ended = True
        for collection in self._collections.values():
            collection.end()

    def commit(self, backend: Backend) -> None:
        """End it: all writes are made, or none and StaleReadError is raised."""
        self.end()
        parts = list(self._collections.values())
        with writing([part.below for part in parts]) as stores:
            changes = [part.change_of(stores[part.below]) for part in parts]
            commit(backend, {part.below: change for part, change in zip(parts, changes, strict=True)})


def commit(backend: Backend, changes: dict[OpenCollection, Change]) -> None:
    """The caller is writing to these collections."""
    if any(change.reads or change.writes for change in changes.values()):
        backend.commit(list(changes.values()))
    for opened, change in changes.items():
        if change.written is not None and change.written.embeddings is not None:
            opened.keep_dimension(change.written.embeddings)


@contextmanager
def writing(collections: Sequence[OpenCollection]) -> Iterator[dict[OpenCollection, CollectionStore]]:
    """The stores of all of them, for one writer: locked in one order everywhere, so that nobody waits in a circle."""
    with ExitStack() as held:
        yield {
            opened: held.enter_context(opened.writing())
            for opened in sorted(collections, key=lambda opened: opened.info.id)
        }
