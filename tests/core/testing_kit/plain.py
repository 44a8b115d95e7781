"""A right and plain backend in dicts: what the planted faults start from, each changing one thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np

from chroma_plugin.backend import Backend, CollectionStore, Pushdown
from chroma_plugin.errors import NotFoundError, UniqueConstraintError
from chroma_plugin.filters import Expr, keep
from chroma_plugin.types import CollectionInfo, Matrix, Records, Scan, copied


@dataclass(frozen=True, slots=True)
class Row:
    """One record."""

    embedding: Matrix
    document: str | None
    metadata: dict[str, Any] | None
    uri: str | None


class PlainStore(CollectionStore):
    """A dict from id to row: it keeps the order of insertion, and a replaced row keeps its place."""

    def __init__(self, rows: dict[str, Row]) -> None:
        self.rows = rows

    def put(self, records: Records) -> None:
        self.rows.update(self.parse(records))

    def parse(self, records: Records) -> dict[str, Row]:
        uris = records.uris or [None] * len(records)
        columns = (np.array(records.embeddings), records.documents, records.metadatas, uris)
        return {id: Row(*values) for id, *values in zip(records.ids, *columns, strict=True)}

    def delete(self, ids: Sequence[str]) -> int:
        return len([id for id in ids if self.rows.pop(id, None) is not None])

    def scan(self, request: Scan) -> Iterator[Records]:
        rows = dict(self.rows)
        ids = list(rows) if request.ids is None else [id for id in request.ids if id in rows]
        found = self.shape(ids, rows)
        if request.where is not None:
            found = found.take(self.matching(request.where, found))
        end = None if request.limit is None else request.offset + request.limit
        yield found.take(range(len(found))[request.offset : end])

    def shape(self, ids: Sequence[str], rows: dict[str, Row]) -> Records:
        picked = [rows[id] for id in ids]
        return Records(
            ids=ids,
            embeddings=np.array([row.embedding for row in picked], dtype=np.float32),
            documents=[row.document for row in picked],
            metadatas=[row.metadata and copied(row.metadata) for row in picked],
            uris=[row.uri for row in picked],
        )

    def matching(self, where: Expr, found: Records) -> list[int]:
        return keep(where, found)

    def takes(self, part: Expr) -> Pushdown:
        return Pushdown.EXACT


class PlainBackend(Backend):
    """Collections in a dict from id to info; nothing is kept after closing."""

    store: type[PlainStore] = PlainStore

    def __init__(self) -> None:
        self.infos: dict[UUID, CollectionInfo] = {}
        self.rows: dict[UUID, dict[str, Row]] = {}

    def list_collections(self, tenant: str, database: str) -> Sequence[CollectionInfo]:
        return [info for info in self.infos.values() if (info.tenant, info.database) == (tenant, database)]

    def create_collection(self, info: CollectionInfo) -> None:
        self.refuse_taken(info)
        self.infos[info.id] = replace(info)
        self.rows[info.id] = {}

    def update_collection(self, info: CollectionInfo) -> None:
        self.refuse_unknown(info)
        self.refuse_taken(info)
        self.infos[info.id] = info

    def drop_collection(self, info: CollectionInfo) -> None:
        self.refuse_unknown(info)
        del self.infos[info.id], self.rows[info.id]

    def open_collection(self, info: CollectionInfo) -> CollectionStore:
        self.refuse_unknown(info)
        return self.store(self.rows[info.id])

    def refuse_unknown(self, info: CollectionInfo) -> None:
        if info.id not in self.infos:
            raise NotFoundError(f"Collection {info.name!r} does not exist.")

    def refuse_taken(self, info: CollectionInfo) -> None:
        others = [other for other in self.list_collections(info.tenant, info.database) if other.id != info.id]
        if info.name in [other.name for other in others]:
            raise UniqueConstraintError(f"Collection {info.name!r} already exists.")
