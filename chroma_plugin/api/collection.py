"""`Collection`: the records of one collection, and every call on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from chroma_plugin import requests
from chroma_plugin.api import notices
from chroma_plugin.api.collection_base import CollectionBase, question
from chroma_plugin.api.info import Info
from chroma_plugin.operations import ranking, reading, writing
from chroma_plugin.operations.handle import Handle
from chroma_plugin.operations.procedure import run
from chroma_plugin.operations.results import AddReport, DeleteResult, GetResult, QueryResult, UpdateReport, UpsertReport
from chroma_plugin.requests.ranked import Fusion
from chroma_plugin.requests.writes import MetadataMode, OnConflict

if TYPE_CHECKING:
    from chroma_plugin.api.client import Client
    from chroma_plugin.transactions import Transaction


class Collection(CollectionBase):
    """A collection of a database. Clients make these: `Client.create_collection`, `Client.get_collection`.

    Wherever a list is taken, a single item is too. All methods may be called from many threads at once. Each raises
    InvalidArgumentError, before anything changes, for an argument that is wrong; NotFoundError when the collection
    was deleted; ClosedError when its client was closed.
    """

    def __init__(self, handle: Handle, client: Client) -> None:
        super().__init__(handle)
        self._client = client

    @property
    def client(self) -> Client:
        """The client it came from."""
        return self._client

    def add(
        self,
        ids: str | Sequence[str],
        embeddings: Any = None,
        metadatas: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
        documents: str | Sequence[str | None] | None = None,
        images: Any = None,
        uris: str | Sequence[str | None] | None = None,
        on_conflict: OnConflict | None = None,
    ) -> AddReport:
        """Add records, any number of them: all or none. Returns which ids were added and which ignored.

        ``embeddings`` is anything of numbers with the shape (n, d) or (d,); the first write fixes d for the
        collection. Without embeddings the documents (or else the images, or what is behind the URIs) are embedded.
        ``metadatas`` hold str, int (64 bit), finite float, bool, None, and lists and dicts of those; ``{}`` is no
        metadata.

        Records whose ids are in the collection stay as they are and are neither embedded nor checked any further; a
        warning says so once. ``on_conflict="ignore"`` does the same without a warning, ``"error"`` raises
        IDAlreadyExistsError and adds nothing, ``"replace"`` puts the new record in place of the old one, whole.

        Raises InvalidDimensionError for embeddings of another dimension, DuplicateIDError for an id that stands
        twice.
        """
        prepare = partial(requests.add, ids, embeddings, metadatas, documents, images, uris, on_conflict)
        return self._told(run(writing.add(self._handle, prepare)), on_conflict)

    def get(
        self,
        ids: str | Sequence[str] | None = None,
        where: Any = None,
        limit: int | None = None,
        offset: int | None = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str] = ("metadatas", "documents"),
        order_by: Any = None,
    ) -> GetResult:
        """The records that ids and both filters leave, as columns; without arguments all of them.

        In the order of ``order_by`` (``"key"``, ``"-key"`` for descending, a ``Key``, or a list of those), else in
        that of ``ids``, else in the order of insertion. Unknown ids are left out. ``where`` is a dict or a ``Key``
        expression; empty ones are no filter. ``include`` may hold metadatas, documents, embeddings, uris and data;
        what it leaves out is None.
        """
        return reading.get(self._handle, requests.get(ids, where, limit, offset, where_document, include, order_by))

    def peek(self, limit: int = 5) -> GetResult:
        """The first few records, with their embeddings."""
        return self.get(limit=limit, include=["metadatas", "documents", "embeddings"])

    def count(self, where: Any = None, where_document: Mapping[str, Any] | None = None, read_level: Any = None) -> int:
        """How many records match; without filters, how many there are. ``read_level`` has no effect: reads see every
        write.
        """
        return reading.count(self._handle, requests.filter_of(where, where_document))

    def query(
        self,
        query_embeddings: Any = None,
        query_texts: str | Sequence[str] | None = None,
        query_images: Any = None,
        query_uris: str | Sequence[str] | None = None,
        ids: str | Sequence[str] | None = None,
        n_results: int = 10,
        where: Any = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str] = ("metadatas", "documents", "distances"),
        max_distance: float | None = None,
        exact: bool = False,
    ) -> QueryResult:
        """The ``n_results`` records nearest to each query, nearest first, ties in the order of insertion.

        Exactly one of the first four is given. ``ids`` and the filters restrict what is searched; never fewer than
        ``n_results`` hits come back while so many records match (and are not farther than ``max_distance``).
        Distances: l2 is squared, cosine is 1 - cos, ip is 1 - the inner product. ``exact=True`` rules out any
        approximation by an index.

        Raises InvalidDimensionError for a query of another dimension than the collection's.
        """
        prepare = partial(
            requests.query,
            query_embeddings,
            query_texts,
            query_images,
            query_uris,
            ids,
            n_results,
            where,
            where_document,
            include,
            max_distance,
            exact,
        )
        return run(reading.query(self._handle, prepare))

    def explain(self, *query: Any, **options: Any) -> Info:
        """How `query` with these arguments is carried out, having done it; prints as an outline.

        From the local engines: ``plan``, what each possible plan was expected to cost, how many records there are,
        match the filters, were expected to be measured and were measured, and ``milliseconds`` by step. From other
        engines what they tell, at least the time.
        """
        return Info(run(reading.explain(self._handle, question(self.query, query, options))))

    def search_text(
        self,
        query_texts: str | Sequence[str],
        n_results: int = 10,
        ids: str | Sequence[str] | None = None,
        where: Any = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str] = ("metadatas", "documents", "scores"),
    ) -> QueryResult:
        """The ``n_results`` records whose documents fit the words of each text best, best first, ties in the order of
        insertion. Only records that have at least one of the words.

        ``result["scores"]`` are BM25 scores, higher is better; they depend on all documents of the collection, while
        ``ids`` and the filters restrict only what is found. Words are compared without case; see
        `chroma_plugin.ranking.words`. No embedding is made.
        """
        request = requests.search_text(query_texts, n_results, ids, where, where_document, include)
        return ranking.search_text(self._handle, request)

    def search_hybrid(
        self,
        query_texts: str | Sequence[str],
        query_embeddings: Any = None,
        n_results: int = 10,
        ids: str | Sequence[str] | None = None,
        where: Any = None,
        where_document: Mapping[str, Any] | None = None,
        include: Sequence[str] = ("metadatas", "documents", "scores"),
        fusion: Fusion = "rrf",
        alpha: float = 0.5,
        candidates: int | None = None,
    ) -> QueryResult:
        """The ``n_results`` best of two searches together, `query` and `search_text`, best first.

        Each side offers its ``candidates`` best (by default 4 x ``n_results``, at least 50). ``fusion="rrf"`` adds
        ``weight / (60 + rank)``, ``"relative"`` adds the weighted scores after stretching those of each side to 0..1;
        ``alpha`` is the weight of the dense side and 1 - ``alpha`` that of the text side. A side with weight 0 is
        not asked. ``result["scores"]`` are these sums, higher is better. The texts are embedded by the embedding
        function unless ``query_embeddings`` has one embedding for each.
        """
        prepare = partial(
            requests.search_hybrid,
            query_texts,
            query_embeddings,
            n_results,
            ids,
            where,
            where_document,
            include,
            fusion,
            alpha,
            candidates,
        )
        return run(ranking.search_hybrid(self._handle, prepare))

    def update(
        self,
        ids: str | Sequence[str] | None = None,
        embeddings: Any = None,
        metadatas: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
        documents: str | Sequence[str | None] | None = None,
        images: Any = None,
        uris: str | Sequence[str | None] | None = None,
    ) -> UpdateReport:
        """Change what is given of existing records, all or none. Returns which ids were updated and which are unknown.

        Metadata is merged key by key; a key set to None is removed. A new document without an embedding is embedded,
        if the collection has an embedding function. A document that is None stays. Unknown ids are ignored. Without
        any argument nothing happens.
        """
        prepare = partial(requests.update, ids, embeddings, metadatas, documents, images, uris)
        return run(writing.update(self._handle, prepare))

    def upsert(
        self,
        ids: str | Sequence[str],
        embeddings: Any = None,
        metadatas: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
        documents: str | Sequence[str | None] | None = None,
        images: Any = None,
        uris: str | Sequence[str | None] | None = None,
        metadata_mode: MetadataMode = "merge",
    ) -> UpsertReport:
        """Update the records that exist, as `update` does, and add the others, all or none. Returns which ids were
        which.

        New records need an embedding, or a document to embed. ``metadata_mode="replace"``: the metadata of existing
        records becomes what is given, and goes away where none is given; ``"merge"`` merges it key by key, and a None
        removes the key.
        """
        prepare = partial(requests.upsert, ids, embeddings, metadatas, documents, images, uris, metadata_mode)
        return run(writing.upsert(self._handle, prepare))

    def delete(
        self,
        ids: str | Sequence[str] | None = None,
        where: Any = None,
        where_document: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> DeleteResult:
        """Delete the records that ids and both filters leave; ``{"deleted": n}`` says how many there were.

        Unknown ids and an empty list of ids delete nothing. So does a call without arguments, with a warning:
        everything is never meant by leaving something out. ``{}`` as a filter is refused for the same reason.
        ``limit`` bounds how many matches of a filter are deleted, first inserted first.
        """
        request = requests.delete(ids, where, where_document, limit)
        if ids is None and request.where is None:
            notices.nothing_deleted(stacklevel=2)
        return writing.delete(self._handle, request)

    def modify(
        self,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        configuration: Mapping[str, Any] | None = None,
    ) -> None:
        """Rename the collection, replace its metadata, or change how it searches, for every handle of it.

        ``configuration={"hnsw": {...}}`` may change ef_search, num_threads, batch_size, sync_threshold and
        resize_factor; the space and what the index is built with can't change.

        Raises UniqueConstraintError when another collection has the name.
        """
        self._modify(name, metadata, configuration)

    @contextmanager
    def transaction(self) -> Iterator[Collection]:
        """``with collection.transaction() as inside``: what is read and written with ``inside`` counts together.

        ``inside`` is this collection with all its calls, `modify` excepted. It sees its own writes; others see them
        when the block ends, all at once, on disk if the store is persistent. After an exception none were made.
        Nothing is locked meanwhile. When something that the block has read (also that an id was not there, or a count)
        has been changed by somebody else by its end, StaleReadError is raised and nothing was written: run the block
        again. Queries are exact in there.

        `Client.transaction` takes several collections. Raises UnsupportedError when the engine can't write all of it
        as one; memory, duckdb, pgvector and our server can.
        """
        with self._client.transaction() as transaction:
            yield transaction.collection(self)

    def create_index(self) -> None:
        """Bring the search index up to date now and wait for it. Never needed: queries are right without."""
        self._optimize()

    def info(self) -> Info:
        """Facts: count, dimension, space, and what the store says about itself. Prints as an outline."""
        return self._facts()

    def adapt(self, name: str, **options: Any) -> Any:
        """This collection as another framework sees one: ``collection.adapt("langchain")``.

        Raises UnknownPluginError when no integration has that name, MissingDependencyError with the line that
        installs it.
        """
        return self._adapt(name, options)

    def _within(self, transaction: Transaction) -> Collection:
        return Collection(self._handle_within(transaction), self._client)
