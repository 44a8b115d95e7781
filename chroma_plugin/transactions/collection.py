"""One collection inside a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import NoReturn

from chroma_plugin.backend import Change, CollectionStore
from chroma_plugin.errors import ClosedError, UnsupportedError
from chroma_plugin.sessions.open_collection import OpenCollection, Opened
from chroma_plugin.sessions.turns import Turns
from chroma_plugin.transactions.answers import check
from chroma_plugin.transactions.overlay import Overlay
from chroma_plugin.transactions.pending import Pending
from chroma_plugin.types import CollectionInfo, Matrix, Read


class TransactedCollection(Opened):
    """A collection as its transaction sees it; what is done here changes nothing before the transaction ends."""

    def __init__(self, below: OpenCollection) -> None:
        self.info = below.info
        self.below = below
        self._reads: list[Read] = []
        self._pending = Pending()
        # One call at a time: what was read and what is pending have to fit each other.
        self._calls = Turns()
        self._ended = False

    def reading(self) -> AbstractContextManager[CollectionStore]:
        return self._using()

    def writing(self) -> AbstractContextManager[CollectionStore]:
        return self._using()

    @contextmanager
    def _using(self) -> Iterator[CollectionStore]:
        with self._calls, self.below.reading() as store:
            if self._ended:
                raise ClosedError("The transaction has ended: use the collection itself, or begin another one.")
            yield Overlay(store, self._pending, self._reads, bare=self.below.info.dimension is None)

    def keep_dimension(self, embeddings: Matrix) -> None:
        self.info = replace(self.info, dimension=embeddings.shape[1])

    def change(self, how: Callable[[CollectionInfo], CollectionInfo]) -> NoReturn:
        raise UnsupportedError("A transaction is about records: modify the collection itself, outside of it.")

    def end(self) -> None:
        """From now on every call raises ClosedError."""
        with self._calls:
            self._ended = True

    def change_of(self, store: CollectionStore) -> Change:
        """What has to be checked and done below, where the caller is writing.

        Raises InvalidDimensionError when somebody else has fixed another dimension meanwhile.
        """
        written = self._pending.records
        if written is not None and written.embeddings is not None:
            self.below.check_dimension(store, written.embeddings)
        return Change(store, self._reads, self._pending.deleted, written, partial(check, self._reads))
