"""What `Collection` and `AsyncCollection` have in common: everything that reads and writes no records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, NoReturn, Self
from uuid import UUID

from chroma_plugin import requests
from chroma_plugin.api import notices
from chroma_plugin.api.info import Info
from chroma_plugin.errors import InvalidArgumentError, UnsupportedError
from chroma_plugin.operations.handle import Handle
from chroma_plugin.operations.results import AddReport
from chroma_plugin.requests import configuration as configurations
from chroma_plugin.requests.metadata import collection_metadata
from chroma_plugin.requests.names import collection_name
from chroma_plugin.requests.reads import QueryRequest
from chroma_plugin.types import CollectionInfo, copied

if TYPE_CHECKING:
    from chroma_plugin.transactions import Transaction


class CollectionBase(ABC):
    """A collection of a database. Clients make these: `Client.create_collection`, `Client.get_collection`."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._warned = False

    @property
    def id(self) -> UUID:
        return self._info.id

    @property
    def name(self) -> str:
        return self._info.name

    @property
    def metadata(self) -> dict[str, Any] | None:
        """A copy; `modify` changes it."""
        return None if self._info.metadata is None else copied(self._info.metadata)

    @property
    def configuration(self) -> dict[str, Any]:
        """``{"hnsw": {...}, "spann": None, "embedding_function": the function of this object}``."""
        return {**self.configuration_json, "embedding_function": self._handle.function}

    @property
    def configuration_json(self) -> dict[str, Any]:
        """The configuration as it is stored: plain JSON."""
        # "schema" is where a server keeps what it tells Chroma's clients about keys.
        return copied({name: part for name, part in self._info.configuration.items() if name != "schema"})

    @property
    def schema(self) -> None:
        """Always None: there are no schemas here."""
        return

    @property
    def tenant(self) -> str:
        return self._info.tenant

    @property
    def database(self) -> str:
        return self._info.database

    @property
    def embedding_function(self) -> Any:
        """What embeds the documents and the query texts of this object; None when embeddings must be given."""
        return self._handle.function

    @property
    def _info(self) -> CollectionInfo:
        return self._handle.opened.info

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name})"

    # -- not here ----------------------------------------------------------------------------------------------------

    def search(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Chroma Cloud only. Raises UnsupportedError."""
        raise _only_in_the_cloud("search", "Use query, which filters and searches by embedding.")

    def fork(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Chroma Cloud only. Raises UnsupportedError."""
        raise _only_in_the_cloud("fork", "Make a new collection and add the records of get(include=[...]).")

    def fork_count(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Chroma Cloud only. Raises UnsupportedError."""
        raise _only_in_the_cloud("fork_count")

    def get_indexing_status(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Chroma Cloud only. Raises UnsupportedError."""
        raise _only_in_the_cloud("get_indexing_status", "See info().")

    def attach_function(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Chroma Cloud only. Raises UnsupportedError."""
        raise _only_in_the_cloud("attach_function")

    def get_attached_function(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Chroma Cloud only. Raises UnsupportedError."""
        raise _only_in_the_cloud("get_attached_function")

    def detach_function(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Chroma Cloud only. Raises UnsupportedError."""
        raise _only_in_the_cloud("detach_function")

    # -- shared steps ------------------------------------------------------------------------------------------------

    def _told(self, report: AddReport, on_conflict: object) -> AddReport:
        """Says once that ids were ignored, unless that was asked for."""
        if report.ignored and on_conflict is None and not self._warned:
            self._warned = True
            notices.existing_ids(self.name, report, stacklevel=3)
        return report

    @abstractmethod
    def _within(self, transaction: Transaction) -> Self:
        """The same collection, seen from inside a transaction."""

    def _handle_within(self, transaction: Transaction) -> Handle:
        from chroma_plugin.sessions.open_collection import OpenCollection

        opened = self._handle.opened
        if not isinstance(opened, OpenCollection):
            raise InvalidArgumentError(f"Collection {self.name!r} is seen from inside a transaction already.")
        return replace(self._handle, opened=transaction.collection(opened))

    def _modify(self, name: Any, metadata: Any, configuration: Any) -> None:
        _ = self._handle.connection.session
        new_name = None if name is None else collection_name(name)
        new_metadata = collection_metadata(metadata)
        self._check_function(configuration)

        def changed(info: CollectionInfo) -> CollectionInfo:
            hnsw = configurations.modified(info.configuration.get("hnsw", {}), configuration, new_metadata)
            return replace(
                info,
                name=new_name or info.name,
                metadata=info.metadata if metadata is None else new_metadata,
                configuration={**info.configuration, "hnsw": hnsw},
            )

        self._handle.opened.change(changed)

    def _check_function(self, configuration: Any) -> None:
        if "embedding_function" in configurations.configuration_sections(configuration):
            from chroma_plugin.embedding_functions import adapt, check_same

            given = adapt(configuration["embedding_function"], self._handle.plugins)
            check_same(self._info.configuration.get("embedding_function"), given, self.name)

    def _facts(self) -> Info:
        with self._handle.reading() as store:
            return facts(self._info, store.count(), store.stats())

    def _optimize(self) -> None:
        with self._handle.reading() as store:  # it keeps out of the way of writers itself
            store.optimize()

    def _adapt(self, name: str, options: Mapping[str, Any]) -> Any:
        from chroma_plugin.plugins import load

        return load(self._handle.plugins.integration(name))(self, **options)


def question(query: Callable[..., Any], given: Sequence[Any], options: Mapping[str, Any]) -> Callable[[], QueryRequest]:
    """What checks arguments as the method `query` would take them."""
    bound = signature(query).bind(*given, **options)
    bound.apply_defaults()
    return partial(requests.query, **bound.arguments)


def facts(info: CollectionInfo, count: int, stats: Mapping[str, Any]) -> Info:
    """What `info` says about one collection."""
    return Info(
        name=info.name,
        id=str(info.id),
        count=count,
        dimension=info.dimension,
        space=info.metric.value,
        **{"store": Info(stats)} if stats else {},
    )


def _only_in_the_cloud(method: str, instead: str = "") -> UnsupportedError:
    return UnsupportedError(f"{method} is a feature of Chroma Cloud and not available here. {instead}".rstrip())
