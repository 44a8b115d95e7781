"""What each guarantee costs: the same call with it and without it, one after the other in one process.

    python benchmarks/guarantees.py [--records 20000] [--rounds 9]

Ratios of medians, with : without. What can't be switched off (DuckDB's own sync of a commit) is not here; beside which
engines it is quick, `local.py` shows.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from chroma_plugin_duckdb import checkpoint, guard
from chroma_plugin_duckdb.receipt import Receipts

import chroma_plugin as chromadb
from chroma_plugin.toolkit.blocks import Blocks

DIMENSION = 384
LEFT_OPEN = """
import os, sys
import numpy as np
import chroma_plugin as chromadb
client = chromadb.PersistentClient(sys.argv[1])
collection = client.create_collection("things", embedding_function=None)
for number in range(int(sys.argv[2]) // 100):
    collection.add([f"{number}-{row}" for row in range(100)], np.random.rand(100, 384).astype(np.float32))
os.kill(os.getpid(), 9)
"""


HELD_OPEN = """
import sys
import numpy as np
import chroma_plugin as chromadb
with chromadb.PersistentClient(sys.argv[1]) as client:
    client.list_collections()[0].add("late", np.zeros(384, dtype=np.float32))
    print("open", flush=True)
    input()
"""


@dataclass(frozen=True)
class Guarantee:
    name: str
    call: Callable[[], object]
    """One use of it."""
    without: Callable[[], Any]
    """A context in which it is switched off."""
    plain: Callable[[], object] | None = None
    """Instead of ``without``: the call that does the same and doesn't guarantee it."""
    times: int = 20


def nothing(*_: object, **__: object) -> None:
    """In the place of what is switched off."""


def guarantees(place: Path, records: int) -> Iterator[Guarantee]:
    numbers = iter(range(10**9))
    vectors = np.random.default_rng(1).random((records, DIMENSION), dtype=np.float32)
    left = place / "left"
    subprocess.run([sys.executable, "-c", LEFT_OPEN, str(left), str(records)], check=False)
    client = chromadb.PersistentClient(place / "store")
    collection = client.create_collection("things", embedding_function=None)
    collection.add([f"r{row}" for row in range(records)], vectors, documents=["text"] * records)

    def add() -> None:
        collection.add(f"n{next(numbers)}", vectors[0])

    def add_in_a_transaction() -> None:
        with collection.transaction() as inside:
            inside.add(f"n{next(numbers)}", vectors[0])

    def update(count: int) -> None:
        ids = [f"r{row}" for row in range(count)]
        collection.update(ids, metadatas=[{"n": next(numbers)}] * count)

    def update_in_a_transaction(count: int) -> None:
        ids = [f"r{row}" for row in range(count)]
        with collection.transaction() as inside:
            inside.update(ids, metadatas=[{"n": next(numbers)}] * count)

    yield Guarantee(
        "a log that lost its end is noticed (one add)", add, lambda: patch.object(Receipts, "committed", nothing)
    )
    yield Guarantee(
        "all or nothing across calls (one add in a transaction)", add_in_a_transaction, ExitStack, plain=add
    )
    yield Guarantee(
        "stale reads are noticed (100 updates in a transaction)",
        lambda: update_in_a_transaction(100), ExitStack, plain=lambda: update(100),
    )  # fmt: skip
    yield Guarantee(
        "a checkpoint that is cut is undone (add 100, checkpoint)",
        lambda: (collection.upsert([f"c{row}" for row in range(100)], vectors[:100]), client.persist()),
        lambda: patch.object(checkpoint, "_copy", nothing), times=3,
    )  # fmt: skip
    yield Guarantee(
        f"the log is read before DuckDB sees it (opening after a kill, {_size(left)})",
        lambda: guard_of(left), lambda: patch.object(guard, "read_log", _trusting), times=3,
    )  # fmt: skip
    client.close()
    yield Guarantee(
        "damaged vectors are noticed (opening, 100 queries)",
        lambda: hundred_queries(place / "store", vectors), lambda: patch.object(Blocks, "look_at", nothing), times=2,
    )  # fmt: skip
    shutil.copytree(place / "store", place / "rest")
    with held_open(place / "store"):
        yield Guarantee(
            "readers follow a writer that stays open (opening for reading)",
            lambda: opened_to_read(place / "store"), ExitStack, plain=lambda: opened_to_read(place / "rest"), times=2,
        )  # fmt: skip


@contextmanager
def held_open(directory: Path) -> Iterator[None]:
    """By another process, that has just written."""
    with subprocess.Popen([sys.executable, "-c", HELD_OPEN, str(directory)], stdin=-1, stdout=-1, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        yield
        writer.communicate("\n")


def opened_to_read(directory: Path) -> None:
    with chromadb.PersistentClient(directory, read_only=True) as client:
        assert client.list_collections()[0].count()


def guard_of(directory: Path) -> None:
    """What is looked at before DuckDB opens its file."""
    path = directory / "chroma.duckdb"
    with path.open("rb") as file:
        guard.check_whole(path, file.fileno(), read_only=True)


def _trusting(log: Path, start: int) -> Any:
    from chroma_plugin_duckdb.log import Reading

    size = log.stat().st_size
    return Reading(size, size)


def _size(directory: Path) -> str:
    return f"{(directory / 'chroma.duckdb.wal').stat().st_size >> 20} MiB of log"


def hundred_queries(directory: Path, vectors: Any) -> None:
    with chromadb.PersistentClient(directory) as client:
        [collection] = client.list_collections()
        for row in range(100):
            collection.query(query_embeddings=vectors[row], n_results=10)


@contextmanager
def timed(times: list[float], repeats: int) -> Iterator[range]:
    start = time.perf_counter()
    yield range(repeats)
    times.append((time.perf_counter() - start) / repeats)


def measured(guarantee: Guarantee, rounds: int) -> tuple[float, float]:
    """Medians in seconds, with and without; the two are taken in turns."""
    kept: list[float] = []
    given_up: list[float] = []
    for _ in range(rounds):
        with timed(kept, guarantee.times) as turns:
            for _ in turns:
                guarantee.call()
        with guarantee.without(), timed(given_up, guarantee.times) as turns:
            for _ in turns:
                (guarantee.plain or guarantee.call)()
    return statistics.median(kept), statistics.median(given_up)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    print("| guarantee | with, ms | without, ms | ratio |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as place:
        for guarantee in guarantees(Path(place), given.records):
            kept, given_up = (seconds * 1_000 for seconds in measured(guarantee, given.rounds))
            print(f"| {guarantee.name} | {kept:.3f} | {given_up:.3f} | {kept / given_up:.2f} |", flush=True)


if __name__ == "__main__":
    main()
