"""`ChromaPluginDocumentStore`: a collection as Haystack's document store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils import Secret

from chroma_plugin import AsyncCollection, Client, Collection
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin_haystack import opening, reading, writing
from chroma_plugin_haystack.by_filter import ByFilter
from chroma_plugin_haystack.by_query import ByQuery
from chroma_plugin_haystack.opening import Place, Space
from chroma_plugin_haystack.runner import Runner
from chroma_plugin_haystack.steps import Steps


class ChromaPluginDocumentStore(ByFilter, ByQuery):
    """Documents in a collection: in memory, in a directory, on a server, or in a collection you have.

    Every method has a twin that ends in ``_async``. With an `AsyncCollection` the twin awaits it, and only the twins
    work; else the work is done in a thread. The event loop goes on either way.

    Documents come back whole: content or None, meta with whatever JSON holds and dates, embedding, sparse embedding,
    blob and score. A document without an embedding is kept with a vector of zeros and a mark; retrieval by embedding
    never finds it, everything else does. Records that other programs wrote are documents like any other.
    """

    def __init__(
        self,
        collection_name: str = "documents",
        *,
        collection: Collection | AsyncCollection | None = None,
        client: Client | None = None,
        persist_path: str | Path | None = None,
        host: str | None = None,
        port: int | None = None,
        ssl: bool = False,
        token: Secret | None = None,
        settings: Mapping[str, Any] | None = None,
        tenant: str | None = None,
        database: str | None = None,
        distance_function: Space = "cosine",
        embedding_function: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        embedding_dim: int | None = None,
        exact_embeddings: bool = True,
        strict_datetime_comparison: bool = False,
    ) -> None:
        """Nothing is opened before the store is first used.

        :param collection_name: the collection; it is made when there is none of that name.
        :param collection: a collection to use. Then nothing that says where it is may be given, and the store can't be
            written into a pipeline's YAML.
        :param client: the open database that holds the collection; the same holds for it.
        :param persist_path: the directory of the database. Without it, and without host and settings, the documents are
            in memory and gone with the store.
        :param host: a server, ours or Chroma's, with ``port`` and ``ssl``; or its whole URL.
        :param token: the server's token.
        :param settings: further fields of `chroma_plugin.Settings`; a value may be a Secret.
        :param tenant: of the database, with ``database``.
        :param distance_function: how a new collection measures: ``"cosine"``, ``"l2"``, ``"ip"``.
        :param embedding_function: the registered name of the function that embeds the query of a hybrid retrieval
            when it comes without an embedding, for a new collection. Documents are embedded by the pipeline.
        :param metadata: of a new collection.
        :param embedding_dim: the length of the embeddings. By default that of the first that is written, and 768 when
            the first documents have none.
        :param exact_embeddings: keep embeddings that float32 would change as they were given, too. That is 11 bytes for
            each number; embeddings that are float32 already, as most models give them, cost nothing.
        :param strict_datetime_comparison: in filters, datetimes with and without a time zone never match each other;
            else the one without is taken to be in the other's zone.
        """
        self._place = Place(
            collection_name=collection_name,
            persist_path=None if persist_path is None else str(persist_path),
            host=host,
            port=port,
            ssl=ssl,
            token=token,
            settings=settings,
            tenant=tenant,
            database=database,
            distance_function=distance_function,
            embedding_function=embedding_function,
            metadata=metadata,
        )
        if embedding_dim is not None and not _is_length(embedding_dim):
            raise InvalidArgumentError(f"embedding_dim must be an int of at least 1, not {embedding_dim!r:.100}.")
        self.embedding_dim = embedding_dim
        self.exact_embeddings = exact_embeddings
        self.strict_datetime_comparison = self._strict = strict_datetime_comparison
        self._place.refuse_others(collection, client)
        self._runner = Runner(self._place, collection, client)

    # -- saving and loading ------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The store as plain JSON, without any secret. Raises ValueError for a store that was made from an open
        collection or client, and for a secret that is not a `Secret`.
        """
        if self._runner.was_given:
            raise ValueError(
                "A store that was given an open collection or client can't be written down. Make it from "
                "collection_name and persist_path, host or settings."
            )
        return default_to_dict(
            self,
            **self._place.written(),
            embedding_dim=self.embedding_dim,
            exact_embeddings=self.exact_embeddings,
            strict_datetime_comparison=self.strict_datetime_comparison,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ChromaPluginDocumentStore:
        """The store that `to_dict` wrote."""
        return default_from_dict(cls, {**data, "init_parameters": opening.read(data.get("init_parameters", {}))})

    # -- documents ---------------------------------------------------------------------------------------------------

    def count_documents(self) -> int:
        """How many documents there are."""
        return self._runner.run(reading.count(None, strict=False))

    async def count_documents_async(self) -> int:
        """See `count_documents`."""
        return await self._runner.run_async(reading.count(None, strict=False))

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """The documents that match, in the order they were written. Raises FilterError for a malformed filter."""
        return self._runner.run(reading.filtered(filters, strict=self._strict))

    async def filter_documents_async(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """See `filter_documents`."""
        return await self._runner.run_async(reading.filtered(filters, strict=self._strict))

    def write_documents(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """Write documents, any number of them, all or none. Returns how many were written.

        With an id that is there already, or twice in the list: FAIL and NONE raise DuplicateDocumentError, SKIP leaves
        what was there first, OVERWRITE puts the last in its place, and then the number is that of the list.

        Raises ValueError for what is no list of documents, for embeddings of different lengths, and for meta that is
        neither JSON nor dates.
        """
        return self._runner.run(self._write(documents, policy))

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """See `write_documents`."""
        return await self._runner.run_async(self._write(documents, policy))

    def delete_documents(self, document_ids: list[str]) -> None:
        """Delete these documents; unknown ids are passed over."""
        self._runner.run(writing.delete(document_ids))

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """See `delete_documents`."""
        await self._runner.run_async(writing.delete(document_ids))

    def delete_all_documents(self, recreate_index: bool = False) -> None:
        """Delete every document; the collection stays. ``recreate_index``: also build its search index anew, now."""
        self._runner.run(writing.delete_all(recreate_index=recreate_index))

    async def delete_all_documents_async(self, recreate_index: bool = False) -> None:
        """See `delete_all_documents`."""
        await self._runner.run_async(writing.delete_all(recreate_index=recreate_index))

    def close(self) -> None:
        """Close the database, if the store opened it. Closing again has no effect."""
        self._runner.close()

    def _write(self, documents: list[Document], policy: DuplicatePolicy) -> Steps[int]:
        return writing.write(documents, policy, dimension=self.embedding_dim, exact=self.exact_embeddings)


def adapted(collection: Collection | AsyncCollection, **options: Any) -> ChromaPluginDocumentStore:
    """The collection as a document store: ``collection.adapt("haystack")``. Options are parameters of the store."""
    return ChromaPluginDocumentStore(collection=collection, **options)


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
