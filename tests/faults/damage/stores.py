"""Three states of one store, with every kind of file, and the truth of each.

``older`` was closed; ``closed`` is the same after more writes, closed too; ``killed`` after still more, by a process
that ended without closing it. Run as a program it makes them, each in a directory of that name, with ``<name>.json``
beside.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

import chroma_plugin as chromadb

Truth = dict[str, dict[str, list[Any]]]
"""By name of the collection and id: vector, document, metadata."""
DIMENSION = 16


def small() -> None:
    """Have in small collections what large ones have: settled vectors, sketches, graphs and plans that use them."""
    from chroma_plugin.toolkit import planner, settling, upkeep

    settling.SETTLE_FROM = 4_000  # type: ignore[misc]
    upkeep.SKETCH_FROM, upkeep.SKETCH_TAIL = 200, 100  # type: ignore[misc]
    upkeep.TAIL_FROM, upkeep.graph_from = 100, lambda: 200  # type: ignore[misc]
    planner._GRAPH_HOP = 1e-3  # type: ignore[misc]


class Writer:
    """Writes to a store, and to its truth."""

    def __init__(self, place: Path, truth: Truth) -> None:
        self._client = chromadb.PersistentClient(place)
        self._truth = truth
        self._random = np.random.default_rng(sum(map(len, truth.values())))

    def put(self, name: str, first: int, count: int) -> None:
        """Records with those numbers, new or instead of others."""
        vectors = self._random.standard_normal((count, DIMENSION)).astype(np.float32)
        ids = [f"{name}-{number}" for number in range(first, first + count)]
        documents = [f"word{number % 7} of {name} number{number} {'more ' * (number % 11)}" for number in range(count)]
        metadatas: list[Any] = [{"number": number, "even": number % 2 == 0} for number in range(count)]
        collection = self._client.get_or_create_collection(name, embedding_function=None)
        collection.upsert(ids=ids, embeddings=vectors, documents=documents, metadatas=metadatas)
        kept = self._truth.setdefault(name, {})
        kept |= dict(zip(ids, map(list, zip(vectors.tolist(), documents, metadatas, strict=True)), strict=True))

    def rename(self, name: str, number: int) -> None:
        """Another document for one record."""
        id = f"{name}-{number}"
        self._client.get_collection(name, embedding_function=None).update(ids=[id], documents=["renamed word9"])
        self._truth[name][id][1] = "renamed word9"

    def delete(self, name: str, number: int) -> None:
        self._client.get_collection(name, embedding_function=None).delete(ids=[f"{name}-{number}"])
        del self._truth[name][f"{name}-{number}"]

    def index(self, name: str) -> None:
        self._client.get_collection(name, embedding_function=None).create_index()

    def close(self) -> None:
        self._client.close()


def make(place: Path) -> None:
    small()
    truth: Truth = {}
    work = place / "work"
    writer = Writer(work, truth)
    for name in ("big", "twin"):
        writer.put(name, 0, 400)
        writer.index(name)
    writer.put("few", 0, 20)
    writer.close()
    _keep(place, "older", truth)
    writer = Writer(work, truth)
    for name in ("big", "twin"):
        writer.put(name, 390, 130)
        writer.delete(name, 5)
        writer.index(name)
    writer.put("few", 10, 15)
    writer.close()
    _keep(place, "closed", truth)
    writer = Writer(work, truth)
    writer.put("big", 515, 20)
    writer.put("few", 30, 3)
    writer.rename("big", 7)
    writer.delete("twin", 9)
    writer.put("late", 0, 6)
    writer.put("few", 40, 2)
    _keep(place, "killed", truth)
    os._exit(0)


def _keep(place: Path, name: str, truth: Truth) -> None:
    shutil.copytree(place / "work", place / name)
    (place / f"{name}.json").write_text(json.dumps(truth))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
