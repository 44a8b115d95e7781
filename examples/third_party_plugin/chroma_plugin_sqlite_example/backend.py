"""The engine: collections and records in one SQLite file per directory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any
from uuid import UUID

import numpy as np

from chroma_plugin.backend import Backend, CollectionStore
from chroma_plugin.errors import NotFoundError, StorageError, UniqueConstraintError
from chroma_plugin.types import CollectionInfo, Records, Scan

TABLES = """
CREATE TABLE IF NOT EXISTS collections (
    place INTEGER PRIMARY KEY, id TEXT UNIQUE, tenant TEXT, db TEXT, name TEXT, facts TEXT, UNIQUE (tenant, db, name));
CREATE TABLE IF NOT EXISTS records (
    place INTEGER PRIMARY KEY, collection TEXT, id TEXT,
    embedding BLOB, document TEXT, metadata TEXT, uri TEXT, UNIQUE (collection, id));
"""
SELECT = "SELECT id, embedding, document, metadata, uri FROM records WHERE collection = ?"
UPSERT = """
INSERT INTO records (collection, id, embedding, document, metadata, uri) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (collection, id) DO UPDATE SET
embedding = excluded.embedding, document = excluded.document, metadata = excluded.metadata, uri = excluded.uri
"""


@dataclass(frozen=True, slots=True)
class SQLiteOptions:
    """What users may set: ``Settings(chroma_db_impl="sqlite", persist_directory="./data")``."""

    persist_directory: str = "./chroma"


class SQLiteBackend(Backend):
    """One SQLite file with the collections of all tenants and databases."""

    persistent = True

    def __init__(self, options: SQLiteOptions) -> None:
        folder = Path(options.persist_directory)
        folder.mkdir(parents=True, exist_ok=True)
        # One connection for all threads; the lock lets one of them use it at a time.
        self._connection = sqlite3.connect(folder / "records.sqlite3", check_same_thread=False)
        self._lock = RLock()
        with self.transaction() as sql:
            sql.execute("PRAGMA synchronous = FULL")
            sql.executescript(TABLES)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of what happens inside, or nothing; SQLite's errors become ours."""
        try:
            with self._lock, self._connection:
                yield self._connection
        except sqlite3.Error as error:
            raise StorageError(f"SQLite: {error}") from error

    def list_collections(self, tenant: str, database: str) -> Sequence[CollectionInfo]:
        query = "SELECT id, name, facts FROM collections WHERE tenant = ? AND db = ? ORDER BY place"
        with self.transaction() as sql:
            rows = sql.execute(query, (tenant, database)).fetchall()
        return [
            CollectionInfo(UUID(id), name, **json.loads(facts), tenant=tenant, database=database)
            for id, name, facts in rows
        ]

    def create_collection(self, info: CollectionInfo) -> None:
        with self.transaction() as sql, unique(info.name):
            row = (str(info.id), info.tenant, info.database, info.name, facts(info))
            sql.execute("INSERT INTO collections (id, tenant, db, name, facts) VALUES (?, ?, ?, ?, ?)", row)

    def update_collection(self, info: CollectionInfo) -> None:
        with self.transaction() as sql, unique(info.name):
            query = "UPDATE collections SET name = ?, facts = ? WHERE id = ?"
            refuse_unknown(info, sql.execute(query, (info.name, facts(info), str(info.id))).rowcount)

    def drop_collection(self, info: CollectionInfo) -> None:
        with self.transaction() as sql:
            refuse_unknown(info, sql.execute("DELETE FROM collections WHERE id = ?", (str(info.id),)).rowcount)
            sql.execute("DELETE FROM records WHERE collection = ?", (str(info.id),))

    def open_collection(self, info: CollectionInfo) -> CollectionStore:
        refuse_unknown(info, self.get_collection_by_id(info.id, info.tenant, info.database) is not None)
        return SQLiteStore(self, str(info.id))

    def close(self) -> None:
        self._connection.close()


def facts(info: CollectionInfo) -> str:
    return json.dumps({"metadata": info.metadata, "configuration": info.configuration, "dimension": info.dimension})


def refuse_unknown(info: CollectionInfo, found: int) -> None:
    if not found:
        raise NotFoundError(f"Collection {info.name!r} does not exist.")


@contextmanager
def unique(name: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise UniqueConstraintError(f"Collection {name!r} already exists.") from error


class SQLiteStore(CollectionStore):
    """The rows of one collection."""

    def __init__(self, backend: SQLiteBackend, collection: str) -> None:
        self._backend = backend
        self.collection = collection

    def put(self, records: Records) -> None:
        # An upsert keeps `place`, and with it the order of insertion.
        with self._backend.transaction() as sql:
            sql.executemany(UPSERT, self._values(records))

    def _values(self, records: Records) -> Iterator[tuple[Any, ...]]:
        assert records.embeddings is not None
        assert records.documents is not None
        assert records.metadatas is not None
        uris = records.uris or [None] * len(records)
        rows = zip(records.ids, records.embeddings, records.documents, records.metadatas, uris, strict=True)
        for id, embedding, document, metadata, uri in rows:
            yield self.collection, id, embedding.tobytes(), document, json.dumps(metadata), uri

    def delete(self, ids: Sequence[str]) -> int:
        with self._backend.transaction() as sql:
            query = "DELETE FROM records WHERE collection = ? AND id = ?"
            return sum(sql.execute(query, (self.collection, id)).rowcount for id in ids)

    def scan(self, request: Scan) -> Iterator[Records]:
        # `request.where` is always None: by default a store takes no filter, and the core evaluates it.
        rows = self.rows(request, SELECT, (self.collection,))
        end = None if request.limit is None else request.offset + request.limit
        page = rows[request.offset : end]
        if page:
            ids, embeddings, documents, metadatas, uris = zip(*page, strict=True)
            matrix = np.frombuffer(b"".join(embeddings), dtype=np.float32).reshape(len(page), -1)
            yield Records(ids, matrix, documents, [json.loads(text) for text in metadatas], uris)

    def rows(self, request: Scan, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._backend.transaction() as sql:
            if request.ids is None:
                return sql.execute(query + " ORDER BY place", values).fetchall()
            return [row for id in request.ids for row in sql.execute(query + " AND id = ?", (*values, id))]
