"""What a call costs above the engine: checking arguments, locks, and making results.

    python benchmarks/overhead.py [--records 50000] [--rounds 7] [--json FILE]

A collection in memory. The store's own methods are timed from inside the call, and taken off the call's time. Kinds of
calls are interleaved; the table has medians of the rounds' medians, in microseconds: all of the call, and the part
above the store, for each record or query as well where a call has many.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import chroma_plugin

DIMENSION = 384
TIMED = ("search", "scan", "count", "insert", "put")


class Watch:
    """How long a store's methods took since it was set to zero."""

    def __init__(self, store: Any) -> None:
        self.seconds = 0.0
        for name in TIMED:
            setattr(store, name, self._timed(getattr(store, name), reads=name == "scan"))

    def _timed(self, method: Callable[..., Any], *, reads: bool) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            start = time.perf_counter()
            # A scan does its work while it is read.
            answer = iter(list(method(*given))) if reads else method(*given)
            self.seconds += time.perf_counter() - start
            return answer

        return timed


@dataclass(frozen=True)
class Call:
    name: str
    work: Callable[[], Any]
    times: int
    """In a round."""
    items: int = 1
    """Records or queries that it has to do with."""


def calls(collection: Any, data: np.ndarray, records: int) -> list[Call]:
    """The kinds of calls. Queries take a row of an array as it is."""
    query, numbers = data[0].copy(), iter(range(10**9))
    hundred, thousand = [str(n) for n in range(100)], data[:1000].copy()
    return [
        Call("query, numpy row", lambda: collection.query(query_embeddings=query, n_results=10), 100),
        Call("query, list of floats", _asking(collection, query.tolist()), 100),
        Call("query, 1,000 at once", lambda: collection.query(query_embeddings=thousand, n_results=10), 1, 1000),
        Call("get 1 id", lambda: collection.get(ids=["7"]), 300),
        Call("get 100 ids", lambda: collection.get(ids=hundred), 100, 100),
        Call("get where, limit 100", lambda: collection.get(where={"bucket": {"$lt": 100}}, limit=100), 50, 100),
        Call("get all", collection.get, 2, records),
        Call("get 2,000 with embeddings", lambda: collection.get(limit=2000, include=["embeddings"]), 10, 2000),
        Call("count", collection.count, 300),
        Call("count where", lambda: collection.count(where={"bucket": {"$lt": 100}}), 100),
        Call("add 1", lambda: _add(collection, data[:1], next(numbers)), 50),
    ]


def bulk(client: Any, data: np.ndarray) -> Iterator[Call]:
    """Whole collections, added in one call: the array, and the same as lists."""
    columns = _columns(range(len(data)))
    for name, embeddings in (("array", data), ("lists", data[:5_000].tolist())):
        count = len(embeddings)
        given = {key: column[:count] for key, column in columns.items()}
        collection = client.create_collection(f"bulk {name}".replace(" ", "-"), embedding_function=None)
        watch = _watch(collection)
        start = time.perf_counter()
        collection.add(embeddings=embeddings, **given)
        taken = time.perf_counter() - start
        yield Call(f"add {count:,}, {name}", lambda taken=taken, inside=watch.seconds: (taken, inside), 1, count)
        client.delete_collection(collection.name)


def _asking(collection: Any, query: list[float]) -> Callable[[], Any]:
    return lambda: collection.query(query_embeddings=query, n_results=10)


def _add(collection: Any, vectors: np.ndarray, number: int) -> None:
    columns = _columns(range(number, number + 1))
    collection.add(ids=f"new{number}", embeddings=vectors, **{k: v for k, v in columns.items() if k != "ids"})


def _columns(numbers: range) -> dict[str, list[Any]]:
    return {
        "ids": [str(number) for number in numbers],
        "documents": [f"Record {number} is about {number % 97} and {number % 13}. " * 8 for number in numbers],
        "metadatas": [
            {"bucket": n % 1000, "kind": "even" if n % 2 else "odd", "share": n / 7, "public": n % 3 == 0, "line": n}
            for n in numbers
        ],
    }


def _watch(collection: Any) -> Watch:
    with collection._handle.reading() as store:
        return Watch(store)


def measure(records: int, rounds: int) -> list[dict[str, Any]]:
    data = np.random.default_rng(0).standard_normal((records, DIMENSION), dtype=np.float32)
    client = chroma_plugin.EphemeralClient()
    collection = client.get_or_create_collection("overhead", embedding_function=None)
    watch = _watch(collection)
    collection.add(embeddings=data, **_columns(range(records)))
    collection.create_index()
    kinds = calls(collection, data, records)
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for call in kinds:
            found.setdefault(call.name, []).append(_median(call, watch))
    for _ in range(min(rounds, 5)):
        for call in bulk(client, data):
            taken, inside = call.work()
            found.setdefault(call.name, []).append((taken, taken - inside))
            kinds = [*kinds, call]
    items = {call.name: call.items for call in kinds}
    client.close()
    return [_line(name, items[name], each) for name, each in found.items()]


def _median(call: Call, watch: Watch) -> tuple[float, float]:
    call.work()
    whole, above = [], []
    for _ in range(call.times):
        watch.seconds = 0.0
        start = time.perf_counter()
        call.work()
        whole.append(time.perf_counter() - start)
        above.append(whole[-1] - watch.seconds)
    return statistics.median(whole), statistics.median(above)


def _line(name: str, items: int, rounds: list[tuple[float, float]]) -> dict[str, Any]:
    whole, above = (1e6 * statistics.median(column) for column in zip(*rounds, strict=True))
    return {"call": name, "whole_us": whole, "above_us": above, "each_us": above / items}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    lines = measure(options.records, options.rounds)
    print("| call | all of it, us | above the store, us | above, us for each |\n|---|---|---|---|")
    for line in lines:
        print(f"| {line['call']} | {line['whole_us']:,.1f} | {line['above_us']:,.1f} | {line['each_us']:.2f} |")
    if options.json:
        options.json.write_text(json.dumps(lines, indent=2) + "\n")


if __name__ == "__main__":
    main()
