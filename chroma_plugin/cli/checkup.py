"""The examination of one store: it is opened read-only, and every record is read."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chroma_plugin.cli.stores import existing, repairer_of
from chroma_plugin.errors import ChromaError, CorruptionError, LockedError
from chroma_plugin.frozen import frozen

if TYPE_CHECKING:
    from chroma_plugin.api.collection import Collection

_ROWS: Final = 5_000


class Health(Enum):
    """How serious a finding is."""

    OK = "ok"
    MISSING = "missing"
    """Something optional is not there."""
    WRONG = "wrong"


@frozen
class Finding:
    """One line of the doctor's report."""

    name: str
    health: Health
    detail: str
    remedy: str = ""
    """The command that mends it."""

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "health": self.health.value, "detail": self.detail, "remedy": self.remedy}


def store_findings(path: Path) -> list[Finding]:
    """What there is to say about the store in a directory."""
    try:
        return [*_examined(path), *_damage(path)]
    except LockedError as error:
        return [
            Finding(str(path), Health.WRONG, f"can't be examined: {error}", "close the other process and try again")
        ]
    except ChromaError as error:
        remedy = repairing(path) if isinstance(error, CorruptionError) else ""
        return [Finding(str(path), Health.WRONG, f"can't be read: {error}", remedy)]


def repairing(path: Path) -> str:
    """The command that mends a store, and what it does."""
    return f"chroma-plugin doctor --repair {path} saves all that can be read, and keeps the files as they are"


def _damage(path: Path) -> Iterator[Finding]:
    """What a look at all records does not show: damage in files that only the next opening reads."""
    for fault in repairer_of(path).faults():
        yield Finding(str(path), Health.WRONG, fault, repairing(path))


def _examined(path: Path) -> Iterator[Finding]:
    with existing(path, read_only=True) as client:
        collections = client.list_collections()
        yield Finding(str(path), Health.OK, f"opens; {len(collections)} collection(s)")
        for collection in collections:
            yield _collection(collection)


def _collection(collection: Collection) -> Finding:
    counted = collection.count()
    try:
        read, faults = _read_all(collection)
    except ChromaError as error:
        return Finding(f"collection {collection.name}", Health.WRONG, f"can't be read: {error}")
    if read != counted:
        faults.append(f"count() says {counted}, {read} could be read")
    if faults:
        return Finding(f"collection {collection.name}", Health.WRONG, "; ".join(faults))
    return Finding(f"collection {collection.name}", Health.OK, f"{read} record(s), all read; {_index(collection)}")


def _index(collection: Collection) -> str:
    """The state of the search index, as the store tells it."""
    facts = collection.info()["store"]
    if not facts.get("index"):
        return "the store says nothing of an index"
    state = f"index {facts['index']}, {facts.get('indexed', 0)} record(s) in it"
    damaged = facts.get("damaged_indexes", 0)
    return (
        f"{state}; {damaged} index file(s) damaged, to be built again when the store is next written to"
        if damaged
        else state
    )


def _read_all(collection: Collection) -> tuple[int, list[str]]:
    """How many records could be read, and what is wrong with them."""
    read, faults, dimensions = 0, [], set()
    while True:
        batch = collection.get(limit=_ROWS, offset=read, include=["embeddings", "documents", "metadatas"])
        if not batch["ids"]:
            break
        embeddings = np.asarray(batch["embeddings"])
        dimensions.add(embeddings.shape[1])
        if not np.isfinite(embeddings).all():
            faults.append(f"embeddings that are not finite between record {read} and {read + len(batch['ids'])}")
        read += len(batch["ids"])
    if len(dimensions) > 1:
        faults.append(f"embeddings of several dimensions: {sorted(dimensions)}")
    return read, faults
