"""A child that writes more than DuckDB keeps for its log: row groups of 122,880 rows go straight into the file.

The store holds the records of the first ids, as many as the step says that is reached.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
from faults import shim
from faults.checking import Wrong
from faults.nursery import say
from faults.shim import Fault

import chroma_plugin
from chroma_plugin.api.client import Client
from chroma_plugin.api.collection import Collection
from chroma_plugin.errors import StorageError
from chroma_plugin.toolkit import planner, upkeep

STEPS = (0, 10, 130_000, 130_010)
"""How many records there are after each; their vectors are settled, too."""
_DIMENSION = 16


def write(directory: str, fault: dict[str, int], log: str | None = None) -> None:
    """Go through the steps and close, telling what is begun and done."""
    _without_indexes()
    shim.begin(Path(directory), Fault(**fault), Path(log) if log else None)
    client = _patiently(lambda: chroma_plugin.PersistentClient(directory))
    collection = _patiently(lambda: _large(client))
    for first, last in pairwise(STEPS):
        _tell(f"begin {last}")
        _add(collection, first, last)
        _tell(f"done {last}")
    client.close()
    _tell(f"closed {shim.seen()}")
    shim.end()


def _add(collection: Collection, first: int, last: int) -> None:
    """Where that is refused, all of them are there, or none."""
    records = {"ids": _ids(first, last), "embeddings": _embeddings(first, last), "on_conflict": "ignore"}
    _patiently(lambda: collection.add(**records), lambda: _examine(collection, [first, last]))


_Made = TypeVar("_Made")


def _patiently(call: Callable[[], _Made], refused: Callable[[], object] = bool) -> _Made:
    """What is refused can be done as soon as nothing is refused any more."""
    try:
        return call()
    except StorageError:
        refused()
    say("refused")
    shim.end()
    return call()


def check(directory: str, allowed: list[int]) -> None:
    """One of the allowed numbers of records, each as it was given, and so again after one more write."""
    _without_indexes()
    with chroma_plugin.PersistentClient(directory) as client:
        collection = _large(client)
        count = _examine(collection, allowed)
        _add(collection, count, count + 1)
    with chroma_plugin.PersistentClient(directory) as client:
        _examine(_large(client), [count + 1])


def _large(client: Client) -> Collection:
    return client.get_or_create_collection("large", embedding_function=None)


def _examine(collection: Collection, allowed: list[int]) -> int:
    count = collection.count()
    if count not in allowed:
        raise Wrong(f"{count} records for {allowed}")
    got = collection.get(include=["embeddings"])
    if got["ids"] != _ids(0, count):
        raise Wrong("other ids, or in another order")
    if count and not np.array_equal(np.asarray(got["embeddings"], np.float32), _embeddings(0, count)):
        raise Wrong("other vectors")
    return count


def _ids(first: int, last: int) -> list[str]:
    return [f"id{number}" for number in range(first, last)]


def _embeddings(first: int, last: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((STEPS[-1] + 1, _DIMENSION), dtype=np.float32)[first:last]


def _without_indexes() -> None:
    """They are made anew whenever they are missing, and would take most of the time."""
    upkeep.SKETCH_FROM = planner.SKETCH_FROM = 1 << 60  # type: ignore[misc]
    upkeep.graph_from = planner.graph_from = lambda: 1 << 60  # type: ignore[assignment]


def _tell(line: str) -> None:
    say(line)
    shim.note(line)
