"""From parameters to a collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chroma_plugin import AsyncCollection, Client, Collection, HttpClient, PersistentClient
from chroma_plugin.errors import InvalidArgumentError, NotFoundError


def checked_collection(value: Any) -> Collection | AsyncCollection:
    """Raises InvalidArgumentError for anything but a collection of this package."""
    if isinstance(value, (Collection, AsyncCollection)):
        return value
    kind = f"{type(value).__module__}.{type(value).__name__}"
    raise InvalidArgumentError(
        f"collection must be a Collection or an AsyncCollection of chroma_plugin, not {kind}. For a Chroma server or a "
        "directory use ChromaPluginVectorStore.from_params."
    )


def opened_client(
    host: str | None, port: str | int | None, ssl: bool, headers: Mapping[str, str] | None, persist_dir: str | None
) -> Client:
    """A client of the directory, or else of the server. Raises InvalidArgumentError when neither is named."""
    if persist_dir:
        return PersistentClient(persist_dir)
    if host:
        return HttpClient(host, 8000 if port is None else int(port), ssl, headers)
    raise InvalidArgumentError(
        "Say where the collection is: collection=, client= with collection_name=, or collection_name= with "
        "persist_dir= or with host= and port=."
    )


def found_or_made(client: Any, name: str | None, collection_kwargs: Mapping[str, Any]) -> Collection:
    """The collection of that name. A new one has no embedding function, unless ``collection_kwargs`` name one: the
    embeddings come from LlamaIndex.
    """
    if not name:
        raise InvalidArgumentError("collection_name is missing.")
    if not isinstance(client, Client):
        raise InvalidArgumentError(
            f"client must be a chroma_plugin.Client, not {type(client).__name__}. With an AsyncClient, get the "
            "collection first: collection=await client.get_or_create_collection(...)."
        )
    if "embedding_function" in collection_kwargs:
        return client.get_or_create_collection(name, **collection_kwargs)
    try:
        return client.get_collection(name)
    except NotFoundError:
        return client.get_or_create_collection(name, embedding_function=None, **collection_kwargs)
