"""The least that a backend can be: a dict per collection and nothing but the abstract methods, so that every default
is at work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from chroma_plugin.backend import Backend, CollectionStore, Pushdown
from chroma_plugin.errors import NotFoundError, UniqueConstraintError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.plugins import BackendSpec, hookimpl
from chroma_plugin.types import CollectionInfo, Records, Scan


@dataclass(frozen=True)
class PlainOptions:
    sieve: bool = False
    """Accept every filter as INEXACT, and let everything through."""


class PlainStore(CollectionStore):
    """Records one by one, in the order of insertion."""

    def __init__(self, rows: dict[str, Records], options: PlainOptions) -> None:
        self._rows = rows
        self._options = options

    def takes(self, part: Expr) -> Pushdown:
        return Pushdown.INEXACT if self._options.sieve else Pushdown.NO

    def put(self, records: Records) -> None:
        for row, id in enumerate(records.ids):
            self._rows[id] = records.take([row])

    def delete(self, ids: Sequence[str]) -> int:
        return len([self._rows.pop(id) for id in ids if id in self._rows])

    def scan(self, request: Scan) -> Iterator[Records]:
        assert not request.order, "the core sorts for a store without order"
        wanted = list(self._rows) if request.ids is None else [id for id in request.ids if id in self._rows]
        stop = None if request.limit is None else request.offset + request.limit
        for id in wanted[request.offset : stop]:
            yield self._rows[id].only(request.fields)


class PlainBackend(Backend):
    def __init__(self, options: PlainOptions) -> None:
        self._options = options
        self._infos: dict[UUID, CollectionInfo] = {}
        self._rows: dict[UUID, dict[str, Records]] = {}

    def list_collections(self, tenant: str, database: str) -> Sequence[CollectionInfo]:
        return [info for info in self._infos.values() if (info.tenant, info.database) == (tenant, database)]

    def create_collection(self, info: CollectionInfo) -> None:
        self._refuse_taken(info)
        self._infos[info.id] = info
        self._rows[info.id] = {}

    def update_collection(self, info: CollectionInfo) -> None:
        self._refuse_unknown(info)
        self._refuse_taken(info)
        self._infos[info.id] = info

    def drop_collection(self, info: CollectionInfo) -> None:
        self._refuse_unknown(info)
        del self._infos[info.id], self._rows[info.id]

    def open_collection(self, info: CollectionInfo) -> CollectionStore:
        self._refuse_unknown(info)
        return PlainStore(self._rows[info.id], self._options)

    def _refuse_unknown(self, info: CollectionInfo) -> None:
        if info.id not in self._infos:
            raise NotFoundError(f"Collection {info.name!r} does not exist.")

    def _refuse_taken(self, info: CollectionInfo) -> None:
        if any(other.name == info.name and other.id != info.id for other in self._infos.values()):
            raise UniqueConstraintError(f"Collection {info.name!r} already exists.")


@hookimpl
def register_backends() -> tuple[BackendSpec, ...]:
    return (BackendSpec("plain", open=f"{__name__}:PlainBackend", options=f"{__name__}:PlainOptions"),)


def matrix(*rows: Sequence[float]) -> np.ndarray:
    """Embeddings as results hold them."""
    return np.array(rows, dtype=np.float32)
