"""One collection, many threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import chroma_plugin as chromadb
from chroma_plugin.errors import ClosedError, InvalidDimensionError, NotFoundError


@pytest.fixture
def shared() -> chromadb.Collection:
    """A collection in memory: the engine that threads share for real."""
    return chromadb.Client().create_collection("things", embedding_function=None)


def test_eight_writers_lose_nothing(shared: chromadb.Collection) -> None:
    """Eight threads add ids of their own; all are there, each with its own embedding."""

    def write(worker: int) -> None:
        for batch in range(20):
            ids = [f"{worker}-{batch}-{i}" for i in range(10)]
            shared.add(ids=ids, embeddings=np.full((10, 4), worker, dtype=np.float32))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))

    got = shared.get(include=["embeddings"])
    assert len(set(got["ids"])) == len(got["ids"]) == 8 * 20 * 10
    assert [row[0] for row in got["embeddings"]] == [int(id.split("-")[0]) for id in got["ids"]]


def test_writers_of_the_same_ids(shared: chromadb.Collection) -> None:
    """Of threads that add the same ids, one adds each and the others are told that it is there."""

    def write(worker: int) -> chromadb.AddReport:
        return shared.add(ids=[f"id{i}" for i in range(50)], embeddings=np.ones((50, 2)), on_conflict="ignore")

    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(write, range(8)))

    assert sorted(id for report in reports for id in report.added) == sorted(f"id{i}" for i in range(50))
    assert shared.count() == 50


def test_one_dimension_wins(shared: chromadb.Collection) -> None:
    """Of threads that write first embeddings of different dimensions, one succeeds and the others are refused."""

    def write(dimension: int) -> bool:
        try:
            shared.add(ids=f"d{dimension}", embeddings=np.ones(dimension))
        except InvalidDimensionError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(write, range(1, 9)))

    assert outcomes.count(True) == shared.count() == 1


def test_reads_during_writes(shared: chromadb.Collection) -> None:
    """Readers see whole batches or nothing of them, and columns that belong together."""
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            got = shared.get(include=["embeddings", "documents"])
            assert len(got["ids"]) % 10 == 0
            assert got["documents"] == got["ids"]
            assert len(got["embeddings"]) == len(got["ids"])
            shared.query(query_embeddings=[1, 1], n_results=3)

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for batch in range(50):
                ids = [f"{batch}-{i}" for i in range(10)]
                shared.add(ids=ids, documents=ids, embeddings=np.ones((10, 2)))
        finally:
            done.set()
        for reader in readers:
            reader.result()

    assert shared.count() == 500


@pytest.mark.parametrize("end", ["delete", "close"])
def test_taken_away_during_reads(end: str) -> None:
    """Deleting or closing waits for what runs; calls after that get the one clear error."""
    client = chromadb.Client()
    collection = client.create_collection("things", embedding_function=None)
    collection.add(ids=[f"id{i}" for i in range(100)], embeddings=np.ones((100, 2)))
    began = threading.Barrier(4)

    def read() -> type[Exception]:
        began.wait()
        while True:
            try:
                assert len(collection.get()["ids"]) == 100
            except (NotFoundError, ClosedError) as error:
                return type(error)

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        began.wait()
        if end == "delete":
            client.delete_collection("things")
        else:
            client.close()
        expected = NotFoundError if end == "delete" else ClosedError

        assert [reader.result() for reader in readers] == [expected] * 3
