"""How many records a second go from one engine to another, written and read back.

    python benchmarks/copying.py --cache DIRECTORY [--records 50000] [--rounds 3] [--chromadb PYTHON]

The records are those of corpus.py: 384 dimensions, a text, six metadata fields. For each way: `client.copy_to` into an
empty database, which includes verification by count and checksum; then a second run, which finds everything there.
`--chromadb` names an interpreter that has chromadb: with it, a directory is written by chromadb first and copied. The
time to write, before and beside, is not measured. Shown are medians of all rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
from corpus import Corpus, load

import chroma_plugin as chromadb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.server import HOST, running_server

NAME = "texts"
WITH_CHROMADB = """
import json, sys
import chromadb, numpy as np
told, vectors = json.load(open(sys.argv[2])), np.load(sys.argv[3], mmap_mode="r")
client = chromadb.PersistentClient(sys.argv[1])
collection = client.create_collection("texts", embedding_function=None)
for start in range(0, len(vectors), 5000):
    stop = start + 5000
    collection.add(ids=[str(row) for row in range(start, min(stop, len(vectors)))], embeddings=vectors[start:stop],
                   documents=told["documents"][start:stop], metadatas=told["metadatas"][start:stop])
"""
Opener = Callable[[Path], chromadb.Client]


def fill(client: chromadb.Client, corpus: Corpus) -> None:
    collection = client.create_collection(NAME, embedding_function=None)
    ids = [str(row) for row in range(len(corpus.documents))]
    collection.add(ids=ids, embeddings=corpus.vectors, documents=corpus.documents, metadatas=corpus.metadatas)


def memory(_: Path) -> chromadb.Client:
    return chromadb.Client()


def duckdb(folder: Path) -> chromadb.Client:
    return chromadb.PersistentClient(tempfile.mkdtemp(dir=folder))


@contextmanager
def filled(opener: Opener, folder: Path, corpus: Corpus) -> Iterator[chromadb.Client]:
    with opener(folder) as client:
        fill(client, corpus)
        yield client


@contextmanager
def chromadb_directory(python: str, folder: Path, corpus: Corpus) -> Iterator[chromadb.Client]:
    """What the real chromadb wrote, in batches of 5,000."""
    texts, vectors, path = folder / "texts.json", folder / "vectors.npy", folder / "theirs"
    texts.write_text(json.dumps({"documents": corpus.documents, "metadatas": corpus.metadatas}))
    np.save(vectors, corpus.vectors)
    subprocess.run([python, "-c", WITH_CHROMADB, path, texts, vectors], check=True)
    with chromadb.Client(chroma_db_impl="chromadb", persist_directory=path) as client:
        yield client


def measure(
    way: str, source: chromadb.Client, targets: Callable[[], AbstractContextManager[chromadb.Client]], rounds: int
) -> None:
    copies, agains = [], []
    for _ in range(rounds):
        with targets() as target:
            copies.append(rate(source, target))
            agains.append(rate(source, target))
    print(f"{way:28}{statistics.median(copies):>12,.0f}{statistics.median(agains):>16,.0f}", flush=True)


def rate(source: chromadb.Client, target: chromadb.Client) -> float:
    start = time.perf_counter()
    report = source.copy_to(target)
    return report.records / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--corpus", type=int, default=53_000, help="texts in the cached corpus")
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chromadb", help="an interpreter that has chromadb")
    chosen = parser.parse_args()
    corpus = load(chosen.cache, chosen.corpus).part(0, chosen.records)
    print(f"{chosen.records:,} records\n{'':28}{'copied/s':>12}{'compared/s':>16}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with filled(memory, folder, corpus) as source:
            measure("memory -> duckdb", source, lambda: duckdb(folder), chosen.rounds)
        with filled(duckdb, folder, corpus) as source:
            measure("duckdb -> memory", source, lambda: memory(folder), chosen.rounds)
            measure("duckdb -> duckdb", source, lambda: duckdb(folder), chosen.rounds)
            measure("duckdb -> server (duckdb)", source, lambda: served(folder), chosen.rounds)
        if chosen.chromadb:
            with chromadb_directory(chosen.chromadb, folder, corpus) as source:
                measure("chromadb -> duckdb", source, lambda: duckdb(folder), chosen.rounds)


@contextmanager
def served(folder: Path) -> Iterator[chromadb.Client]:
    """A client of a new server on a new directory."""
    with (
        running_server(tempfile.mkdtemp(dir=folder)) as server,
        chromadb.HttpClient(HOST, server.port) as client,
    ):
        yield client


if __name__ == "__main__":
    main()
