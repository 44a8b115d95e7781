"""From the parameters of a store to a client and a collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import chroma_plugin as chromadb
from chroma_plugin.embedding_functions import identity
from chroma_plugin.errors import InvalidArgumentError, NotFoundError
from chroma_plugin_langchain.embeddings import embedding_function_of
from chroma_plugin_langchain.steps import Procedure, call

DEFAULT_NAME: Final = "langchain"
"""The collection that langchain-chroma uses when none is named."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is, in langchain-chroma's words."""

    persist_directory: str | None = None
    host: str | None = None
    port: int | None = None
    ssl: bool = False
    headers: Mapping[str, str] | None = None
    chroma_cloud_api_key: str | None = None
    tenant: str | None = None
    database: str | None = None
    client_settings: chromadb.Settings | None = None

    def client(self) -> chromadb.Client:
        """A client of its own for a store: with nothing given a new database in memory, that no other store sees."""
        tenant = self.tenant or chromadb.DEFAULT_TENANT
        database = self.database or chromadb.DEFAULT_DATABASE
        if self.persist_directory is not None:
            return chromadb.PersistentClient(self.persist_directory, self.client_settings, tenant, database)
        if self.host is not None:
            return chromadb.HttpClient(
                self.host, self.port or 8000, self.ssl, self.headers, self.client_settings, tenant, database
            )
        if self.chroma_cloud_api_key is not None:
            return chromadb.CloudClient(self.tenant, self.database, self.chroma_cloud_api_key, self.client_settings)
        return chromadb.Client(self.client_settings, tenant, database)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the collection is made when there is none of that name."""

    name: str
    metadata: Mapping[str, Any] | None = None
    configuration: Mapping[str, Any] | None = None
    function: Mapping[str, Any] = field(default_factory=dict)
    """``{"embedding_function": ...}``, or nothing: then it has the one that collections have when none is named."""
    create: bool = True


class Place:
    """The collection of a store, opened when it is first needed, and the client that it belongs to."""

    def __init__(
        self,
        client: chromadb.Client | chromadb.AsyncClient | None,
        collection: chromadb.Collection | chromadb.AsyncCollection | None,
        recipe: Recipe,
        *,
        owns_client: bool,
    ) -> None:
        self.is_shared = client is None and collection is not None
        """Somebody else holds the collection object, which must go on being good."""
        self.client: Any = collection.client if client is None and collection is not None else client
        self.collection = collection
        self.recipe = recipe
        self.owns_client = owns_client
        self.deleted = False
        self.is_async = isinstance(client or collection, (chromadb.AsyncClient, chromadb.AsyncCollection))

    def open(self) -> Procedure[Any]:
        """The collection. An existing one is taken as it is: only its own function is checked, when one is given."""
        if self.collection is None:
            if self.deleted:
                raise NotFoundError(
                    f"The collection {self.recipe.name!r} was deleted; reset_collection() makes a new one."
                )
            self.collection = yield from self._found_or_made()
        return self.collection

    def delete(self) -> Procedure[None]:
        collection = yield from self.open()
        yield from self._check_database(collection)
        self.recipe = _again(self.recipe, collection)
        yield from call(self.client.delete_collection, name=collection.name)
        self.collection, self.deleted = None, True

    def reset(self) -> Procedure[None]:
        """An empty collection of the same name, metadata and configuration; of any dimension, unless somebody else
        holds it: then it is the same one.
        """
        if self.is_shared and not self.deleted:
            yield from self._empty()
            return
        if not self.deleted:
            yield from self.delete()
        self.deleted = False
        self.collection = yield from self._made()

    def fork(self, name: str) -> Procedure[Place]:
        """A copy of the collection under another name."""
        client, collection = self.client, (yield from self.open())
        yield from self._check_database(collection)
        recipe = _again(self.recipe, collection, name)
        copy = Place(client, None, recipe, owns_client=False)
        arguments = _creation(recipe)
        copy.collection = yield from call(client.create_collection, **arguments)
        yield from _copied(collection, copy.collection)
        return copy

    def _check_database(self, collection: Any) -> Procedure[None]:
        """Names are looked up in the database that the client looks at now."""
        found = yield from call(self.client.get_collection, name=collection.name, embedding_function=None)
        if found.id != collection.id:
            raise InvalidArgumentError(
                f"Collection {collection.name!r} is in database {collection.database!r}, but its client has turned to "
                f"another, which has one of that name as well."
            )

    def _empty(self) -> Procedure[None]:
        collection = yield from self.open()
        found = yield from call(collection.get, include=[])
        if found["ids"]:
            yield from call(collection.delete, ids=found["ids"])

    def _found_or_made(self) -> Procedure[Any]:
        client = self.client
        try:
            return (yield from call(client.get_collection, name=self.recipe.name, **self._named_function()))
        except NotFoundError:
            if not self.recipe.create:
                raise
        return (yield from self._made())

    def _made(self) -> Procedure[Any]:
        client = self.client
        return (yield from call(client.get_or_create_collection, **_creation(self.recipe)))

    def _named_function(self) -> dict[str, Any]:
        """A function with a name can be compared with the one that the collection was made with; LangChain's embeddings
        have none.
        """
        function = self.recipe.function
        named = (identity(function.get("embedding_function")) or {}).get("type") == "known"
        return dict(function) if named else {}


def place(
    address: Address,
    client: Any,
    collection: Any,
    recipe: Recipe,
) -> Place:
    """Check that the parameters name one place."""
    given = {
        "collection": collection,
        "client": client,
        "persist_directory": address.persist_directory,
        "host": address.host,
        "chroma_cloud_api_key": address.chroma_cloud_api_key,
    }
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1 and named != ["collection", "client"]:
        raise InvalidArgumentError(f"Only one of {', '.join(given)} is possible, but there are {' and '.join(named)}.")
    _refuse_strangers(client, collection)
    if collection is not None:
        _check_name(recipe.name, collection)
        return Place(client, collection, recipe, owns_client=False)
    if client is not None:
        return Place(client, None, recipe, owns_client=False)
    return Place(address.client(), None, recipe, owns_client=True)


def _refuse_strangers(client: Any, collection: Any) -> None:
    if client is not None and not isinstance(client, (chromadb.Client, chromadb.AsyncClient)):
        raise InvalidArgumentError(
            f"client must be a Client or an AsyncClient of chroma_plugin, not {type(client).__module__}."
            f"{type(client).__qualname__}. For code written for chromadb: import chroma_plugin as chromadb."
        )
    if collection is not None and not isinstance(collection, (chromadb.Collection, chromadb.AsyncCollection)):
        raise InvalidArgumentError(
            f"collection must be a Collection or an AsyncCollection of chroma_plugin, not "
            f"{type(collection).__module__}.{type(collection).__qualname__}."
        )
    if client is not None and collection is not None:
        together = (chromadb.AsyncClient, chromadb.AsyncCollection)
        if isinstance(client, together) != isinstance(collection, together):
            raise InvalidArgumentError("client and collection must both be sync or both async.")


def _check_name(name: str, collection: Any) -> None:
    if name not in (DEFAULT_NAME, collection.name):
        raise InvalidArgumentError(
            f"collection_name={name!r} and collection={collection!r} are two collections; leave one of them out."
        )


def function_arguments(embeddings: Any) -> dict[str, Any]:
    """What clients are told about the embeddings of a store."""
    if embeddings is None:
        return {}
    return {"embedding_function": embedding_function_of(embeddings)}


def _creation(recipe: Recipe) -> dict[str, Any]:
    """The arguments of `Client.create_collection`."""
    return {
        "name": recipe.name,
        "metadata": recipe.metadata,
        "configuration": recipe.configuration,
        **recipe.function,
    }


def _again(recipe: Recipe, collection: Any, name: str | None = None) -> Recipe:
    """How to make such a collection once more, whatever this store was told about it."""
    function = recipe.function or {"embedding_function": collection.embedding_function}
    configuration = {"hnsw": collection.configuration_json.get("hnsw")}
    return Recipe(name or collection.name, collection.metadata, configuration, function)


_PAGE: Final = 5_000


def _copied(source: Any, target: Any) -> Procedure[None]:
    columns = ("embeddings", "metadatas", "documents", "uris")
    offset = 0
    while True:
        page = yield from call(source.get, limit=_PAGE, offset=offset, include=list(columns))
        if not page["ids"]:
            return
        yield from call(target.add, ids=page["ids"], **{column: page[column] for column in columns})
        offset += len(page["ids"])
