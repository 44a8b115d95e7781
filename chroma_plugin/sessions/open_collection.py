"""One collection of an open database: its facts and its store, shared by every handle of it in this process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Final

from chroma_plugin.backend import Backend, CollectionStore
from chroma_plugin.errors import ChromaError, InvalidDimensionError, NotFoundError
from chroma_plugin.sessions.gate import Gate
from chroma_plugin.sessions.turns import Turns
from chroma_plugin.types import CollectionInfo, Field, Matrix, Scan

_EMBEDDINGS: Final[frozenset[Field]] = frozenset(("embeddings",))


class Opened(ABC):
    """What the operations need of a collection: its facts, and its store."""

    info: CollectionInfo

    @abstractmethod
    def reading(self) -> AbstractContextManager[CollectionStore]:
        """The store, which stays open until the block ends."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[CollectionStore]:
        """The store, for one writer at a time."""

    @abstractmethod
    def keep_dimension(self, embeddings: Matrix) -> None:
        """Fix the dimension after the first write. The caller is writing."""

    @abstractmethod
    def change(self, how: Callable[[CollectionInfo], CollectionInfo]) -> None:
        """Replace the facts."""

    def check_dimension(self, store: CollectionStore, embeddings: Matrix) -> int | None:
        """The dimension of the collection, None while it has none. Raises InvalidDimensionError for any other."""
        expected = self._dimension(store)
        if expected is not None and embeddings.shape[1] != expected:
            raise InvalidDimensionError(
                f"Collection {self.info.name!r} has embeddings of dimension {expected}, "
                f"but these have dimension {embeddings.shape[1]}."
            )
        return expected

    def _dimension(self, store: CollectionStore) -> int | None:
        if self.info.dimension is None:
            # Records may be there all the same: the process ended after the first write and before `keep_dimension`.
            for batch in store.scan(Scan(limit=1, fields=_EMBEDDINGS)):
                if batch.embeddings is not None and len(batch):
                    self.info = replace(self.info, dimension=batch.embeddings.shape[1])
        return self.info.dimension


class OpenCollection(Opened):
    """The only way to a store: reads pass at any time, writes one after the other, nothing after it was closed."""

    def __init__(self, backend: Backend, info: CollectionInfo, catalogue: Turns) -> None:
        self.info = info
        self._backend = backend
        # The database's: taken last, around changes of what collections there are.
        self._catalogue = catalogue
        self._store: CollectionStore | None = None
        self._make_locks()

    def _make_locks(self) -> None:
        self._opening = Turns()
        # Whoever takes both takes the write lock before passing the gate.
        self._write = Turns()
        self._gate = Gate()

    @property
    def is_loaded(self) -> bool:
        """Whether its store is open: looking into it costs nothing more."""
        return self._store is not None

    def reading(self) -> AbstractContextManager[CollectionStore]:
        return _Reading(self._gate, self._opened)

    @contextmanager
    def writing(self) -> Iterator[CollectionStore]:
        with self._write, self._gate:
            yield self._opened()

    def _opened(self) -> CollectionStore:
        # Opening waits for the first use: listing a thousand collections loads none of them.
        store = self._store
        if store is None:
            with self._opening:
                store = self._store
                if store is None:
                    store = self._store = self._backend.open_collection(self.info)
        return store

    def keep_dimension(self, embeddings: Matrix) -> None:
        if self.info.dimension is None:
            self.change(lambda info: replace(info, dimension=embeddings.shape[1]))

    def change(self, how: Callable[[CollectionInfo], CollectionInfo]) -> None:
        # In the database first, and made of what is there: another process may have changed other facts.
        with self._write, self._gate:
            with self._catalogue:
                info = how(self._facts())
                self._backend.update_collection(info)
                self.info = info
            if self._store is not None:
                self._store.configure(info)

    def _facts(self) -> CollectionInfo:
        found = self._backend.get_collection_by_id(self.info.id, self.info.tenant, self.info.database)
        if found is None:
            raise self.gone()
        return found

    def renew(self, info: CollectionInfo) -> None:
        """The backend was refreshed: these are the facts now, and who comes next opens the store anew. Who is in the
        old one goes on reading there.
        """
        with self._write, self._opening:
            self.info, self._store = info, None

    def after_fork(self, catalogue: Turns) -> None:
        """In a process that was forked off: those who were inside are in the parent, and so is the store."""
        self._catalogue, self._store = catalogue, None
        self._make_locks()

    def drop(self) -> None:
        """Delete the collection; from then on every handle of it raises NotFoundError."""
        with self._write:
            gone = self.gone()
            if not self._gate.shut(gone):
                raise gone
            self._close_store()
            try:
                with self._catalogue:
                    self._backend.drop_collection(self.info)
            except BaseException:
                self._gate.reopen()
                raise

    def gone(self) -> NotFoundError:
        """The error of every call after the collection was deleted."""
        return NotFoundError(f"Collection {self.info.name!r} ({self.info.id}) does not exist any more: it was deleted.")

    def close(self, refusal: ChromaError) -> None:
        """Close the store once nobody uses it; from then on every call raises ``refusal``."""
        with self._write:
            if self._gate.shut(refusal):
                self._close_store()

    def _close_store(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()


class _Reading:
    """What `contextmanager` would make of it, in a third of the time: every query passes here."""

    __slots__ = ("_gate", "_opened")

    def __init__(self, gate: Gate, opened: Callable[[], CollectionStore]) -> None:
        self._gate, self._opened = gate, opened

    def __enter__(self) -> CollectionStore:
        self._gate.__enter__()
        try:
            return self._opened()
        except BaseException:
            self._gate.__exit__()
            raise

    def __exit__(self, *exception: object) -> None:
        self._gate.__exit__()
