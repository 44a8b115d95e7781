"""Chroma's other constructors: each is `Client` with some settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chroma_plugin.api.admin import TenantsAndDatabases
from chroma_plugin.api.client import Client
from chroma_plugin.config import Settings
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.sessions.connection import Connection
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT

if TYPE_CHECKING:
    from chroma_plugin.plugins import PluginManager


def EphemeralClient(
    settings: Settings | None = None,
    tenant: str = DEFAULT_TENANT,
    database: str = DEFAULT_DATABASE,
    *,
    plugins: PluginManager | None = None,
) -> Client:
    """A client of a new database in memory, its own each time."""
    return Client(ephemeral_settings(settings), tenant, database, plugins=plugins)


def PersistentClient(
    path: str | Path = "./chroma",
    settings: Settings | None = None,
    tenant: str = DEFAULT_TENANT,
    database: str = DEFAULT_DATABASE,
    *,
    read_only: bool = False,
    plugins: PluginManager | None = None,
    **options: Any,
) -> Client:
    """A client of the database in a directory, which is made if there is none.

    All clients of one directory in one process share one open database; other processes may open it only while all
    are read-only.
    """
    return Client(persistent_settings(path, settings, read_only, options), tenant, database, plugins=plugins)


def HttpClient(
    host: str = "localhost",
    port: int = 8000,
    ssl: bool = False,
    headers: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    tenant: str = DEFAULT_TENANT,
    database: str = DEFAULT_DATABASE,
    *,
    plugins: PluginManager | None = None,
) -> Client:
    """A client of a Chroma server, ours or another, through the backend ``rest``.

    ``host`` may be a whole URL; then it decides about port and TLS. Raises UnreachableError when nobody answers there
    or it is no Chroma server, AuthorizationError when the token is refused.
    """
    return Client(server_settings(host, port, ssl, headers, settings), tenant, database, plugins=plugins)


def CloudClient(
    tenant: str | None = None,
    database: str | None = None,
    api_key: str | None = None,
    settings: Settings | None = None,
    *,
    cloud_host: str = "api.trychroma.com",
    cloud_port: int = 443,
    enable_ssl: bool = True,
    plugins: PluginManager | None = None,
) -> Client:
    """A client of Chroma Cloud, through the backend ``rest``; what is left out comes from CHROMA_TENANT,
    CHROMA_DATABASE, CHROMA_API_KEY.
    """
    key = api_key or os.environ.get("CHROMA_API_KEY")
    if not key:
        raise InvalidArgumentError("CloudClient needs an api_key, or the environment variable CHROMA_API_KEY.")
    connection = server_settings(cloud_host, cloud_port, enable_ssl, {"X-Chroma-Token": key}, settings)
    return Client(
        connection,
        tenant or os.environ.get("CHROMA_TENANT") or DEFAULT_TENANT,
        database or os.environ.get("CHROMA_DATABASE") or DEFAULT_DATABASE,
        plugins=plugins,
    )


class AdminClient(TenantsAndDatabases):
    """Manages the tenants and databases of the database that the settings name."""

    def __init__(self, settings: Settings | None = None, *, plugins: PluginManager | None = None) -> None:
        from chroma_plugin.plugins import default_manager

        self._connection = Connection((settings or Settings()).target(plugins or default_manager()))

    def close(self) -> None:
        """Give up the database. Closing again has no effect."""
        self._connection.close()

    def __enter__(self) -> AdminClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def ephemeral_settings(settings: Settings | None) -> Settings:
    return (settings or Settings()).replace(chroma_db_impl="memory")


def persistent_settings(
    path: str | Path, settings: Settings | None, read_only: bool, options: Mapping[str, Any]
) -> Settings:
    changes = {**options, "persist_directory": path} | ({"read_only": True} if read_only else {})
    return (settings or Settings()).replace(**changes)


def server_settings(
    host: str, port: int, ssl: bool, headers: Mapping[str, str] | None, settings: Settings | None
) -> Settings:
    return (settings or Settings()).replace(
        chroma_api_impl="rest",
        chroma_server_host=host,
        chroma_server_http_port=port,
        chroma_server_ssl_enabled=ssl,
        chroma_server_headers=headers,
    )
