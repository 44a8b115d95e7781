"""What is done to a store while it is killed, cut off or refused: operations of a seed, and a child that does them.

The same seed gives the same operations in the child, which performs them through the public API, and in whoever
checks, who applies them to a plain model (`model`).
"""

from __future__ import annotations

import logging
import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chroma_plugin_duckdb.backend
import chroma_plugin_duckdb.file
import numpy as np
from faults import planted, shim
from faults.nursery import say
from faults.shim import Fault

import chroma_plugin
from chroma_plugin.toolkit import planner, settling, text_file, upkeep, vector_file

DIMENSION = 16
SPACES = {"first": "l2", "second": "cosine", "third": "ip"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One call."""

    kind: str
    collection: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


def operations(seed: int, length: int) -> list[Operation]:
    """The first ones create a collection and fill it; then anything may come."""
    return list(_Maker(seed).some(length))


class _Maker:
    """Keeps track of which ids there may be, so that most calls meet some."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._vectors = np.random.default_rng(seed)
        self._ids: dict[str, list[str]] = {}
        self._made = 0

    def some(self, length: int) -> Iterator[Operation]:
        yield self._create_collection("first")
        yield self._add("first", 40)
        for _ in range(length - 2):
            yield self._any()

    def _any(self) -> Operation:
        kinds = {
            "create_collection": 2,
            "add": 6,
            "upsert": 5,
            "update": 4,
            "update_vectors": 3,
            "delete": 4,
            "delete_where": 2,
            "transaction": 3,
            "modify": 2,
            "delete_collection": 1,
            "compact": 2,
            "create_index": 3,
            "persist": 2,
            "reopen": 4,
        }
        kind = self._random.choices(list(kinds), list(kinds.values()))[0]
        absent = [name for name in SPACES if name not in self._ids]
        if (kind == "create_collection" and not absent) or (kind == "delete_collection" and len(absent) == 2):
            kind = "add"
        if kind in ("compact", "persist", "reopen"):
            return Operation(kind)
        if kind == "transaction":
            return self._transaction()
        name = self._random.choice(absent if kind == "create_collection" else list(self._ids))
        if kind in ("update", "update_vectors", "delete") and not self._ids[name]:
            kind = "add"
        made: Operation = getattr(self, f"_{kind}")(name)
        return made

    def _create_collection(self, name: str) -> Operation:
        self._ids[name] = []
        return Operation("create_collection", name, {"metadata": {"made": self._number()}})

    def _delete_collection(self, name: str) -> Operation:
        del self._ids[name]
        return Operation("delete_collection", name)

    def _modify(self, name: str) -> Operation:
        return Operation("modify", name, {"metadata": {"changed": self._number()}})

    def _create_index(self, name: str) -> Operation:
        return Operation("create_index", name)

    def _add(self, name: str, count: int = 0) -> Operation:
        ids = [f"{name}-{self._number()}" for _ in range(count or self._random.choice([1, 3, 9, 30]))]
        ids += self._known(name, 1)  # stays as it is
        self._ids[name] += ids[:-1] if len(ids) > 1 and ids[-1] in self._ids[name] else ids
        return Operation("add", name, {**self._records(ids), "on_conflict": "ignore"})

    def _upsert(self, name: str) -> Operation:
        fresh = [f"{name}-{self._number()}" for _ in range(self._random.choice([0, 2, 10]))]
        ids = self._known(name, self._random.choice([1, 5])) + fresh
        self._ids[name] += fresh
        return Operation("upsert", name, self._records(ids)) if ids else self._add(name)

    def _update(self, name: str) -> Operation:
        ids = self._known(name, self._random.choice([1, 8]))
        changed = self._records(ids)
        del changed["embeddings"]
        return Operation("update", name, changed)

    def _update_vectors(self, name: str) -> Operation:
        ids = self._known(name, self._random.choice([1, 8]))
        return Operation("update", name, {"ids": ids, "embeddings": self._embeddings(len(ids))})

    def _delete(self, name: str) -> Operation:
        ids = self._known(name, self._random.choice([1, 6, 12]))
        self._ids[name] = [id for id in self._ids[name] if id not in ids]
        return Operation("delete", name, {"ids": ids})

    def _delete_where(self, name: str) -> Operation:
        return Operation("delete", name, {"where": {"seventh": self._random.randrange(7)}})

    def _transaction(self) -> Operation:
        """A few writes, to any of the collections."""
        ways = (self._add, self._upsert, self._delete, self._add)
        steps = [way(self._random.choice(list(self._ids))) for way in ways[: self._random.choice([2, 4])] if self._ids]
        return Operation("transaction", arguments={"steps": steps})

    def _number(self) -> int:
        self._made += 1
        return self._made

    def _known(self, name: str, most: int) -> list[str]:
        known = self._ids[name]
        return self._random.sample(known, min(most, len(known)))

    def _embeddings(self, count: int) -> list[list[float]]:
        drawn: list[list[float]] = self._vectors.standard_normal((count, DIMENSION)).astype(np.float32).tolist()
        return drawn

    def _records(self, ids: Sequence[str]) -> dict[str, Any]:
        numbers = [self._number() for _ in ids]
        return {
            "ids": list(ids),
            "embeddings": self._embeddings(len(ids)),
            "documents": [f"word{number} ä\n{'x' * (number % 97)} common" for number in numbers],
            "metadatas": [{"number": number, "seventh": number % 7, "text": f"'{number}\0"} for number in numbers],
        }


# -- the child -------------------------------------------------------------------------------------------------------


def eager(seed: int) -> None:
    """Have small collections do all that large ones do, at once. Odd seeds: vectors gather before they are settled, and
    the log is moved into the file because it is long. The write that makes eight vectors gather settles them.
    """
    settling.SETTLE_FROM = 4096 if seed % 2 else 1  # type: ignore[misc]
    settling.STRAIGHT_FROM = 8 * DIMENSION * 4  # type: ignore[misc]
    chroma_plugin_duckdb.file._LONGEST_LOG = 4096 if seed % 2 else 1 << 30  # type: ignore[misc]
    vector_file._BLOCK_BYTES = 1024  # type: ignore[misc]
    text_file._BLOCK = 1024  # type: ignore[misc]
    upkeep._QUIET = 0.0  # type: ignore[misc]
    upkeep._DEAD_FROM = 20  # type: ignore[misc]
    for module in (planner, upkeep):
        module.SKETCH_FROM, module.SKETCH_TAIL, module.TAIL_FROM = 32, 8, 16  # type: ignore[misc]
        module.graph_from = lambda: 48  # type: ignore[assignment]
    chroma_plugin_duckdb.backend._WORTH_COMPACTING = 1  # type: ignore[misc]


class Worker:
    """A client that is closed and opened again as operations ask for it."""

    def __init__(self, directory: Path, *, calm: bool) -> None:
        self.directory, self._calm = directory, calm
        self.client = chroma_plugin.PersistentClient(directory)

    def perform(self, operation: Operation) -> None:
        """``calm``: work in the background ends before the next operation, so that a run can be repeated."""
        if operation.kind == "reopen":
            self.client.close()
            self.client = chroma_plugin.PersistentClient(self.directory)
            for collection in self.client.list_collections():
                collection.count()  # which loads it
        elif operation.kind in ("compact", "persist"):
            getattr(self.client, operation.kind)()
        elif operation.kind == "create_collection":
            configuration = {"hnsw": {"space": SPACES[operation.collection]}}
            self.client.create_collection(
                operation.collection, configuration=configuration, embedding_function=None, **operation.arguments
            ).count()
        elif operation.kind == "delete_collection":
            self.client.delete_collection(operation.collection)
        elif operation.kind == "transaction":
            with self.client.transaction() as t:
                for step in operation.arguments["steps"]:
                    inside = t.collection(self.client.get_collection(step.collection, embedding_function=None))
                    getattr(inside, step.kind)(**step.arguments)
        else:
            collection = self.client.get_collection(operation.collection, embedding_function=None)
            getattr(collection, operation.kind)(**operation.arguments)
        if self._calm:
            self.settle_down()

    def settle_down(self) -> None:
        """Wait for what is done in the background."""
        self.client._connection.session.backend._background.wait()  # type: ignore[attr-defined]


def work(
    directory: str,
    seed: int,
    length: int,
    fault: dict[str, int],
    calm: bool = True,
    log: str | None = None,
    plant: str | None = None,
    seconds: float = 0.0,
) -> None:
    """Open, do everything, close; says what is begun, what is done, and how many changes were made by then. After some
    ``seconds`` it ends as by SIGKILL.
    """
    prepare(seed, plant)
    signal.setitimer(signal.ITIMER_REAL, seconds)  # nobody handles SIGALRM
    shim.begin(Path(directory), Fault(**fault), Path(log) if log else None)
    perform_all(Worker(Path(directory), calm=calm), operations(seed, length))


def perform_all(worker: Worker, made: Sequence[Operation], first: int = 0) -> None:
    """From the one with that number on, telling what is begun and done; then close."""
    for number, operation in enumerate(made[first:], first):
        _tell(f"begin {number}")
        worker.perform(operation)
        _tell(f"done {number} {shim.seen()}")
    worker.client.close()
    _tell(f"closed {shim.seen()}")
    shim.end()


def reopen(directory: str, seed: int, fault: dict[str, int]) -> None:
    """Open, look, close: what a store does to its files by itself."""
    prepare(seed)
    shim.begin(Path(directory), Fault(**fault))
    with chroma_plugin.PersistentClient(Path(directory)) as client:
        for collection in client.list_collections():
            collection.count()
        client._connection.session.backend._background.wait()
    say(f"closed {shim.seen()}")


def prepare(seed: int, plant: str | None = None) -> None:
    """This process for small collections; with a fault in the product, where one is to be found."""
    logging.getLogger("chroma_plugin").setLevel(logging.ERROR)
    eager(seed)
    if plant is not None:
        planted.plant(plant)


def _tell(line: str) -> None:
    say(line)
    shim.note(line)
