"""What a clean end leaves beside the DuckDB file, so that the next opening need not look into it.

``snapshot.json`` has the catalog, the mark of each collection's saved table (see `chroma_plugin.toolkit.saved_table`),
and by what the DuckDB file is known to be just as it was then: its size, its head, where DuckDB counts the checkpoints,
and that it has no log. Whatever doesn't fit, the DuckDB file is read instead.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson

from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.checked_file import DOUBTFUL, read_checked, write_checked
from chroma_plugin.types import CollectionInfo
from chroma_plugin_duckdb.checkpoint import HEAD
from chroma_plugin_duckdb.log import log_size

_NAME: Final = "snapshot.json"
_FORMAT: Final = 1


@frozen
class Snapshot:
    """A catalog, and marks by the id of the collection."""

    tenants: list[str]
    databases: list[tuple[str, str]]
    collections: list[tuple[int, CollectionInfo]]
    """With the numbers of their tables."""
    marks: dict[UUID, str] = field(default_factory=dict)


@frozen
class Identity:
    """Of a DuckDB file at rest."""

    size: int
    head: int

    @classmethod
    def of(cls, descriptor: int) -> Identity:
        return cls(os.fstat(descriptor).st_size, zlib.crc32(os.pread(descriptor, HEAD, 0)))


def save(snapshot: Snapshot, path: Path) -> None:
    """Write it for the DuckDB file at that path, which nobody has open."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        identity = Identity.of(descriptor)
    finally:
        os.close(descriptor)
    told = {
        "format": _FORMAT,
        "identity": asdict(identity),
        "tenants": snapshot.tenants,
        "databases": snapshot.databases,
        "collections": [{"number": number, **_plain(info)} for number, info in snapshot.collections],
        "marks": {str(id): mark for id, mark in snapshot.marks.items()},
    }
    write_checked(path.with_name(_NAME), orjson.dumps(told), ())


def load(path: Path, descriptor: int) -> Snapshot | None:
    """That of the DuckDB file, open as `descriptor`; None when there is none or anything has changed since."""
    found = read(path)
    if found is None:
        return None
    snapshot, identity = found
    return snapshot if identity == Identity.of(descriptor) and not log_size(path) else None


def read(path: Path) -> tuple[Snapshot, Identity] | None:
    """The last one that was saved beside the DuckDB file at that path, and how the file was then."""
    try:
        told = orjson.loads(read_checked(path.with_name(_NAME))[0])
        if told["format"] != _FORMAT:
            return None
        snapshot = Snapshot(
            tenants=told["tenants"],
            databases=[(tenant, name) for tenant, name in told["databases"]],
            collections=[(each.pop("number"), _info(each)) for each in told["collections"]],
            marks={UUID(id): mark for id, mark in told["marks"].items()},
        )
        return snapshot, Identity(**told["identity"])
    except DOUBTFUL:
        return None


def _plain(info: CollectionInfo) -> dict[str, Any]:
    return {**asdict(info), "id": str(info.id)}


def _info(told: dict[str, Any]) -> CollectionInfo:
    info = CollectionInfo(**told)
    return replace(info, id=UUID(told["id"]))
