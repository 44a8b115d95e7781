"""From the parameters of the store to its collection, and to a dict that holds no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from haystack.utils import Secret

from chroma_plugin import DEFAULT_DATABASE, DEFAULT_TENANT, Client, Collection, Settings
from chroma_plugin.errors import InvalidArgumentError, NotFoundError

Space = Literal["cosine", "l2", "ip"]

_SECRET_NAME: Final = re.compile(r"password|passwd|secret|credential|api_?key|headers$|token$", re.IGNORECASE)
_SECRET_IN_URL: Final = re.compile(r"://[^/\s@]*:[^/\s@]+@")

_WHERE: Final = ("persist_path", "host", "port", "ssl", "token", "settings", "tenant", "database")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the collection is and how it is made. The fields are parameters of `ChromaPluginDocumentStore`."""

    collection_name: str
    persist_path: str | None
    host: str | None
    port: int | None
    ssl: bool
    token: Secret | None
    settings: Mapping[str, Any] | None
    tenant: str | None
    database: str | None
    distance_function: Space
    embedding_function: str | None
    metadata: Mapping[str, Any] | None

    def __post_init__(self) -> None:
        if self.persist_path is not None and self.host is not None:
            raise InvalidArgumentError("Give persist_path or host: a directory or a server, not both.")
        if self.token is not None and not isinstance(self.token, Secret):
            raise InvalidArgumentError("token must be a haystack Secret, such as Secret.from_env_var('CHROMA_TOKEN').")
        if self.distance_function not in ("cosine", "l2", "ip"):
            raise InvalidArgumentError(
                f"distance_function must be 'cosine', 'l2' or 'ip', not {self.distance_function!r}."
            )

    def refuse_others(self, collection: object, client: object) -> None:
        """Raises InvalidArgumentError when there are two answers to where the documents are."""
        elsewhere = [name for name in _WHERE if getattr(self, name)]
        given = [name for name, value in (("collection", collection), ("client", client)) if value is not None]
        if len(given) > 1 or (given and elsewhere):
            raise InvalidArgumentError(f"Give only one of {' and '.join([*given, *elsewhere])}.")

    def client(self) -> Client:
        """An open database."""
        return Client(
            Settings(**self._fields()), tenant=self.tenant or DEFAULT_TENANT, database=self.database or DEFAULT_DATABASE
        )

    def _fields(self) -> dict[str, Any]:
        fields = {name: _resolved(value) for name, value in (self.settings or {}).items()}
        if self.persist_path is not None:
            fields["persist_directory"] = self.persist_path
        if self.host is not None:
            fields |= {"chroma_api_impl": "rest", "chroma_server_host": self.host}
            fields |= {} if self.port is None else {"chroma_server_http_port": self.port}
            fields |= {"chroma_server_ssl_enabled": True} if self.ssl else {}
        if self.token is not None:
            fields["chroma_client_auth_credentials"] = self.token.resolve_value()
        return fields

    def collection(self, client: Client) -> Collection:
        """The collection of that name as it is, or a new one."""
        with suppress(NotFoundError):
            return client.get_collection(self.collection_name)
        return client.get_or_create_collection(
            self.collection_name,
            configuration={"hnsw": {"space": self.distance_function}},
            metadata=self.metadata,
            embedding_function=self.embedding_function,
        )

    def written(self) -> dict[str, Any]:
        """The parameters as plain JSON. Raises ValueError rather than writing a secret down."""
        settings = (
            None if self.settings is None else {name: _written(name, self.settings[name]) for name in self.settings}
        )
        return {
            "collection_name": self.collection_name,
            "persist_path": self.persist_path,
            "host": self.host if self.host is None else _written("host", self.host),
            "port": self.port,
            "ssl": self.ssl,
            "token": None if self.token is None else self.token.to_dict(),
            "settings": settings,
            "tenant": self.tenant,
            "database": self.database,
            "distance_function": self.distance_function,
            "embedding_function": self.embedding_function,
            "metadata": None if self.metadata is None else dict(self.metadata),
        }


def read(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What `Place.written` wrote, with its secrets."""
    read = dict(parameters)
    if isinstance(read.get("token"), Mapping):
        read["token"] = Secret.from_dict(dict(read["token"]))
    if isinstance(read.get("settings"), Mapping):
        read["settings"] = {name: _read(value) for name, value in read["settings"].items()}
    return read


def _resolved(value: Any) -> Any:
    return value.resolve_value() if isinstance(value, Secret) else value


def _written(name: str, value: Any) -> Any:
    if isinstance(value, Secret):
        return value.to_dict()
    if value is not None and (_SECRET_NAME.search(name) or _SECRET_IN_URL.search(str(value))):
        raise ValueError(f"{name} holds a secret, which is not written down. Give Secret.from_env_var(...) instead.")
    return value


def _read(value: Any) -> Any:
    is_secret = isinstance(value, Mapping) and value.get("type") == "env_var" and "env_vars" in value
    return Secret.from_dict(dict(value)) if is_secret else value
