"""One engine in a process of its own: `python engine_process.py ENGINE FOLDER DATABASE`.

Each line of its input asks for one measurement as JSON, ``{"do": name, ...}``, and is answered with a line of JSON:
milliseconds, what was found, or why there is nothing to tell. The folder is the workload's.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines import engine_class
from engines.protocol import Engine
from workload import Folder, K

Answer = dict[str, Any]
MANY = 1_000
"""Records of a write."""
ENDLESS = 10_000
"""Milliseconds of a query that is asked no second time."""


class Process:
    def __init__(self, name: str, folder: Path, database: Path) -> None:
        self.kind = engine_class(name)
        importlib.import_module(self.kind.module)
        self.folder = Folder(folder)
        self.database = database
        self.engine: Engine

    def about(self) -> Answer:
        kind = self.kind
        return {
            "version": kind.version(),
            "module": kind.module,
            "durability": kind.durability,
            "durable": kind.durable,
            "persistent": kind.persistent,
            "efs": kind.efs,
            "stores_records": kind.stores_records,
        }

    # -- the life of a database ------------------------------------------------------------------------------------

    def open(self, place: str) -> Answer:
        self.engine = self.kind(self.database / place, self.folder.queries.shape[1])
        return {"ms": _ms(self.engine.open)}

    def open_and_query(self, place: str) -> Answer:
        query = self.folder.queries[0]
        self.engine = self.kind(self.database / place, len(query))
        opening = _ms(self.engine.open)
        first = _ms(lambda: self.engine.query(query, K))
        for each in self.folder.queries[:100]:
            self.engine.query(each, K)
        return {"ms": opening + first, "open_ms": opening, "first_ms": first, "rss_mb": _rss_mb()}

    def close(self) -> Answer:
        return {"ms": _ms(self.engine.close)}

    def ingest(self) -> Answer:
        records = self.folder.records(range(self.folder.plan["count"]))
        return {"ms": _ms(lambda: self.engine.ingest(records))}

    def singles(self) -> Answer:
        """One by one, at once after the bulk: whatever the engine does in the background is going on."""
        start = self.folder.plan["count"]
        each = [self.folder.records([number]) for number in range(start, start + self.folder.plan["singles"])]
        return {"times": [_ms(lambda record=record: self.engine.add_one(record)) for record in each]}

    def settle(self) -> Answer:
        return {"ms": _ms(self.engine.settle)}

    def disk(self, place: str) -> Answer:
        files = [path for path in (self.database / place).rglob("*") if path.is_file()]
        return {"bytes": sum(path.stat().st_blocks * 512 for path in files)}

    # -- searches ----------------------------------------------------------------------------------------------------

    def ef(self, ef: int) -> Answer:
        self.engine.set_ef(ef)
        return {}

    def query(self, limit: int, seconds: float) -> Answer:
        return self._each_query(self.engine.query, limit, seconds)

    def query_exact(self, limit: int, seconds: float) -> Answer:
        return self._each_query(self.engine.query_exact, limit, seconds)

    def query_where(self, filter: str, limit: int, seconds: float) -> Answer:
        where = self.folder.plan["filters"][filter]
        return self._each_query(lambda query, k: self.engine.query_where(query, k, where), limit, seconds)

    def query_contains(self, word: str, filter: str | None, limit: int, seconds: float) -> Answer:
        plan = self.folder.plan
        text, where = plan["words"][word], plan["filters"].get(filter)
        return self._each_query(lambda query, k: self.engine.query_contains(query, k, text, where), limit, seconds)

    def hybrid(self, limit: int, seconds: float) -> Answer:
        questions = dict(zip(map(bytes, self.folder.queries), self.folder.plan["questions"], strict=True))
        return self._each_query(
            lambda query, k: self.engine.query_hybrid(query, questions[bytes(query)], k), limit, seconds
        )

    def _each_query(self, search: Callable[[Any, int], list[int]], limit: int, seconds: float) -> Answer:
        """As many queries as fit into the seconds, but a few at least; one before the clock starts. If that one is
        endless, it is the measurement.
        """
        times: list[float] = []
        found: list[list[int]] = []

        def ask(query: Any) -> float:
            return _ms(lambda: found.append(search(query, K)))

        first = ask(self.folder.queries[0])
        if first > ENDLESS:
            return {"times": [first], "found": found}
        found.clear()
        for query in self.folder.queries[:limit]:
            times.append(ask(query))
            if sum(times) > 1_000 * seconds and len(times) >= 5:
                break
        return {"times": times, "found": found}

    def query_many(self, seconds: float) -> Answer:
        """All queries in one call, again while there is time; a part of them where a few already take that long."""
        queries = self.folder.queries
        once = _ms(lambda: self.engine.query_many(queries[:10], K)) / 10
        asked = queries if once * len(queries) < 5_000 * seconds else queries[:50]
        found: list[list[int]] = []
        took: list[float] = []
        while sum(took) <= 1_000 * seconds and len(took) < 20:
            found.clear()
            took.append(_ms(lambda: found.extend(self.engine.query_many(asked, K))))
        return {"ms": statistics.median(took) / len(asked), "found": found}

    def threads(self, count: int, seconds: float) -> Answer:
        """Milliseconds from one answer to the next when so many threads ask."""
        until = time.perf_counter() + seconds
        done = [0] * count

        def ask(thread: int) -> None:
            turn = thread
            while time.perf_counter() < until:
                self.engine.query(self.folder.queries[turn % len(self.folder.queries)], K)
                done[thread] += 1
                turn += count

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]

        def all_of_them() -> None:
            for each in threads:
                each.start()
            for each in threads:
                each.join()

        took = _ms(all_of_them)
        return {"ms": took / max(sum(done), 1)}

    # -- reads ---------------------------------------------------------------------------------------------------------

    def get(self, count: int, seconds: float) -> Answer:
        chosen = random.Random(count)
        ids = [[str(chosen.randrange(self.folder.plan["count"])) for _ in range(count)] for _ in range(200)]
        distinct = [list(dict.fromkeys(each)) for each in ids]
        return _repeated(lambda turn: _expect(self.engine.get(distinct[turn]), len(distinct[turn])), 200, seconds)

    def get_where(self, filter: str, count: int, seconds: float) -> Answer:
        where = self.folder.plan["filters"][filter]
        return _repeated(lambda _: _expect(self.engine.get_where(where, count), count), 50, seconds)

    def count_where(self, filter: str, seconds: float) -> Answer:
        where = self.folder.plan["filters"][filter]
        return _repeated(lambda _: self.engine.count_where(where), 50, seconds)

    def contains(self, word: str, filter: str | None, seconds: float) -> Answer:
        plan = self.folder.plan
        text, where = plan["words"][word], plan["filters"].get(filter)
        return _repeated(lambda _: self.engine.contains(text, where), 20, seconds)

    def regex(self, pattern: str, filter: str | None, seconds: float) -> Answer:
        plan = self.folder.plan
        expression, where = plan["patterns"][pattern], plan["filters"].get(filter)
        return _repeated(lambda _: self.engine.regex(expression, where), 20, seconds)

    # -- writes --------------------------------------------------------------------------------------------------------

    def update_metadata(self, turn: int) -> Answer:
        ids = [str(number) for number in self._part(turn)]
        changes = [{"line": turn, "kind": "changed"} for _ in ids]
        return {"ms": _ms(lambda: self.engine.update_metadata(ids, changes))}

    def update_vectors(self, turn: int) -> Answer:
        part = self._part(turn)
        records = self.folder.records(part, part[::-1])
        return {"ms": _ms(lambda: self.engine.update_vectors(records))}

    def upsert(self, turn: int) -> Answer:
        """Half of them are new."""
        part = self._part(turn)
        beyond = len(self.folder.vectors) + turn * MANY
        numbers = [number if at % 2 else beyond + at for at, number in enumerate(part)]
        records = self.folder.records(numbers, part)
        return {"ms": _ms(lambda: self.engine.upsert(records))}

    def delete(self, turn: int) -> Answer:
        ids = [str(number) for number in self._part(turn)]
        return {"ms": _ms(lambda: self.engine.delete(ids))}

    def _part(self, turn: int) -> list[int]:
        count = self.folder.plan["count"]
        size = min(MANY, count // 10)
        start = turn * size % (count - size)
        return list(range(start, start + size))

    def churn(self, rounds: int, limit: int, seconds: float) -> Answer:
        """Half of the records deleted and added again, so many times, in a database of its own."""
        numbers = list(range(self.folder.plan["churned"]))
        chosen = random.Random(0)
        self.open("churned")
        self.engine.ingest(self.folder.records(numbers))
        self.engine.settle()
        before = self.query(limit, seconds)["found"]
        size = self._reopened()
        start = time.perf_counter()
        for _ in range(rounds):
            part = chosen.sample(numbers, len(numbers) // 2)
            self.engine.delete([str(number) for number in part])
            self.engine.ingest(self.folder.records(part))
        took = time.perf_counter() - start
        self.engine.settle()
        self.engine.compact()
        after = self.query(limit, seconds)
        grown = self._reopened() / max(size, 1)
        self.engine.close()
        return {"ms": took * 1_000 / rounds, "before": before, "found": after["found"], "grown": grown}

    def _reopened(self) -> int:
        """Bytes on disk when it is closed; 0 of what can't be closed."""
        if not self.kind.persistent:
            return 0
        self.engine.close()
        size: int = self.disk("churned")["bytes"]
        self.open("churned")
        return size


def _repeated(work: Callable[[int], Any], times: int, seconds: float) -> Answer:
    returned = work(0)
    took: list[float] = []
    for turn in range(times):
        took.append(_ms(lambda turn=turn: work(turn)))
        if sum(took) > 1_000 * seconds and len(took) >= 3:
            break
    return {"times": took, "count": returned}


def _expect(got: int, wanted: int) -> int:
    if got > wanted or got == 0:
        raise RuntimeError(f"{got} records came where {wanted} were asked for")
    return got


def _ms(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1_000


def _rss_mb() -> float:
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    process: Process | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            process = process or Process(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
            answer = getattr(process, asked.pop("do"))(**asked)
        except NotImplementedError:
            answer = {"missing": "the engine has no such call"}
        except Exception as error:  # of an engine, and part of the comparison
            answer = {"missing": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
