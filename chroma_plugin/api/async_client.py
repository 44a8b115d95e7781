"""`AsyncClient`: `Client` with coroutines. The docstrings there hold here."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from chroma_plugin.api.admin import Database, Tenant
from chroma_plugin.api.async_collection import AsyncCollection
from chroma_plugin.api.client import Client, UserIdentity
from chroma_plugin.api.collection import Collection
from chroma_plugin.api.embedding_choice import DEFAULT
from chroma_plugin.api.factories import server_settings
from chroma_plugin.api.info import Info
from chroma_plugin.config import Settings
from chroma_plugin.operations.results import DataLoader
from chroma_plugin.operations.rooms import Rooms
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT

if TYPE_CHECKING:
    from chroma_plugin.api.transaction import Transaction
    from chroma_plugin.backups import BackupReport
    from chroma_plugin.backups import OnProgress as OnBackupProgress
    from chroma_plugin.copying import CopyReport, OnProgress
    from chroma_plugin.copying import OnConflict as OnCopyConflict
    from chroma_plugin.parquet import OnConflict, TransferReport
    from chroma_plugin.plugins import PluginManager

_P = ParamSpec("_P")
_T = TypeVar("_T")


class AsyncClient:
    """An open database, for an event loop.

    Takes what `Client` takes. The database is opened by the first call, or by ``async with AsyncClient(...) as
    client`` or ``client = await AsyncClient(...)``; all three are the same client. Blocking work runs in threads of
    its own: storage in some, embedding models in others, so that a slow model does not keep reads and writes waiting.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        tenant: str = DEFAULT_TENANT,
        database: str = DEFAULT_DATABASE,
        *,
        path: str | Path | None = None,
        plugins: PluginManager | None = None,
        **options: Any,
    ) -> None:
        self._open = partial(Client, settings, tenant, database, path=path, plugins=plugins, **options)
        self._client: Client | None = None
        self._opening = threading.Lock()
        self._rooms = Rooms()

    # -- collections -------------------------------------------------------------------------------------------------

    async def create_collection(
        self,
        name: str,
        schema: None = None,
        configuration: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        embedding_function: Any = DEFAULT,
        data_loader: DataLoader | None = None,
        get_or_create: bool = False,
    ) -> AsyncCollection:
        """See `Client.create_collection`."""
        made = await self._call(
            Client.create_collection,
            name,
            schema,
            configuration,
            metadata,
            embedding_function,
            data_loader,
            get_or_create,
        )
        return self._asynchronous(made)

    async def get_or_create_collection(
        self,
        name: str,
        schema: None = None,
        configuration: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        embedding_function: Any = DEFAULT,
        data_loader: DataLoader | None = None,
    ) -> AsyncCollection:
        """See `Client.get_or_create_collection`."""
        found = await self._call(
            Client.get_or_create_collection, name, schema, configuration, metadata, embedding_function, data_loader
        )
        return self._asynchronous(found)

    async def get_collection(
        self, name: str, embedding_function: Any = DEFAULT, data_loader: DataLoader | None = None
    ) -> AsyncCollection:
        """See `Client.get_collection`."""
        return self._asynchronous(await self._call(Client.get_collection, name, embedding_function, data_loader))

    async def get_collection_by_id(
        self, id: UUID | str, embedding_function: Any = DEFAULT, data_loader: DataLoader | None = None
    ) -> AsyncCollection:
        """See `Client.get_collection_by_id`."""
        return self._asynchronous(await self._call(Client.get_collection_by_id, id, embedding_function, data_loader))

    async def list_collections(self, limit: int | None = None, offset: int | None = None) -> Sequence[AsyncCollection]:
        """See `Client.list_collections`."""
        return [self._asynchronous(found) for found in await self._call(Client.list_collections, limit, offset)]

    async def count_collections(self) -> int:
        """See `Client.count_collections`."""
        return await self._call(Client.count_collections)

    async def delete_collection(self, name: str) -> None:
        """See `Client.delete_collection`."""
        await self._call(Client.delete_collection, name)

    async def create_index(self, collection_name: str) -> None:
        """See `Client.create_index`."""
        await self._call(Client.create_index, collection_name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See `Client.transaction`."""
        from chroma_plugin.api.transaction import Transaction

        client = await self._rooms.call(self._opened)
        transaction = Transaction(client._session)
        try:
            yield transaction
        except BaseException:
            transaction._end()
            raise
        await self._rooms.store(transaction._commit, to_its_end=True)

    # -- the database ------------------------------------------------------------------------------------------------

    async def heartbeat(self) -> int:
        """See `Client.heartbeat`."""
        return await self._call(Client.heartbeat)

    async def get_version(self) -> str:
        """See `Client.get_version`."""
        return await self._call(Client.get_version)

    async def reset(self) -> bool:
        """See `Client.reset`."""
        return await self._call(Client.reset)

    async def persist(self) -> bool:
        """See `Client.persist`."""
        return await self._call(Client.persist)

    async def refresh(self) -> bool:
        """See `Client.refresh`."""
        return await self._call(Client.refresh)

    async def info(self) -> Info:
        """See `Client.info`."""
        return await self._call(Client.info)

    async def compact(self) -> None:
        """See `Client.compact`."""
        await self._call(Client.compact)

    async def export(
        self, directory: str | Path, *, names: Iterable[str] | None = None, overwrite: bool = False
    ) -> TransferReport:
        """See `Client.export`."""
        return await self._call(Client.export, directory, names=names, overwrite=overwrite)

    async def import_(self, directory: str | Path, *, on_conflict: OnConflict = "error") -> TransferReport:
        """See `Client.import_`."""
        return await self._call(Client.import_, directory, on_conflict=on_conflict)

    async def copy_to(
        self,
        other: Client | AsyncClient,
        *,
        names: Iterable[str] | None = None,
        everything: bool = False,
        on_conflict: OnCopyConflict = "resume",
        on_progress: OnProgress | None = None,
    ) -> CopyReport:
        """See `Client.copy_to`; ``on_progress`` is called in a thread."""
        return await self._call(
            Client.copy_to,
            other,
            names=names,
            everything=everything,
            on_conflict=on_conflict,
            on_progress=on_progress,
        )

    async def backup(self, path: str | Path, *, on_progress: OnBackupProgress | None = None) -> BackupReport:
        """See `Client.backup`. ``on_progress`` is called in another thread."""
        return await self._call(Client.backup, path, on_progress=on_progress)

    async def get_settings(self) -> Settings:
        """See `Client.get_settings`."""
        return await self._call(Client.get_settings)

    async def get_max_batch_size(self) -> int:
        """See `Client.get_max_batch_size`."""
        return await self._call(Client.get_max_batch_size)

    async def get_user_identity(self) -> UserIdentity:
        """See `Client.get_user_identity`."""
        return await self._call(Client.get_user_identity)

    async def set_tenant(self, tenant: str, database: str = DEFAULT_DATABASE) -> None:
        """See `Client.set_tenant`."""
        await self._call(Client.set_tenant, tenant, database)

    async def set_database(self, database: str) -> None:
        """See `Client.set_database`."""
        await self._call(Client.set_database, database)

    @staticmethod
    def clear_system_cache() -> None:
        """See `Client.clear_system_cache`."""

    # -- tenants and databases ---------------------------------------------------------------------------------------

    async def create_tenant(self, name: str) -> None:
        """See `Client.create_tenant`."""
        await self._call(Client.create_tenant, name)

    async def get_tenant(self, name: str) -> Tenant:
        """See `Client.get_tenant`."""
        return await self._call(Client.get_tenant, name)

    async def create_database(self, name: str, tenant: str = DEFAULT_TENANT) -> None:
        """See `Client.create_database`."""
        await self._call(Client.create_database, name, tenant)

    async def get_database(self, name: str, tenant: str = DEFAULT_TENANT) -> Database:
        """See `Client.get_database`."""
        return await self._call(Client.get_database, name, tenant)

    async def list_databases(
        self, limit: int | None = None, offset: int | None = None, tenant: str = DEFAULT_TENANT
    ) -> Sequence[Database]:
        """See `Client.list_databases`."""
        return await self._call(Client.list_databases, limit, offset, tenant)

    async def delete_database(self, name: str, tenant: str = DEFAULT_TENANT) -> None:
        """See `Client.delete_database`."""
        await self._call(Client.delete_database, name, tenant)

    # -- opening and closing -----------------------------------------------------------------------------------------

    async def close(self) -> None:
        """See `Client.close`. Also ends the threads."""
        if not self._rooms.closed:
            await self._rooms.call(self._close)
            self._rooms.close()

    async def __aenter__(self) -> AsyncClient:
        await self._rooms.call(self._opened)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def __await__(self) -> Generator[Any, None, AsyncClient]:
        return self.__aenter__().__await__()

    def __repr__(self) -> str:
        return f"AsyncClient({'not open' if self._client is None else self._client})"

    async def _call(self, method: Callable[Concatenate[Client, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._rooms.call(lambda: method(self._opened(), *args, **kwargs))

    def _opened(self) -> Client:
        with self._opening:
            if self._client is None:
                self._client = self._open()
                self._rooms.native = self._client._session.backend.native_async
            return self._client

    def _close(self) -> None:
        with self._opening:
            if self._client is not None:
                self._client.close()

    def _asynchronous(self, collection: Collection) -> AsyncCollection:
        return AsyncCollection(collection, self, self._rooms)


def AsyncHttpClient(
    host: str = "localhost",
    port: int = 8000,
    ssl: bool = False,
    headers: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    tenant: str = DEFAULT_TENANT,
    database: str = DEFAULT_DATABASE,
    *,
    plugins: PluginManager | None = None,
) -> AsyncClient:
    """An async client of a Chroma server, through the backend ``rest``; may be awaited, as in Chroma, or just used."""
    return AsyncClient(server_settings(host, port, ssl, headers, settings), tenant, database, plugins=plugins)
