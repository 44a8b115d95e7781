"""How fast a store is backed up, and how long its writers are kept waiting by it.

    python benchmarks/backup.py [--records 100000] [--dimension 384] [--rounds 5] [--writers 4]

The records have random vectors, a text of some 400 bytes and three metadata fields. First a backup of the store at rest
and a restore are timed, and beside them a plain copy of the files of the backup, brought to the disk. Then threads add
ten records at a time, without a break, for as long as a backup takes: in one round without, in the next with a backup,
in turns. Shown are medians over all rounds; of the writers' waits also the longest, and the time for which all of them
are kept out at the beginning of a backup.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
from chroma_plugin_duckdb import backup as inside

import chroma_plugin as chromadb
from chroma_plugin.toolkit.files import sync_tree

AT_ONCE = 10_000
TEXT = "A text of some length, which stands for what people keep beside a vector. " * 5


def fill(collection: chromadb.Collection, records: int, dimension: int) -> None:
    random = np.random.default_rng(0)
    for start in range(0, records, AT_ONCE):
        rows = range(start, min(start + AT_ONCE, records))
        collection.add(
            ids=[f"record {row}" for row in rows],
            embeddings=random.standard_normal((len(rows), dimension), dtype=np.float32),
            documents=[f"{row} {TEXT}" for row in rows],
            metadatas=[{"row": row, "kind": f"kind {row % 7}", "share": row / records} for row in rows],
        )


@contextmanager
def writing(collection: chromadb.Collection, threads: int, dimension: int) -> Iterator[list[float]]:
    """Threads that add; how many seconds each call took is found in the list when they have ended."""
    waits: list[float] = []
    stop, numbers = threading.Event(), count()
    vectors = np.random.default_rng(1).standard_normal((10, dimension), dtype=np.float32)

    def write() -> None:
        while not stop.is_set():
            number = next(numbers)
            start = time.perf_counter()
            collection.upsert(
                ids=[f"late {number} {row} {start}" for row in range(10)], embeddings=vectors, documents=[TEXT] * 10
            )
            waits.append(time.perf_counter() - start)

    running = [threading.Thread(target=write) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield waits
    finally:
        stop.set()
        for thread in running:
            thread.join()


def timed_moments() -> list[float]:
    """Milliseconds for which each backup from now on keeps all writers out."""
    took: list[float] = []
    now = inside._now

    def timed(*arguments: object) -> object:
        start = time.perf_counter()
        moment = now(*arguments)  # type: ignore[arg-type]
        took.append((time.perf_counter() - start) * 1e3)
        return moment

    inside._now = timed  # type: ignore[assignment]
    return took


def show(what: str, waits: list[float]) -> None:
    told = np.array(waits) * 1e3
    middle, most, longest = np.median(told), np.percentile(told, 99), told.max()
    print(
        f"{what:28}{len(told):>8,} adds, median {middle:6.1f}, 99 % {most:7.1f}, longest {longest:7.1f} ms", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--writers", type=int, default=4)
    chosen = parser.parse_args()
    moments = timed_moments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with chromadb.PersistentClient(folder / "store") as client:
            collection = client.create_collection("texts", embedding_function=None)
            fill(collection, chosen.records, chosen.dimension)
            collection.create_index()
            plain, copied, restored = [], [], []
            for number in range(chosen.rounds):
                start = time.perf_counter()
                report = client.backup(folder / f"backup {number}")
                copied.append(report.bytes / 1e6 / (time.perf_counter() - start))
                start = time.perf_counter()
                chromadb.restore(report.path, folder / f"restored {number}")
                restored.append(report.bytes / 1e6 / (time.perf_counter() - start))
                start = time.perf_counter()
                sync_tree(shutil.copytree(report.path, folder / f"plain {number}"))
                plain.append(report.bytes / 1e6 / (time.perf_counter() - start))
                for copy in ("backup", "restored", "plain"):
                    shutil.rmtree(folder / f"{copy} {number}")
            print(f"{report.records:,} records, {report.bytes / 1e6:,.0f} MB", flush=True)
            for what, rates in (("backup", copied), ("restore", restored), ("plain copy", plain)):
                print(f"{what} {statistics.median(rates):,.0f} MB/s")
            moments.clear()
            without, during, seconds = [], [], []
            for number in range(chosen.rounds):
                with writing(collection, chosen.writers, chosen.dimension) as waits:
                    start = time.perf_counter()
                    client.backup(folder / f"late {number}")
                    seconds.append(time.perf_counter() - start)
                during += waits
                with writing(collection, chosen.writers, chosen.dimension) as waits:
                    time.sleep(seconds[-1])
                without += waits
        show("writers alone", without)
        show("writers during a backup", during)
        print(f"kept out {statistics.median(moments):.1f} ms, at most {max(moments):.1f}; {len(moments)} moments")
        print(f"a backup meanwhile took {statistics.median(seconds):.1f} s")


if __name__ == "__main__":
    main()
