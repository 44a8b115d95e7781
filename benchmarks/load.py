"""A process that sends requests to a server from several connections at once, and says how long each took.

`server.py` starts it and writes a `Load` as JSON to its standard input; it prints a `Timing` as JSON. It is a process
of its own so that neither server waits for the program that measures. All bodies are made before the clock starts.
"""

from __future__ import annotations

import base64
import http.client
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import orjson

DIMENSION = 384
CENTRES = 200
WORDS = (
    "oak",
    "birch",
    "ash",
    "elm",
    "basil",
    "thyme",
    "mint",
    "sage",
    "the",
    "of",
    "and",
    "in",
    "by",
    "with",
    "under",
)


@dataclass(frozen=True)
class Load:
    port: int
    path: str
    """Of the collection: ``/api/v2/tenants/.../collections/<uuid>``."""
    kind: str
    """``add``, ``query`` or ``get``."""
    rows: int
    """Records, queries or ids in one request."""
    clients: int
    requests: int
    """Of all clients together."""
    known: int = 0
    """How many records the collection has: what `get` asks for."""
    seed: int = 0


@dataclass(frozen=True)
class Timing:
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    refused: int
    """Answers other than 2xx."""


def vectors(count: int, random: np.random.Generator) -> np.ndarray:
    """Around centres that are the same for every seed, as embeddings of one model are."""
    centres = np.random.default_rng(0).standard_normal((CENTRES, DIMENSION))
    around = centres[random.integers(CENTRES, size=count)]
    return (around + 0.4 * random.standard_normal((count, DIMENSION))).astype("<f4")


def records(start: int, count: int, random: np.random.Generator) -> dict[str, object]:
    """The body of an add: ids, base64 embeddings, documents of some 200 characters and metadata of four keys."""
    numbers = range(start, start + count)
    texts = random.choice(WORDS, size=(count, 40))
    return {
        "ids": [f"id{number}" for number in numbers],
        "embeddings": [base64.b64encode(row.tobytes()).decode() for row in vectors(count, random)],
        "documents": [" ".join(words) for words in texts],
        "metadatas": [
            {"number": number, "share": number / 7, "kind": WORDS[number % 5], "even": number % 2 == 0}
            for number in numbers
        ],
    }


def bodies(load: Load) -> list[bytes]:
    random = np.random.default_rng(load.seed + 1)
    return [orjson.dumps(_body(load, number, random)) for number in range(load.requests)]


def _body(load: Load, number: int, random: np.random.Generator) -> dict[str, object]:
    if load.kind == "add":
        return records(number * load.rows, load.rows, random)
    if load.kind == "get":
        wanted = random.choice(load.known, size=load.rows, replace=False)
        return {"ids": [f"id{each}" for each in wanted.tolist()], "include": ["documents", "metadatas"]}
    queries = vectors(load.rows, random).tolist()
    return {"query_embeddings": queries, "n_results": 10, "include": ["documents", "metadatas", "distances"]}


def run(load: Load) -> Timing:
    waiting = iter(bodies(load))
    taking = threading.Lock()
    took: list[float] = []
    statuses: list[int] = []
    start = threading.Barrier(load.clients + 1)

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", load.port, timeout=120)
        connection.connect()
        start.wait()
        for body in _taken(waiting, taking):
            before = time.perf_counter()
            connection.request("POST", f"{load.path}/{load.kind}", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            took.append(time.perf_counter() - before)
            statuses.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(load.clients)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    p50, p99 = np.percentile(took, [50, 99]) * 1_000
    refused = sum(not 200 <= status < 300 for status in statuses) + load.requests - len(statuses)
    return Timing(len(took) / seconds, float(p50), float(p99), refused)


def _taken(waiting: Iterator[bytes], taking: threading.Lock) -> Iterator[bytes]:
    """The bodies that this client gets: the next one whenever it is free."""
    while True:
        with taking:
            body = next(waiting, None)
        if body is None:
            return
        yield body


if __name__ == "__main__":
    print(json.dumps(asdict(run(Load(**json.load(sys.stdin))))))
