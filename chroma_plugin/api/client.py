"""`Client`: one open database, its collections, and the ways to open one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from chroma_plugin.api.admin import TenantsAndDatabases
from chroma_plugin.api.collection import Collection
from chroma_plugin.api.embedding_choice import DEFAULT, for_existing, for_new
from chroma_plugin.api.info import Info
from chroma_plugin.config import Settings
from chroma_plugin.errors import AuthorizationError, InvalidArgumentError, NotFoundError, UnsupportedError
from chroma_plugin.frozen import frozen
from chroma_plugin.operations.handle import Handle
from chroma_plugin.operations.results import DataLoader
from chroma_plugin.requests import configuration as configurations
from chroma_plugin.requests import names, paging
from chroma_plugin.requests.metadata import collection_metadata
from chroma_plugin.requests.shown import kind
from chroma_plugin.sessions.connection import Connection
from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT, CollectionInfo
from chroma_plugin.version import __version__
from chroma_plugin.wording import shown

if TYPE_CHECKING:
    from chroma_plugin.api.async_client import AsyncClient
    from chroma_plugin.api.transaction import Transaction
    from chroma_plugin.backups import BackupReport
    from chroma_plugin.backups import OnProgress as OnBackupProgress
    from chroma_plugin.copying import CopyReport, OnProgress
    from chroma_plugin.copying import OnConflict as OnCopyConflict
    from chroma_plugin.embedding_functions import EmbeddingFunction
    from chroma_plugin.parquet import OnConflict, TransferReport
    from chroma_plugin.plugins import PluginManager

MAX_BATCH_SIZE: Final = 2**31 - 1
"""What `Client.get_max_batch_size` says. A batch may have any size; the number is there for code that splits its
batches.
"""


class Client(TenantsAndDatabases):
    """An open database.

    ``Client()`` is in memory, a database of its own each time. ``Client(path="./data")``, or settings with a
    ``persist_directory``, keep it in that directory; all such clients of one process share one open database. Further
    keyword arguments are options of the backend.

    Close it with `close` or ``with``; one that is just dropped is closed when the last of its collections is gone, at
    the latest when Python ends. Raises NotFoundError when the tenant or the database does not exist.
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
        from chroma_plugin.plugins import default_manager

        self._settings = _settings(settings, path, options)
        self._plugins = plugins or default_manager()
        self._connection = Connection(self._settings.target(self._plugins))
        try:
            self.set_tenant(
                self._settings.tenant if tenant == DEFAULT_TENANT else tenant,
                self._settings.database if database == DEFAULT_DATABASE else database,
            )
        except BaseException:
            self._connection.close()
            raise

    # -- collections -------------------------------------------------------------------------------------------------

    def create_collection(
        self,
        name: str,
        schema: None = None,
        configuration: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        embedding_function: Any = DEFAULT,
        data_loader: DataLoader | None = None,
        get_or_create: bool = False,
    ) -> Collection:
        """A new, empty collection; with ``get_or_create`` the existing one of that name, as it is.

        ``configuration={"hnsw": {"space": "cosine", ...}}`` says how it searches; the default space is that of the
        embedding function, else l2. Early Chroma's ``metadata={"hnsw:space": "cosine"}`` does the same.
        ``embedding_function`` is a function of your own, the name of a registered one, a LangChain ``Embeddings``
        object, or None: then embeddings must be given. By default it is all-MiniLM-L6-v2, loaded when the first text
        is embedded.

        Raises UniqueConstraintError when the name is taken, InvalidArgumentError for a bad name or configuration.
        """
        if paging.flag(get_or_create, "get_or_create"):
            return self.get_or_create_collection(name, schema, configuration, metadata, embedding_function, data_loader)
        info, function = self._new(name, schema, configuration, metadata, embedding_function)
        loads = checked_loader(data_loader)
        opened, _ = self._session.create(info, or_find=False)
        return self._collection(opened, function, loads)

    def get_or_create_collection(
        self,
        name: str,
        schema: None = None,
        configuration: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        embedding_function: Any = DEFAULT,
        data_loader: DataLoader | None = None,
    ) -> Collection:
        """The collection of that name, made if there is none.

        An existing one stays as it is: configuration and metadata have no effect on it. Raises EmbeddingFunctionError
        when it was made with another embedding function than the one given.
        """
        info, function = self._new(name, schema, configuration, metadata, embedding_function)
        loads = checked_loader(data_loader)
        opened, is_new = self._session.create(info, or_find=True)
        if not is_new:
            function = for_existing(embedding_function, opened.info, self._plugins)
        return self._collection(opened, function, loads)

    def get_collection(
        self, name: str, embedding_function: Any = DEFAULT, data_loader: DataLoader | None = None
    ) -> Collection:
        """The collection of that name, by default with the embedding function it was made with.

        Raises NotFoundError when there is none, EmbeddingFunctionError when another function is given.
        """
        wanted = names.lookup_name(name, "collection")
        opened = self._session.find(wanted, self.tenant, self.database)
        return self._existing(opened, shown(wanted), embedding_function, data_loader)

    def get_collection_by_id(
        self, id: UUID | str, embedding_function: Any = DEFAULT, data_loader: DataLoader | None = None
    ) -> Collection:
        """The collection with that id; errors as for `get_collection`."""
        wanted = names.collection_id(id)
        opened = self._session.find_by_id(wanted, self.tenant, self.database)
        return self._existing(opened, str(wanted), embedding_function, data_loader)

    def list_collections(self, limit: int | None = None, offset: int | None = None) -> Sequence[Collection]:
        """The collections of this database, in the order of their creation."""
        found = paging.page(self._session.collections(self.tenant, self.database), limit, offset)
        return [self._existing(opened, opened.info.name, DEFAULT, None) for opened in found]

    def count_collections(self) -> int:
        return len(self._session.collections(self.tenant, self.database))

    def delete_collection(self, name: str) -> None:
        """Delete the collection and its records for good. Raises NotFoundError when there is none of that name."""
        self._session.drop(names.lookup_name(name, "collection"), self.tenant, self.database)

    def create_index(self, collection_name: str) -> None:
        """`Collection.create_index` of that collection."""
        self.get_collection(collection_name).create_index()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """``with client.transaction() as t``: reads and writes in any of this database's collections, each through
        ``t.collection(collection)``, count together: see `Collection.transaction`.
        """
        from chroma_plugin.api.transaction import Transaction

        transaction = Transaction(self._session)
        try:
            yield transaction
        except BaseException:
            transaction._end()
            raise
        transaction._commit()

    # -- the database ------------------------------------------------------------------------------------------------

    def heartbeat(self) -> int:
        """Nanoseconds since the epoch, from where the data is."""
        return self._session.backend.heartbeat()

    def get_version(self) -> str:
        """The version of this package."""
        return __version__

    def reset(self) -> bool:
        """Delete everything: all collections of all databases. True when done; it can't be undone.

        Raises AuthorizationError when the settings say ``allow_reset=False``.
        """
        session = self._session
        if self._settings.allow_reset is False:
            raise AuthorizationError("Reset is disabled by config: the settings say allow_reset=False.")
        session.reset()
        return True

    def persist(self) -> bool:
        """Write out what is only buffered. Never needed: a write is durable when its call returns."""
        self._session.flush()
        return True

    def refresh(self) -> bool:
        """Take over what another process wrote, in a client that was opened with ``read_only``; True when there was
        something new. Its collections show it then; those that are gone raise NotFoundError. Clients without
        ``read_only``, in memory or of a server see everything at once: for them it does nothing.

        That is all that was acknowledged until the call, also of a process that has the store open and goes on writing.
        Raises LockedError when that one puts its files in order so often that for ten seconds there was no time to read
        them. Everything stays as it was then, and can be read.
        """
        return self._session.refresh()

    def info(self) -> Info:
        """Facts: version, backend, where it is, and each collection with its count. Prints as an outline."""
        session = self._session
        collections = [
            self._existing(opened, "", DEFAULT, None) for opened in session.collections(self.tenant, self.database)
        ]
        return Info(
            version=__version__,
            backend=session.name,
            persistent=session.backend.persistent,
            **session.backend.stats(),
            tenant=self.tenant,
            database=self.database,
            collections=[collection.info() for collection in collections],
        )

    def compact(self) -> None:
        """Give back the space of deleted records and collections, in memory and on disk; their text is gone then.

        A store on disk also does so by itself, when it is closed and most of a large file is empty.
        """
        self._session.backend.compact()

    def export(
        self, directory: str | Path, *, names: Iterable[str] | None = None, overwrite: bool = False
    ) -> TransferReport:
        """Write this database's collections, or those with the given names, to Parquet files in a directory.

        Raises NotFoundError for an unknown name, StorageError when the directory holds an export already.
        """
        from chroma_plugin.parquet import export_collections

        return export_collections(self, directory, names=names, overwrite=overwrite)

    def import_(self, directory: str | Path, *, on_conflict: OnConflict = "error") -> TransferReport:
        """Read an export, or a directory of Chroma 0.3.x, into this database: everything is checked first.

        ``on_conflict`` decides about names that are taken: ``"error"`` refuses all, ``"skip"`` leaves those
        collections as they are, ``"merge"`` replaces records with the same id.

        Raises UniqueConstraintError for taken names, CorruptionError or InvalidArgumentError for what can't be read.
        """
        from chroma_plugin.parquet import import_collections

        return import_collections(self, directory, on_conflict=on_conflict)

    def copy_to(
        self,
        other: Client | AsyncClient,
        *,
        names: Iterable[str] | None = None,
        everything: bool = False,
        on_conflict: OnCopyConflict = "resume",
        on_progress: OnProgress | None = None,
    ) -> CopyReport:
        """Copy this database's collections, or those with the given names, into the database of another client.

        With ``everything`` all databases of all tenants are copied, to the same names. Metadata, configuration and the
        name of the embedding function are kept, ids of collections are new. Records go over in the order of their
        insertion, 2,000 at a time; then the copy is read back and compared by count and checksum.

        ``on_conflict`` decides about names that are taken: ``"resume"`` goes on where an earlier copy was cut, and
        refuses a collection that is not the beginning of this one; ``"skip"`` leaves it alone; ``"merge"`` writes what
        is missing or different. ``on_progress`` is called with a collection's name, records done, records in all.

        Raises NotFoundError for an unknown name and UniqueConstraintError for a taken one, before anything is written;
        CorruptionError when the copy is not what was read.
        """
        from chroma_plugin.copying import copy

        target = other if isinstance(other, Client) else other._opened()
        places = None if everything else [((self.tenant, self.database), (target.tenant, target.database))]
        return copy(
            self._session, target._session, places, names=names, on_conflict=on_conflict, on_progress=on_progress
        )

    def backup(self, path: str | Path, *, on_progress: OnBackupProgress | None = None) -> BackupReport:
        """Write everything, of all tenants and databases, to a new directory at `path`, and verify it; writes go on.

        A backup is a store that ``PersistentClient(path)`` opens as it stands; `chroma_plugin.restore` copies it to
        another place and looks for damage. That of a store on disk (``duckdb``) shows one moment; that of any other
        engine is copied collection after collection (see `copy_to`) into such a store, on this machine. It gets its
        name when it is complete and on disk: one that was cut short is called otherwise.

        ``on_progress`` is called with ``"bytes"``, how many are done and how many there are; with another engine, with
        a collection's name and its records.

        Raises StorageError when there is something at `path` or it can't be written, CorruptionError when what was
        written is not what is in the store; nothing is left there then.
        """
        from chroma_plugin.backups import backup

        return backup(self._session, path, self._plugins, on_progress)

    def get_settings(self) -> Settings:
        return self._settings

    def get_max_batch_size(self) -> int:
        """2**31 - 1. A batch may have any size; this is for code that splits its batches."""
        _ = self._session
        return MAX_BATCH_SIZE

    def get_user_identity(self) -> UserIdentity:
        """Who this client is, and what it can see."""
        return UserIdentity("", self.tenant, [database["name"] for database in self.list_databases(tenant=self.tenant)])

    def set_tenant(self, tenant: str, database: str = DEFAULT_DATABASE) -> None:
        """Work in this tenant and database from now on. Raises NotFoundError when there is no such place."""
        found = self.get_database(database, tenant)
        self.tenant, self.database = found["tenant"], found["name"]

    def set_database(self, database: str) -> None:
        """Work in this database of the tenant from now on. Raises NotFoundError when it does not exist."""
        self.set_tenant(self.tenant, database)

    @staticmethod
    def clear_system_cache() -> None:
        """Nothing: there is no such cache here. Close a client to release what it holds."""

    def close(self) -> None:
        """Give up the database; its last client closes it. After that every call raises ClosedError. Closing again
        has no effect.
        """
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client(tenant={self.tenant!r}, database={self.database!r}, {self._settings!r})"

    # -- making collection objects -----------------------------------------------------------------------------------

    def _new(
        self, name: Any, schema: Any, configuration: Any, metadata: Any, embedding_function: Any
    ) -> tuple[CollectionInfo, EmbeddingFunction[Any] | None]:
        from chroma_plugin.embedding_functions import default_space, identity

        if schema is not None:
            raise UnsupportedError(
                "There are no schemas here; say how a collection searches with configuration={'hnsw': {...}}."
            )
        configurations.configuration_sections(configuration)
        checked = collection_metadata(metadata)
        function = for_new(embedding_function, configuration, self._plugins)
        hnsw = configurations.created(configuration, checked, default_space(function))
        info = CollectionInfo(
            id=uuid4(),
            name=names.collection_name(name),
            metadata=checked,
            configuration={"hnsw": hnsw, "spann": None, "embedding_function": identity(function)},
            tenant=self.tenant,
            database=self.database,
        )
        return info, function

    def _existing(
        self, opened: OpenCollection | None, named: str, embedding_function: Any, data_loader: DataLoader | None
    ) -> Collection:
        if opened is None:
            raise NotFoundError(f"Collection {named} does not exist in database {self.database!r}.")
        function = for_existing(embedding_function, opened.info, self._plugins)
        return self._collection(opened, function, checked_loader(data_loader))

    def _collection(
        self, opened: OpenCollection, function: EmbeddingFunction[Any] | None, data_loader: DataLoader | None
    ) -> Collection:
        return Collection(Handle(self._connection, opened, function, data_loader, self._plugins), self)


def checked_loader(value: Any) -> DataLoader | None:
    """Something to call, or None. Raises InvalidArgumentError for anything else."""
    if value is not None and not callable(value):
        raise InvalidArgumentError(f"data_loader must be callable with a list of URIs, not {kind(value)}.")
    loader: DataLoader | None = value
    return loader


def _settings(settings: Settings | None, path: str | Path | None, options: Mapping[str, Any]) -> Settings:
    if settings is not None and not isinstance(settings, Settings):
        raise InvalidArgumentError(f"settings must be Settings(...), not {kind(settings)}. For a directory: path=...")
    changes = dict(options) if path is None else {**options, "persist_directory": path}
    base = Settings() if settings is None else settings
    return base.replace(**changes) if changes else base


@frozen
class UserIdentity:
    user_id: str
    tenant: str
    databases: Sequence[str]
