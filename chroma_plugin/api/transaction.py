"""`Transaction`: what ``with client.transaction() as t`` gives."""

from __future__ import annotations

from typing import TypeVar

from chroma_plugin import transactions
from chroma_plugin.api.collection_base import CollectionBase
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests.shown import kind
from chroma_plugin.sessions.session import Session

_C = TypeVar("_C", bound=CollectionBase)


class Transaction:
    """Reads and writes in any collections of one client that count together. Clients and collections begin one:
    `Client.transaction`, `Collection.transaction`.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._transaction = transactions.Transaction()

    def collection(self, collection: _C) -> _C:
        """That collection as this transaction sees it, with the same embedding function.

        Raises InvalidArgumentError for a collection of another database, ClosedError after the end.
        """
        if not isinstance(collection, CollectionBase):
            raise InvalidArgumentError(f"A transaction is about collections, not {kind(collection)}.")
        if collection._handle.connection.session is not self._session:
            raise InvalidArgumentError(
                f"Collection {collection.name!r} belongs to another client's database: a transaction has one."
            )
        return collection._within(self._transaction)

    def _commit(self) -> None:
        self._transaction.commit(self._session.backend)

    def _end(self) -> None:
        self._transaction.end()
