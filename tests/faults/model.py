"""What a store has to hold, as plain dicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from faults.workload import Operation

Record = tuple[bytes, str | None, dict[str, Any] | None]
"""An embedding as float32, the document, the metadata."""


@dataclass(slots=True)
class Kept:
    """One collection."""

    metadata: dict[str, Any]
    records: dict[str, Record] = field(default_factory=dict)
    """In the order of insertion."""


World = dict[str, Kept]


def world(done: Sequence[Operation]) -> World:
    """After those operations."""
    made: World = {}
    for operation in done:
        _apply(made, operation)
    return made


def _apply(made: World, operation: Operation) -> None:
    name, given = operation.collection, operation.arguments
    match operation.kind:
        case "create_collection":
            made[name] = Kept(given["metadata"])
        case "delete_collection":
            del made[name]
        case "modify":
            made[name].metadata = given["metadata"]
        case "delete":
            _delete(made[name].records, given)
        case "transaction":
            for step in given["steps"]:
                _apply(made, step)
        case "add" | "upsert" | "update":
            _write(made[name].records, operation.kind, given)


def _delete(records: dict[str, Record], given: dict[str, Any]) -> None:
    gone = given.get("ids") or [
        id
        for id, (_, _, metadata) in records.items()
        if "where" in given and metadata is not None and metadata["seventh"] == given["where"]["seventh"]
    ]
    for id in gone:
        records.pop(id, None)


def _write(records: dict[str, Record], kind: str, given: dict[str, Any]) -> None:
    for at, id in enumerate(given["ids"]):
        if (id in records and kind == "add") or (id not in records and kind == "update"):
            continue
        embedding, document, metadata = records.get(id, (b"", None, None))
        if "embeddings" in given:
            embedding = np.array(given["embeddings"][at], dtype=np.float32).tobytes()
        if "documents" in given:
            document = given["documents"][at]
            metadata = {**(metadata or {}), **given["metadatas"][at]}
        records[id] = (embedding, document, metadata)
