"""The kit's tests with threads: readers beside a writer, writers beside each other."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from chroma_plugin import Client
from chroma_plugin.backend import CollectionStore
from chroma_plugin.testing.base import Bench
from chroma_plugin.testing.clients import add, everything, filled
from chroma_plugin.testing.data import ids_of, numbered, read, records, vectors
from chroma_plugin.testing.texts import HAS_LIBRARY
from chroma_plugin.types import Metric, Scan, Search, TextSearch

WRITES = 40
READERS = 8


class Threads(Bench):
    """Reads come from any thread, also during a write; each sees whole batches.

    Troubleshooting: one connection or one array for all threads needs a lock, or a copy that readers keep.
    """

    def test_readers_beside_a_writer(self, store: CollectionStore) -> None:
        """Eight threads scan, count and search while one writes batches: every answer is of one moment."""
        store.put(numbered(100))
        done = threading.Event()

        def read_on() -> int:
            reads = 0
            while not done.wait(0.001) or not reads:
                reads += 1
                check_one_moment(store)
            return reads

        with ThreadPoolExecutor(READERS) as pool:
            readers = [pool.submit(read_on) for _ in range(READERS)]
            try:
                for batch in range(WRITES):
                    write(store, batch)
            finally:
                done.set()
            assert all(reader.result(timeout=60) > 0 for reader in readers)
        assert ids_of(store) == [f"r{row}" for row in range(100)]

    def test_writers_of_a_collection(self, client: Client) -> None:
        """Eight threads add records of their own through the client: all are there, each whole."""
        collection = filled(client, numbered(0))

        def write_own(writer: int) -> None:
            for batch in range(5):
                ids = [f"w{writer}-{batch}-{row}" for row in range(10)]
                add(collection, records(ids, embeddings=vectors(10, seed=writer), documents=ids))

        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(write_own, range(READERS)))
        found = everything(collection)
        assert collection.count() == READERS * 50
        assert sorted(found["ids"]) == sorted(
            f"w{w}-{b}-{r}" for w in range(READERS) for b in range(5) for r in range(10)
        )
        assert found["documents"] == found["ids"]
        for id, embedding in zip(found["ids"], found["embeddings"], strict=True):
            writer, _, row = id[1:].split("-")
            assert np.array_equal(embedding, vectors(10, seed=int(writer))[int(row)])

    def test_collections_made_by_many_threads(self, client: Client) -> None:
        """Eight threads ask for one collection and one of their own: there are nine, each once."""

        def make(thread: int) -> None:
            client.get_or_create_collection("shared", embedding_function=None)
            filled(client, numbered(3), f"own{thread}")

        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(make, range(READERS)))
        names = sorted(found.name for found in client.list_collections())
        assert names == sorted(["shared", *(f"own{thread}" for thread in range(READERS))])


def write(store: CollectionStore, batch: int) -> None:
    """Add ten records, replace them, delete them."""
    ids = [f"b{batch}-{row}" for row in range(10)]
    store.put(records(ids, embeddings=vectors(10, seed=batch)))
    store.put(records(ids, embeddings=vectors(10, seed=batch + 1)))
    assert store.delete(ids) == 10


def check_one_moment(store: CollectionStore) -> None:
    """The records that nobody touches are always there, in order; the others come and go ten at a time."""
    found = list(read(store).ids)
    assert found[:100] == [f"r{row}" for row in range(100)], "A scan during a write loses or moves records."
    assert len(found) in (100, 110), f"A scan sees {len(found) - 100} records of a batch of ten."
    assert store.count() in (100, 110), "A count sees part of a batch."
    assert ids_of(store, Scan(ids=["r7", "r3"])) == ["r7", "r3"]
    [hits] = store.search(Search(vectors(1, seed=5), 20, Metric.L2))
    assert len(hits.records) == len(hits.distances) == 20
    if HAS_LIBRARY:
        [ranked] = store.search_text(TextSearch(["about"], 1_000))
        assert len(ranked.records) in (100, 110), "A text search sees part of a batch."
