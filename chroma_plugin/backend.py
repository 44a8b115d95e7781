"""The contract a storage engine implements: `Backend` (one open database) and `CollectionStore` (one open collection).

Few methods are abstract. Everything else has a default that is correct and slow, written on the abstract ones;
override a default where your engine does better. The conformance kit (`chroma_plugin.testing`) checks both.

What the core has done before it calls you
------------------------------------------
Arguments are valid: ids are distinct non-empty strings; embeddings are finite float32 of the collection's dimension;
metadata holds only what `chroma_plugin.types.Metadata` allows; names are unique when you are told so. Within one
process the core lets one write into a collection at a time; reads come from any thread, also during a write.

What you promise
----------------
- A write is all or nothing, and durable when the call returns if `Backend.persistent`. When a column fails while you
  read it, nothing was written.
- You copy what you are given: the caller may change his arrays afterwards.
- A `scan` that is half read holds no lock, and can be read on after a write.
- Metadata that a read gives out is a dict made for it, with all lists and dicts inside, and stands there once: it
  reaches the user, who may change it, without another copy (`chroma_plugin.types.copied` makes one).
- Reads give what was written, exactly: every metadata value with its type, every float32 bit for bit.
- Errors are of `chroma_plugin.errors`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar
from uuid import UUID

from chroma_plugin import fallback
from chroma_plugin.errors import NotFoundError, UniqueConstraintError, UnsupportedError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.frozen import frozen
from chroma_plugin.types import (
    DEFAULT_DATABASE,
    DEFAULT_TENANT,
    NO_FIELDS,
    CollectionInfo,
    Hits,
    Ranked,
    Read,
    Records,
    Scan,
    Search,
    TextSearch,
)
from chroma_plugin.wording import shown

_T = TypeVar("_T")

OnBytes: TypeAlias = Callable[[int, int], object]
"""Called with how many bytes are done, and how many there are."""


class Pushdown(Enum):
    """How well a store evaluates one AND-part of a filter."""

    EXACT = "exact"
    """Just as `chroma_plugin.filters.ast` says."""
    INEXACT = "inexact"
    """It leaves out nothing that matches, but may let other records through; the core checks again."""
    NO = "no"
    """Not at all; the core never passes it on."""


@frozen(eq=False)
class Change:
    """What a transaction wants of one collection."""

    store: CollectionStore
    """The collection, as `Backend.open_collection` gave it."""
    reads: Sequence[Read]
    """What it has read there."""
    deleted: Sequence[str]
    """Ids to be deleted first; unknown ones are ignored."""
    written: Records | None
    """Records to be put after that. An id may stand in both: it becomes a new record, with a new place."""
    check: Callable[[CollectionStore], None]
    """Raises StaleReadError when one of the reads has another answer by now. It asks the store it is given: ``store``,
    or one that sees the collection from inside a transaction of the engine.
    """

    @property
    def writes(self) -> bool:
        return bool(self.deleted) or self.written is not None


class CollectionStore(ABC):
    """The records of one collection."""

    # -- abstract ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def put(self, records: Records) -> None:
        """Insert the records, or replace those whose ids are known, whole.

        All columns but ``uris`` are given (``uris`` may be None). A replaced record keeps its place in the order of
        insertion.
        """

    @abstractmethod
    def delete(self, ids: Sequence[str]) -> int:
        """Delete these records and return how many existed; unknown ids are ignored."""

    @abstractmethod
    def scan(self, request: Scan) -> Iterator[Records]:
        """Read records in batches of any size, in the order that `Scan` states.

        ``request.where`` holds only parts that `takes` accepted, ``request.order`` is empty unless `orders` is True,
        and ``request.ids`` may be empty, which means no record. Only the columns of ``request.fields`` need to be
        filled.
        """

    # -- what this store can do --------------------------------------------------------------------------------------

    orders: ClassVar[bool] = False
    """`scan` honours ``Scan.order``; else the core sorts."""

    def takes(self, part: Expr) -> Pushdown:
        """How well `scan`, `count`, `search`, `search_text` and `delete_where` evaluate this AND-part of a filter.
        Default: not at all.
        """
        return Pushdown.NO

    # -- defaults, to be overridden for speed ------------------------------------------------------------------------

    def insert(self, records: Records) -> Sequence[str]:
        """Add the records whose ids are unknown, leave the others as they are, and return the ids that were known."""
        return fallback.insert(self, records)

    def update(self, records: Records) -> None:
        """Replace, in existing records, the columns that are not None. All ids are known."""
        fallback.update(self, records)

    def merge(self, records: Records) -> Sequence[str] | None:
        """Change, in the records that exist, what is given: metadata key by key, where a None takes the key away; what
        is None in another column stays. Returns their ids. In one step, as `revise` would. Default: None, and nothing
        is done; the core merges with `revise`. For engines to which each question is a way over the network.
        """
        return None

    def revise(self, work: Callable[[CollectionStore], _T]) -> _T:
        """What ``work`` returns, which reads records by id and writes what it makes of them, both in the store that it
        is given. Until it has ended nobody else changes what it read or adds what it did not find, and what it wrote
        is all or nothing. It may be called again, when what it did was undone. Default: in this store, which is right
        where all writes come from one process.
        """
        return work(self)

    def count(self, where: Expr | None = None) -> int:
        """How many records match."""
        return sum(len(batch) for batch in self.scan(Scan(where=where, fields=NO_FIELDS)))

    def delete_where(self, where: Expr) -> int:
        """Delete what matches and return how many that were."""
        return fallback.delete_where(self, where)

    def search(self, request: Search) -> list[Hits]:
        """One `Hits` per query. **Never fewer than k while k records match**; the default scans everything, exactly."""
        return fallback.search(self, request)

    def explain(self, request: Search) -> dict[str, Any]:
        """What `search` did with the request, having done it, as plain JSON: the plan it chose and why, how many
        records it looked at, ``milliseconds`` by step. The default knows only the time.
        """
        start = time.perf_counter()
        self.search(request)
        return {"milliseconds": {"search": round((time.perf_counter() - start) * 1_000, 4)}}

    def search_text(self, request: TextSearch) -> list[Ranked]:
        """One `Ranked` per query, with as many records as match, up to k; the default reads everything, and needs the
        library bm25s.
        """
        return fallback.search_text(self, request)

    def optimize(self) -> None:
        """Bring indexes up to date now, and wait for it. Reads and writes go on meanwhile."""

    def configure(self, info: CollectionInfo) -> None:
        """The collection was changed (name, metadata, dimension, configuration); `Backend.update_collection` has
        kept it already.
        """

    def stats(self) -> dict[str, Any]:
        """Facts for `client.info()`, as plain JSON: index state, memory, bytes on disk."""
        return {}

    def close(self) -> None:
        """Release what this store holds. Called once, after the last call."""


class Backend(ABC):
    """One open database: collections, found by tenant, database and name."""

    persistent: ClassVar[bool] = False
    """What a call acknowledged is there when a new process opens the same place."""

    native_async: ClassVar[bool] = False
    """Its stores wait with `chroma_plugin.waiting` when they run on an event loop, so that no thread is needed."""

    # -- abstract ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def list_collections(self, tenant: str, database: str) -> Sequence[CollectionInfo]:
        """The collections of one database, in the order of their creation."""

    @abstractmethod
    def create_collection(self, info: CollectionInfo) -> CollectionInfo | None:
        """Add an empty collection. Raises UniqueConstraintError when the database has one of that name.

        Returns None when it was kept as given; else what was kept: a foreign server chooses the id itself.
        """

    @abstractmethod
    def update_collection(self, info: CollectionInfo) -> None:
        """Replace name, metadata, configuration and dimension of the collection with ``info.id``.

        A store that is open stays open. Raises NotFoundError when it is gone, UniqueConstraintError when another has
        the name.
        """

    @abstractmethod
    def drop_collection(self, info: CollectionInfo) -> None:
        """Delete the collection and its records: made again with the same id, it is empty. Raises NotFoundError when it
        is gone.
        """

    @abstractmethod
    def open_collection(self, info: CollectionInfo) -> CollectionStore:
        """The store of an existing collection. The core opens each at most once at a time. Raises NotFoundError when
        it is gone.
        """

    # -- defaults ----------------------------------------------------------------------------------------------------

    def get_collection(self, name: str, tenant: str, database: str) -> CollectionInfo | None:
        """The collection of that name, or None."""
        return next((info for info in self.list_collections(tenant, database) if info.name == name), None)

    def get_collection_by_id(self, id: UUID, tenant: str, database: str) -> CollectionInfo | None:
        """The collection with that id, or None."""
        return next((info for info in self.list_collections(tenant, database) if info.id == id), None)

    def list_tenants(self) -> Sequence[str]:
        """All tenants. Default: the one that is always there."""
        return [DEFAULT_TENANT]

    def has_tenant(self, name: str) -> bool:
        """Whether there is a tenant of that name."""
        return name in self.list_tenants()

    def has_database(self, tenant: str, name: str) -> bool:
        """Whether a tenant has a database of that name. Raises NotFoundError for an unknown tenant."""
        return name in self.list_databases(tenant)

    def create_tenant(self, name: str) -> None:
        """Raises UniqueConstraintError when it exists. Default: this backend knows one tenant."""
        if name in self.list_tenants():
            raise UniqueConstraintError(f"Tenant {shown(name)} already exists.")
        raise UnsupportedError(f"{type(self).__name__} has one tenant, {DEFAULT_TENANT!r}; it can't create {name!r}.")

    def list_databases(self, tenant: str) -> Sequence[str]:
        """The databases of a tenant. Raises NotFoundError for an unknown tenant. Default: the one that is always
        there.
        """
        if tenant not in self.list_tenants():
            raise NotFoundError(f"Tenant {shown(tenant)} does not exist.")
        return [DEFAULT_DATABASE]

    def create_database(self, tenant: str, name: str) -> None:
        """Raises NotFoundError for an unknown tenant, UniqueConstraintError when it exists. Default: this backend
        knows one.
        """
        if name in self.list_databases(tenant):
            raise UniqueConstraintError(f"Database {shown(name)} already exists in tenant {shown(tenant)}.")
        raise UnsupportedError(
            f"{type(self).__name__} has one database, {DEFAULT_DATABASE!r}; it can't create {name!r}."
        )

    def drop_database(self, tenant: str, name: str) -> None:
        """Delete a database with its collections. Raises NotFoundError when it is unknown."""
        if name not in self.list_databases(tenant):
            raise NotFoundError(f"Database {shown(name)} does not exist in tenant {shown(tenant)}.")
        raise UnsupportedError(f"{type(self).__name__} can't delete its only database, {name!r}.")

    def reset(self) -> None:
        """Delete everything."""
        for tenant in self.list_tenants():
            for database in self.list_databases(tenant):
                for info in self.list_collections(tenant, database):
                    self.drop_collection(info)

    def commit(self, changes: Sequence[Change]) -> None:
        """End a transaction: check each change, and when all reads still have their answers write what is to be
        written, all of it or nothing. Meanwhile nobody else may write to these collections; the core keeps the
        writers of this process away.

        Raises StaleReadError when a read is stale. Default: right when at most one write to one collection is
        needed; else UnsupportedError, and nothing has changed.
        """
        fallback.commit(self, changes)

    def heartbeat(self) -> int:
        """Nanoseconds since the epoch, from where the data is."""
        return time.time_ns()

    def flush(self) -> None:
        """Write out what is only buffered (caches, logs). Durability never depends on it."""

    def refresh(self) -> bool:
        """Take over what other processes wrote since the database was opened. True when that was anything: then the
        core opens the stores anew, and stores opened before stay readable until the calls in them have ended; they are
        not closed. Raises LockedError when it can't now, and changes nothing. Default: reads are always of now.
        """
        return False

    def after_fork(self) -> bool:
        """Called in a process that was forked off this one: whether this backend can go on there, beside the parent's.
        If so, give up what is the parent's (sockets, threads) without closing it, and make locks anew: those who held
        them are in the parent. The core then opens the stores anew. Default: False; then every call there raises
        StorageError, and this object is never used or taken apart again.
        """
        return False

    def compact(self) -> None:
        """Give back the space of deleted records and collections."""

    def backup(self, directory: Path, on_bytes: OnBytes) -> Sequence[tuple[CollectionInfo, int]] | None:
        """Make a store for the backend ``duckdb`` of an empty directory, with everything that is here at one moment,
        verified; the collections in it and how many records each has. Writes go on meanwhile.

        Default: None, and nothing is done. Then the core copies one collection after another.
        """
        return None

    def stats(self) -> dict[str, Any]:
        """Facts for `client.info()`, as plain JSON: where, how large, which engine and version."""
        return {}

    def close(self) -> None:
        """Release files, locks and threads. Called once, after every store was closed."""
