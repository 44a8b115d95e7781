"""The local engines and their peers side by side, in one run.

    python benchmarks/local.py --cache DIRECTORY [--engines duckdb chromadb ...] [--python NAME=PATH/bin/python ...]
        [--steps bulk opening sweep reads writes churn] [--json FILE] [--plots DIRECTORY] [--records 50000]
        [--rounds 3] [--growth 10000 50000 200000 1000000]
        [--growth-engines duckdb hnswlib] [--growth-reads query "where 10 %"] [--quick]
    python benchmarks/local.py --join A.json B.json [--json FILE] [--plots DIRECTORY]

Every engine runs in a process of its own, with the Python named for it (`*=PATH` names it for all but ours); those
whose packages are missing are left out and named. `requirements-peers.txt` has the packages. Rounds are interleaved;
the table has the medians of the rounds' medians, recall beside every search, and durability beside every engine;
engines with a knob are asked at equal recall, the first setting that reaches it. Each ingests by the fastest way that
its documentation shows. The libraries choose their own number of threads, for BLAS too. One query is asked before each
clock starts. What an engine does in the background goes on while single adds are timed, and is waited for after.

The records are docstrings of this machine, embedded with the default function (see `corpus.py`). `--quick` takes 2,000
of the standard library with hashed words as vectors, and asks a little of each: to see that it all works.

As the data grows (`--growth`), one engine is asked after the other. What it has not answered after `--patience` minutes
is given up, the table says so, and it is opened again for the next question; an ingest that is given up is the last.
The JSON file is written after each engine.

A long run may be taken in parts: some steps at a time, of the same engines (`--steps` with nothing behind it leaves
only the growth), each with a JSON file; `--join` puts them together. Figures are only compared inside one part: of a
row that two parts measured the later's is kept, whole.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import corpus as corpora
import numpy as np
import workload
from corpus import Corpus
from engines import ELSEWHERE, ENGINES, OURS
from report import figures, growth_table, joined, table
from rows import BULK, GOOD, GROWING, OPENING, READS, WRITES, Row, asked
from side import ENVIRONMENT, Answer, Side
from workload import Judge

STEPS = ("bulk", "opening", "sweep", "reads", "writes", "churn")


@dataclass(frozen=True)
class Run:
    sides: list[Side]
    judge: Judge
    rounds: int
    limit: int
    """Queries in a round."""
    seconds: float
    """For one measurement of a round."""
    churns: int
    first: dict[str, Sequence[Sequence[int]]] = field(default_factory=dict)
    """What the engine that was asked first found, where there is no other truth."""

    def turns(self, turn: int) -> list[Side]:
        """Who goes first changes."""
        return self.sides if turn % 2 == 0 else self.sides[::-1]

    def all(self, steps: Sequence[str]) -> None:
        """Those steps, and unasked what they stand on: a filled database, and the settings that reach a recall."""
        if steps and "bulk" not in steps and set(steps) != {"churn"}:
            for side in self.sides:
                if side.about["persistent"]:
                    self._fill(side)
        if {"reads", "writes"} & set(steps):
            steps = [*steps, "sweep"]
        for step in STEPS:
            if step in steps:
                print(step, file=sys.stderr)
                getattr(self, step)()
        for side in self.sides:
            side.stop()

    def grown(self, rows: Sequence[Row]) -> None:
        """What is told of one size, of engines that have all records."""
        self.bulk()
        late = [side for side in self.sides if "ingest" in side.missing]
        for side in late:
            side.missing |= dict.fromkeys([row.key for row in (*BULK, *OPENING, *rows)], side.missing["ingest"])
        rest = replace(self, sides=[side for side in self.sides if side not in late])
        rest.opening()
        rest.sweep()
        rest._each(rows)

    def _fill(self, side: Side) -> None:
        """What `bulk` leaves behind, unmeasured."""
        side.ask("open", place="store")
        for do in ("ingest", "singles"):
            side.ask(do)
        side.ask("settle")
        side.close()

    def bulk(self) -> None:
        """Ends with the database of the last round, closed if it is one that can be opened again."""
        for turn in range(self.rounds):
            for side in self.turns(turn):
                shutil.rmtree(side.database / "store", ignore_errors=True)
                self._ingest(side)
                is_kept = turn == self.rounds - 1 and not side.about["persistent"]
                side.is_filled = is_kept and side.process is not None
                if not side.is_filled:
                    side.close()

    def _ingest(self, side: Side) -> None:
        side.keep("open empty", side.ask("open", place="store"))
        ingested = side.ask("ingest")
        side.keep("ingest", ingested)
        if "ms" not in ingested:
            side.keep("indexed", ingested)
            return
        singles = side.ask("singles")
        self._keep_singles(side, singles)
        self._keep(side, BULK[1], side.ask("query", limit=20, seconds=1))
        settled = side.ask("settle")
        side.keep("indexed", {"ms": ingested["ms"] + settled["ms"]} if "ms" in settled else settled)

    @staticmethod
    def _keep_singles(side: Side, answer: Answer) -> None:
        for key, percent in (("add p50", 50), ("add p99", 99)):
            found = "times" in answer
            side.keep(key, {"ms": float(np.percentile(answer["times"], percent))} if found else answer)

    def opening(self) -> None:
        records = len(self.judge.vectors)
        for turn in range(self.rounds):
            for side in self.turns(turn):
                imported = _import_ms(side.python, side.about["module"])
                side.keep("import", imported)
                if not side.about["persistent"]:
                    continue
                disk = side.ask("disk", place="store")
                side.keep("disk", {"ms": disk["bytes"] / records} if "bytes" in disk else disk)
                cold = side.ask("open_and_query", place="store")
                side.keep("cold", cold)
                side.keep("start", {"ms": imported["ms"] + cold["ms"]} if "ms" in cold else cold)
                side.keep("rss", {"ms": cold["rss_mb"]} if "rss_mb" in cold else cold)
                side.close()

    def sweep(self) -> None:
        for side in self.sides:
            self._reopen(side)
            for ef in side.about["efs"] or [None]:
                if ef is not None:
                    side.ask("ef", ef=ef)
                answer = side.ask("query", limit=self.limit, seconds=self.seconds)
                if "times" in answer:
                    ms = statistics.median(answer["times"])
                    side.sweep.append({"ef": ef, "ms": ms, "recall": self.judge.recall("all", answer["found"])})
                    if side.sweep[-1]["recall"] >= 0.9995:
                        break
                if side.process is None:
                    break  # a higher setting takes longer

    def _reopen(self, side: Side) -> None:
        """With all records and everything that is loaded in the background."""
        if not side.is_filled:
            side.ask("open", place="store")
            if not side.about["persistent"]:
                for do in ("ingest", "singles"):
                    side.ask(do)
        side.ask("query", limit=self.limit, seconds=self.seconds)
        if side.name in OURS:
            side.ask("settle")

    def reads(self) -> None:
        self._each(READS)

    def writes(self) -> None:
        self._each(WRITES)
        for side in self.sides:
            side.close()

    def _each(self, rows: Sequence[Row]) -> None:
        for turn in range(self.rounds):
            for row in rows:
                for side in self.turns(turn):
                    if row.key not in side.missing:
                        if side.process is None:
                            self._reopen(side)
                        side.tune(row.reaching if row.key == "query 0.995" else GOOD)
                        self._keep(side, row, side.ask(**asked(row, self.limit, self.seconds, turn)))

    def _keep(self, side: Side, row: Row, answer: Answer) -> None:
        kept = {key: value for key, value in answer.items() if key not in ("times", "found")}
        if "times" in answer:
            kept |= {"ms": statistics.median(answer["times"]), "p99": float(np.percentile(answer["times"], 99))}
        if row.truth is not None and "found" in answer:
            kept["recall"] = self.judge.recall(row.truth, answer["found"])
        if row.alike and "found" in answer:
            kept["recall"] = self._likeness(row.key, answer["found"])
        side.keep(row.key, kept)

    def _likeness(self, key: str, found: Sequence[Sequence[int]]) -> float:
        """The share of what the first engine found that was found again."""
        first = self.first.setdefault(key, found)
        shares = [len({*one} & {*other}) / max(len({*one}), 1) for one, other in zip(first, found, strict=False)]
        return statistics.mean(shares)

    def churn(self) -> None:
        """Not of the floors: hnswlib takes milliseconds to add a label that it has deleted before."""
        for side in self.sides:
            if not side.about["stores_records"]:
                continue
            answer = side.ask("churn", rounds=self.churns, limit=self.limit, seconds=self.seconds)
            side.stop()
            if "missing" in answer:
                side.keep("churn", answer)
                continue
            before, after = (self.judge.recall("churned", answer[key]) for key in ("before", "found"))
            side.keep("churn", {"ms": answer["ms"]})
            side.keep("churned", {"ms": before - after, "recall": after})
            side.keep("grown", {"ms": answer["grown"]})


def _import_ms(python: str, module: str) -> Answer:
    code = f"import time; start = time.perf_counter(); import {module}; print((time.perf_counter() - start) * 1000)"
    command = [python, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=ENVIRONMENT)
    return {"ms": float(done.stdout.split()[-1])}


def grow(options: argparse.Namespace, pythons: dict[str, str], corpus: Corpus, place: Path) -> Iterator[Answer]:
    """Ingest, single adds, query, filtered query, opening at each size; half of the queries and one round. One engine
    after the other, so that each has the machine to itself.
    """
    for size in options.growth:
        folder, databases = place / f"growth-{size}", place / f"grown-{size}"
        judge = workload.write(folder, _grown(corpus, size + 100), size, 100, 1_000, 200)
        first: dict[str, Sequence[Sequence[int]]] = {}
        for name in options.growth_engines:
            for side in _sides([name], pythons, folder, databases):
                side.patience = options.patience
                run = Run([side], judge, rounds=1, limit=200, seconds=2, churns=0, first=first)
                rows = [row for row in READS if row.key in options.growth_reads]
                try:
                    run.grown(rows)
                    side.close()
                finally:
                    side.end()
                yield {"records": size, "engine": side.name, **_firsts(side), "missing": side.missing}
            shutil.rmtree(databases, ignore_errors=True)
        shutil.rmtree(folder)
        print(f"grown to {size:,}", file=sys.stderr)


def _grown(corpus: Corpus, count: int) -> Corpus:
    """So many records, and then 200 real ones for the queries."""
    held = len(corpus.documents) - 200
    known = corpora.scaled(corpus.part(0, held), count)
    documents = [*known.documents, *corpus.documents[held:]]
    return Corpus(np.concatenate([known.vectors, corpus.vectors[held:]]), documents, known.metadatas)


def _firsts(side: Side) -> Answer:
    return {key: answers[0] for key, answers in side.measured.items()}


def _sides(names: Sequence[str], pythons: dict[str, str], folder: Path, place: Path) -> list[Side]:
    """Those that are installed and open a database; the others are named."""
    sides = []
    for name in names:
        database = place / name
        database.mkdir(parents=True)
        default = sys.executable if name in OURS else pythons.get("*", sys.executable)
        side = Side(name, pythons.get(name, default), folder, database)
        side.about = side.ask("about")
        opened = side.ask("open", place="tried") if "missing" not in side.about else side.about
        side.close()
        if "missing" in opened:
            print(f"{name} is left out: {opened['missing']}", file=sys.stderr)
        else:
            sides.append(side)
    return sides


def machine() -> Answer:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {"cores": os.cpu_count(), "processor": model[0] if model else "", "python": platform.python_version()}


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, help="where texts and their embeddings are kept; needed unless --quick")
    usual = [name for name in ENGINES if name not in ELSEWHERE]
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=usual, metavar="NAME")
    parser.add_argument("--python", nargs="+", default=[], metavar="NAME=PATH")
    parser.add_argument("--steps", nargs="*", choices=STEPS, default=list(STEPS), metavar="STEP")
    parser.add_argument(
        "--join", nargs="+", type=Path, default=[], metavar="JSON", help="measure nothing: tell of these"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plots", type=Path)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="for one measurement of a round")
    parser.add_argument("--growth", type=int, nargs="*", default=[])
    parser.add_argument("--growth-engines", nargs="+", choices=list(ENGINES), default=["duckdb", "hnswlib"])
    parser.add_argument("--growth-reads", nargs="+", choices=[row.key for row in READS], default=GROWING, metavar="ROW")
    parser.add_argument("--patience", type=float, default=24 * 60, help="minutes for an answer, as the data grows")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(given)
    if not options.quick and not options.join and options.cache is None:
        parser.error("--cache DIRECTORY is needed")
    return options


def measure(options: argparse.Namespace, place: Path) -> Answer:
    """All figures, as they are written to JSON."""
    count, rounds = (2_000, 1) if options.quick else (options.records, options.rounds)
    queries = 50 if options.quick else 1_000
    singles = 20 if options.quick else 200
    needed = count + singles + queries
    corpus = corpora.hashed(needed) if options.quick else corpora.load(options.cache, max(needed, 53_000))
    churned = 300 if options.quick else min(10_000, count)
    judge = workload.write(place / "workload", corpus, count, singles, churned, queries)
    pythons = dict(each.split("=", 1) for each in options.python)
    sides = _sides(options.engines, pythons, place / "workload", place / "databases")
    limit, seconds = (20, 0.05) if options.quick else (500, options.seconds)
    Run(sides, judge, rounds, limit, seconds, churns=2 if options.quick else 10).all(options.steps)
    shares = {name: float(mask.mean()) for name, mask in judge.masks.items()}
    facts = machine() | {"records": count, "shares": shares, "bytes": _bytes(corpus.part(0, count))}
    grown: list[Answer] = []
    for point in grow(options, pythons, corpus, place):
        grown.append(point)
        keep(figures(sides, facts, grown), options.json)  # a run that is given up leaves what it has
    return figures(sides, facts, grown)


def keep(told: Answer, path: Path | None) -> None:
    if path is not None:
        path.write_text(json.dumps(told, indent=2) + "\n")


def _bytes(corpus: Corpus) -> dict[str, float]:
    """What a record has to hold: its vector, its document as UTF-8, its metadata as JSON without blanks."""
    texts = [len(document.encode()) for document in corpus.documents]
    metadatas = [len(json.dumps(each, separators=(",", ":"))) for each in corpus.metadatas]
    return {
        "vector": float(corpus.vectors[0].nbytes),
        "document": statistics.mean(texts),
        "metadata": statistics.mean(metadatas),
    }


def main() -> None:
    options = arguments()
    if options.join:
        told = joined([json.loads(path.read_text()) for path in options.join])
    else:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as place:
            told = measure(options, Path(place))
    print(table(told))
    print(growth_table(told))
    keep(told, options.json)
    if options.plots:
        from plots import draw

        draw(told, options.plots)


if __name__ == "__main__":
    main()
