"""Text search kept current, beside the library bm25s built anew for every change.

    python benchmarks/text.py [--counts 10000 50000] [--queries 200] [--rounds 3]

The documents are real: docstrings of the standard library and of the packages of this environment, whole. The queries
are three neighbouring words of them. `search_text` runs on a collection in memory through the public API and returns
ids and scores; bm25s gets words that are split already, which favours it, and returns positions and scores. `where`
leaves a tenth of the records: for bm25s it is a mask made beforehand. Shown are medians of all rounds, and how many
times longer bm25s takes. About five minutes.
"""

from __future__ import annotations

import argparse
import ast
import random
import statistics
import sysconfig
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import bm25s
import numpy as np

import chroma_plugin
from chroma_plugin import Collection
from chroma_plugin.ranking import words_of

RESULTS = 10
TENTH = {"tenth": 3}


@dataclass
class Table:
    """Milliseconds by what was done and by whom."""

    rows: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def measure(self, row: str, who: str, action: Callable[[], object]) -> None:
        start = time.perf_counter()
        action()
        self.rows.setdefault(row, {}).setdefault(who, []).append(1_000 * (time.perf_counter() - start))

    def print(self) -> None:
        print(f"{'':34}{'search_text':>14}{'bm25s':>14}{'ratio':>10}")
        for row, times in self.rows.items():
            ours, theirs = (statistics.median(times[who]) for who in ("ours", "theirs"))
            print(f"{row:34}{ours:>11.2f} ms{theirs:>11.2f} ms{theirs / ours:>9.1f}x")


class Library:
    """bm25s over words that are split already."""

    def __init__(self, documents: list[str]) -> None:
        self._words = [words_of(document) for document in documents]

    def build(self) -> None:
        self._index = bm25s.BM25(method="lucene")
        self._index.index(self._words, show_progress=False)
        self._tenth = (np.arange(len(self._words)) % 10 == TENTH["tenth"]).astype(np.float32)

    def query(self, text: str) -> None:
        self._index.retrieve([words_of(text)], k=RESULTS, show_progress=False)

    def query_where(self, text: str) -> None:
        self._index.retrieve([words_of(text)], k=RESULTS, show_progress=False, weight_mask=self._tenth)

    def add_and_query(self, documents: list[str], text: str) -> None:
        self._words += [words_of(document) for document in documents]
        self.build()
        self.query(text)

    def delete_tenth_and_query(self, text: str) -> None:
        del self._words[::10]
        self.build()
        self.query(text)


def docstrings(count: int) -> list[str]:
    """So many docstrings, as many times over as it takes."""
    found: list[str] = []
    for path in (sysconfig.get_paths()[name] for name in ("stdlib", "purelib")):
        for file in sorted(Path(path).rglob("*.py")):
            found += docstrings_of(file)
            if len(found) >= count:
                return found[:count]
    raise SystemExit(f"This environment has only {len(found)} docstrings: install more packages, or lower --counts.")


def docstrings_of(file: Path) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text and len(text) >= 30:
                yield text.encode("utf-8", "replace").decode()


def add(collection: Collection, documents: list[str]) -> None:
    start = collection.count()
    numbers = range(start, start + len(documents))
    collection.add(
        ids=[str(number) for number in numbers],
        embeddings=np.ones((len(documents), 2), dtype=np.float32),
        documents=documents,
        metadatas=[{"tenth": number % 10} for number in numbers],
    )


def run(count: int, queries: int, rounds: int) -> None:
    documents = docstrings(count + 2_000 * rounds)
    spare = documents[count:]
    random.seed(0)
    texts = [asked(random.choice(documents)) for _ in range(queries)]
    table = Table()
    for _ in range(rounds):
        one_round(table, documents[:count], spare, texts)
    words = sum(len(words_of(document)) for document in documents[:count])
    print(f"\n{count:,} documents of {words / count:.0f} words on average, {queries} queries, {rounds} rounds")
    table.print()


def asked(document: str) -> str:
    words = words_of(document)
    start = random.randrange(max(1, len(words) - 2))
    return " ".join(words[start : start + 3])


def one_round(table: Table, documents: list[str], spare: list[str], texts: list[str]) -> None:
    with chroma_plugin.Client() as client:
        collection = client.create_collection("docstrings", embedding_function=None)
        add(collection, documents)
        library = Library(documents)

        def search(text: str, where: dict[str, int] | None = None) -> None:
            collection.search_text(text, n_results=RESULTS, where=where, include=["scores"])

        before = memory(collection)
        table.measure("build", "ours", lambda: search(texts[0]))
        table.measure("build", "theirs", library.build)
        print(f"memory of the index: {(memory(collection) - before) / 1e6:.1f} MB")
        search(texts[0], TENTH)  # the column of the filter is made once
        for text in texts:
            table.measure("query", "ours", lambda text=text: search(text))
            table.measure("query", "theirs", lambda text=text: library.query(text))
            table.measure("query with where", "ours", lambda text=text: search(text, TENTH))
            table.measure("query with where", "theirs", lambda text=text: library.query_where(text))
        for size in (1, 1_000):
            new, spare = spare[:size], spare[size:]
            add(collection, new)
            table.measure(f"query after adding {size:,}", "ours", lambda: search(texts[0]))
            table.measure(
                f"query after adding {size:,}", "theirs", lambda new=new: library.add_and_query(new, texts[0])
            )
        doomed = [str(number) for number in range(0, len(documents), 10)]
        collection.delete(ids=doomed)
        table.measure("query after deleting a tenth", "ours", lambda: search(texts[0]))
        table.measure("query after deleting a tenth", "theirs", lambda: library.delete_tenth_and_query(texts[0]))


def memory(collection: Collection) -> int:
    used: int = collection.info()["store"]["memory_bytes"]
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for count in options.counts:
        run(count, options.queries, options.rounds)


if __name__ == "__main__":
    main()
