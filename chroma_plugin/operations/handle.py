"""What a `Collection` object holds: the connection of its client, the open collection, the functions that make
embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from chroma_plugin.backend import CollectionStore
from chroma_plugin.errors import EmbeddingFunctionError, InvalidArgumentError
from chroma_plugin.frozen import frozen
from chroma_plugin.operations.results import DataLoader
from chroma_plugin.requests.shown import kind
from chroma_plugin.sessions.connection import Connection
from chroma_plugin.sessions.open_collection import Opened
from chroma_plugin.types import Matrix

if TYPE_CHECKING:
    from chroma_plugin.embedding_functions import EmbeddingFunction
    from chroma_plugin.plugins import PluginManager


@frozen(eq=False)
class Handle:
    connection: Connection
    opened: Opened
    function: EmbeddingFunction[Any] | None
    loader: DataLoader | None
    plugins: PluginManager

    def reading(self) -> AbstractContextManager[CollectionStore]:
        """The store, for a ``with`` block.

        Raises ClosedError after the client was closed, NotFoundError after the collection was deleted.
        """
        _ = self.connection.session
        return self.opened.reading()

    def writing(self) -> AbstractContextManager[CollectionStore]:
        """The same, for one writer at a time."""
        _ = self.connection.session
        return self.opened.writing()

    def embed(self, inputs: Sequence[Any], *, query: bool = False) -> Matrix:
        """One row per input. Calls the model: not while a lock is held."""
        from chroma_plugin.embedding_functions import embed

        if self.function is None:
            raise EmbeddingFunctionError(
                f"Collection {self.opened.info.name!r} has no embedding function: pass embeddings, "
                f"or get the collection with embedding_function=..."
            )
        return embed(self.function, inputs, query=query)

    def load(self, uris: Sequence[str | None]) -> Sequence[Any]:
        """What stands behind the URIs."""
        if self.loader is None:
            raise InvalidArgumentError(
                f"Collection {self.opened.info.name!r} has no data_loader, so its URIs can't be opened: "
                f"{kind(list(uris))}. Get the collection with data_loader=..."
            )
        return self.loader(uris)
