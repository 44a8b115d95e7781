"""A backup of a store that is written to shows one moment of it, and writers hardly notice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chroma_plugin_duckdb import backup as backups
from chroma_plugin_duckdb import file
from chroma_plugin_duckdb.backend import DuckDBBackend, vector_directory
from support.vectors import clustered

import chroma_plugin as chromadb
from chroma_plugin.errors import CorruptionError
from chroma_plugin.toolkit import files, pinned, planner, settling, sketch, upkeep, vector_file

DIMENSION = 16


@pytest.fixture(autouse=True)
def settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors move all the time, and dead rows go early, as in large stores."""
    monkeypatch.setattr(settling, "SETTLE_FROM", 1)
    monkeypatch.setattr(vector_file, "_BLOCK_BYTES", 1024)
    monkeypatch.setattr(upkeep, "_QUIET", 0.01)
    monkeypatch.setattr(upkeep, "_PATIENCE", 0.05)
    monkeypatch.setattr(upkeep, "_DEAD_FROM", 50)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[chromadb.Client]:
    with chromadb.PersistentClient(tmp_path / "store") as client:
        yield client


def made(client: chromadb.Client, name: str = "things", count: int = 0) -> chromadb.Collection:
    collection = client.get_or_create_collection(name, embedding_function=None)
    if count:
        numbers = [str(number) for number in range(count)]
        collection.add(ids=numbers, embeddings=clustered(count, DIMENSION), documents=[f"text {n}" for n in numbers])
    return collection


def engine(client: chromadb.Client) -> DuckDBBackend:
    backend = client._session.backend
    assert isinstance(backend, DuckDBBackend)
    return backend


def settled(client: chromadb.Client, collection: chromadb.Collection) -> None:
    """Have its vectors in their file."""
    engine(client)._stores[collection.id]._upkeep.settle_now()


def everything(path: Path, **options: Any) -> dict[str, Any]:
    with chromadb.PersistentClient(path, **options) as client:
        return {each.name: contents(each) for each in client.list_collections()}


def contents(collection: chromadb.Collection) -> tuple[Any, ...]:
    got = collection.get(include=["embeddings", "documents", "metadatas"])
    embeddings: Any = got["embeddings"]
    return got["ids"], got["documents"], got["metadatas"], embeddings.tobytes()


# -- one moment ------------------------------------------------------------------------------------------------------


class Writer(threading.Thread):
    """Writes pairs, one after the other: first into one collection, then into the other. A pair is added, then
    replaced, and an earlier one deleted, each in one call.
    """

    def __init__(self, name: str, first: chromadb.Collection, second: chromadb.Collection) -> None:
        super().__init__(daemon=True)
        self.name, self.collections = name, (first, second)
        self.done, self.stopping = 0, False
        self.vectors = np.random.default_rng(len(name)).normal(size=(2, DIMENSION)).astype(np.float32)

    def run(self) -> None:
        while not self.stopping:
            for collection in self.collections:
                self._write(collection, self.done)
            self.done += 1

    def _write(self, collection: chromadb.Collection, number: int) -> None:
        ids = [f"{self.name} {number} left", f"{self.name} {number} right"]
        facts = {"writer": self.name, "number": number}
        collection.add(ids=ids, embeddings=self.vectors, metadatas=[{**facts, "version": 1}] * 2)
        collection.upsert(ids=ids, embeddings=-self.vectors, metadatas=[{**facts, "version": 2}] * 2)
        if number >= 10:
            collection.delete(ids=[id.replace(f" {number} ", f" {number - 10} ") for id in ids])


def check(path: Path, acknowledged: dict[str, int]) -> None:
    """Pairs are whole, nothing is missing in between, what was acknowledged before is there, and the second collection
    is not ahead of the first.
    """
    with chromadb.PersistentClient(path) as copy:
        newest = {}
        for name in ("first", "second"):
            collection = copy.get_collection(name, embedding_function=None)
            got: Any = collection.get(include=["metadatas", "embeddings"])
            held: dict[tuple[str, int], list[tuple[int, bytes]]] = {}
            for facts, vector in zip(got["metadatas"], got["embeddings"], strict=True):
                held.setdefault((facts["writer"], facts["number"]), []).append((facts["version"], vector.tobytes()))
            for pair in held.values():
                assert len(pair) == 2
                assert pair[0][0] == pair[1][0]
            for writer, done in acknowledged.items():
                numbers = sorted(number for who, number in held if who == writer)
                assert numbers == list(range(numbers[0], numbers[-1] + 1))
                assert len(numbers) in (10, 11) or numbers[0] == 0
                assert numbers[-1] >= done - 1
                newest[name, writer] = numbers[-1]
        for writer in acknowledged:
            assert newest["first", writer] - 1 <= newest["second", writer] <= newest["first", writer]


@pytest.mark.parametrize("log_bytes", [256 << 20, 20_000])
def test_it_shows_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log_bytes: int) -> None:
    """Four threads write; a small log is moved into the file all the time, but while it is copied."""
    monkeypatch.setattr(file, "_LONGEST_LOG", log_bytes)
    with chromadb.PersistentClient(tmp_path / "store") as client:
        first, second = made(client, "first"), made(client, "second")
        writers = [Writer(f"writer{number}", first, second) for number in range(4)]
        for writer in writers:
            writer.start()
        try:
            for number in range(3):
                while min(writer.done for writer in writers) < 5 * number + 1:
                    time.sleep(0.01)
                acknowledged = {writer.name: writer.done for writer in writers}
                client.backup(tmp_path / f"backup{number}")
                check(tmp_path / f"backup{number}", acknowledged)
        finally:
            for writer in writers:
                writer.stopping = True
            for writer in writers:
                writer.join()


def test_a_transaction_is_in_it_or_is_not(client: chromadb.Client, tmp_path: Path) -> None:
    """What it changed in two collections is changed in both: nothing is lost between two accounts."""
    accounts = [made(client, name) for name in ("giver", "taker")]
    for account, start in zip(accounts, (1_000, 0), strict=True):
        account.add(ids=["account"], embeddings=[[1.0] * DIMENSION], metadatas=[{"amount": start}])
    done, stopping = [0], threading.Event()

    def amount(collection: Any) -> int:
        [facts] = collection.get(ids=["account"])["metadatas"]
        return int(facts["amount"])

    def pay() -> None:
        while not stopping.is_set():
            with client.transaction() as inside:
                here, there = (inside.collection(account) for account in accounts)
                here.update(ids=["account"], metadatas=[{"amount": amount(here) - 1}])
                there.update(ids=["account"], metadatas=[{"amount": amount(there) + 1}])
            done[0] += 1

    payer = threading.Thread(target=pay, daemon=True)
    payer.start()
    try:
        for number in range(2):
            while done[0] < 3 * number + 1:
                time.sleep(0.01)
            acknowledged = done[0]
            client.backup(tmp_path / f"backup{number}")
            with chromadb.PersistentClient(tmp_path / f"backup{number}") as copy:
                left, paid = (amount(copy.get_collection(name, embedding_function=None)) for name in ("giver", "taker"))
            assert left + paid == 1_000
            assert paid >= acknowledged
    finally:
        stopping.set()
        payer.join()


def while_copying(client: chromadb.Client, path: Path, work: Callable[[], object]) -> None:
    """Make a backup in the middle of which another thread does some work, and is awaited."""
    threads: list[threading.Thread] = []

    def told(what: str, done: int, size: int) -> None:
        if not threads:
            threads.append(threading.Thread(target=work, daemon=True))
            threads[0].start()
            threads[0].join(30)
            assert not threads[0].is_alive()

    client.backup(path, on_progress=told)
    assert threads


def test_writers_do_not_wait_for_the_copying(client: chromadb.Client, tmp_path: Path) -> None:
    """They add, delete, and make and drop collections meanwhile; the backup has none of it."""
    things, gone = made(client, count=500), made(client, "gone", 40)
    settled(client, things)
    settled(client, gone)
    before = {each.name: contents(each) for each in (things, gone)}

    def work() -> None:
        things.upsert(ids=["0", "late"], embeddings=[[1.0] * DIMENSION] * 2)
        things.delete(where_document={"$contains": "text 4"})
        made(client, "new", 10)
        client.delete_collection("gone")

    while_copying(client, tmp_path / "backup", work)
    assert everything(tmp_path / "backup") == before
    client.backup(tmp_path / "later")
    assert everything(tmp_path / "later") == {each.name: contents(each) for each in client.list_collections()}


def test_compaction_may_come_in_between(client: chromadb.Client, tmp_path: Path) -> None:
    """The files whose vectors are copied are deleted meanwhile."""
    things = made(client, count=500)
    settled(client, things)
    before = contents(things)
    directory = vector_directory(engine(client)._directory, things.id)
    compaction = threading.Thread(target=engine(client)._stores[things.id]._upkeep.compact_now)

    def work() -> None:
        things.delete(ids=[str(number) for number in range(0, 500, 2)])
        compaction.start()
        while (directory / "1.vectors").exists():
            time.sleep(0.01)

    while_copying(client, tmp_path / "backup", work)
    compaction.join()
    assert everything(tmp_path / "backup")["things"] == before
    assert things.count() == 250


def test_closing_waits_for_it(tmp_path: Path) -> None:
    """A client that is closed by another thread meanwhile: the backup is whole, and the store too."""
    client = chromadb.PersistentClient(tmp_path / "store")
    made(client, count=500)
    closing = threading.Thread(target=client.close)

    def told(what: str, done: int, size: int) -> None:
        if closing.ident is None:
            closing.start()
            closing.join(0.1)

    client.backup(tmp_path / "backup", on_progress=told)
    closing.join()
    assert everything(tmp_path / "backup") == everything(tmp_path / "store")


# -- who may -----------------------------------------------------------------------------------------------------------


OPEN = "import sys, chroma_plugin; chroma_plugin.PersistentClient(sys.argv[1]).close()"


def test_the_store_stays_locked(client: chromadb.Client, tmp_path: Path) -> None:
    """A process loses a lock when it closes any descriptor of the file: this must not happen by a backup."""
    made(client, count=10)
    for step in ("first", "second", "compacted"):
        if step == "compacted":
            client.compact()
        client.backup(tmp_path / step)
        command = [sys.executable, "-c", OPEN, str(tmp_path / "store")]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "LockedError" in result.stderr, result.stderr
    client.close()
    assert everything(tmp_path / "compacted") == everything(tmp_path / "store")


def test_a_reader_may_make_one(tmp_path: Path) -> None:
    """Of a store that was closed, and of one that was killed and left a log; nothing in it is changed."""
    program = f"""
import os, sys, numpy, chroma_plugin
client = chroma_plugin.PersistentClient(sys.argv[1])
things = client.get_or_create_collection("things", embedding_function=None)
things.add(ids=["a", "b"], embeddings=numpy.ones((2, {DIMENSION})))
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "store")], check=True)
    assert (tmp_path / "store" / "chroma.duckdb.wal").stat().st_size
    for state in ("killed", "closed"):
        before = {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()}
        with chromadb.PersistentClient(tmp_path / "store", read_only=True) as client:
            client.backup(tmp_path / state)
        assert {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()} == before
        assert everything(tmp_path / state, read_only=True) == everything(tmp_path / "store")


@pytest.mark.parametrize("writer", ["is there", "was there"])
def test_a_reader_backs_up_what_it_reads(tmp_path: Path, writer: str) -> None:
    """Also when somebody has opened the store for writing meanwhile, or has written to it."""
    with chromadb.PersistentClient(tmp_path / "store") as client:
        before = contents(made(client, count=300))
    program = f"""
import sys, time, numpy, chroma_plugin
client = chroma_plugin.PersistentClient(sys.argv[1])
if sys.argv[2] == "was there":
    things = client.get_collection("things", embedding_function=None)
    things.add(ids=["late"], embeddings=numpy.ones((1, {DIMENSION})))
    client.close()
print("ready", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(tmp_path / "store"), writer]
    with (
        chromadb.PersistentClient(tmp_path / "store", read_only=True) as client,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        client.backup(tmp_path / "backup")
        process.communicate()
    assert everything(tmp_path / "backup") == {"things": before}


def test_a_store_that_opened_quickly_is_backed_up_whole(tmp_path: Path) -> None:
    """One whose DuckDB file nobody has opened yet."""
    with chromadb.PersistentClient(tmp_path / "store") as client:
        made(client, count=300)
    with chromadb.PersistentClient(tmp_path / "store") as client:
        assert not engine(client)._file.touched
        client.backup(tmp_path / "backup")
        made(client).add(ids=["late"], embeddings=[[1.0] * DIMENSION])
    assert len(everything(tmp_path / "backup")["things"][0]) == 300
    assert len(everything(tmp_path / "store")["things"][0]) == 301


@pytest.mark.skipif(not sketch.available(), reason="numkong is not installed")
def test_indexes_come_along(client: chromadb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that was restored need not make them again."""
    for module in (planner, upkeep):
        monkeypatch.setattr(module, "SKETCH_FROM", 100)
    things = made(client, count=500)
    things.create_index()
    client.backup(tmp_path / "backup")
    monkeypatch.setattr(sketch, "build", None)  # whoever makes one fails
    with chromadb.PersistentClient(tmp_path / "backup") as copy:
        copied = copy.get_collection("things", embedding_function=None)
        assert copied.info()["store"]["index"] == "sketch"
        query = clustered(3, DIMENSION, seed=9)
        assert copied.query(query_embeddings=query)["ids"] == things.query(query_embeddings=query)["ids"]


# -- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["duckdb", "wal", "vectors", "stamps"])
def test_a_copy_that_went_wrong_is_noticed(
    client: chromadb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A planted fault: bits that flip on the way to the disk, in any of the files."""
    things = made(client, count=500)
    settled(client, things)
    things.add(ids=["in the log"], embeddings=[[1.0] * DIMENSION])
    seen = []

    def copy_badly(descriptor: int, size: int, target: Path, on_bytes: Callable[[int], object]) -> None:
        files.copy_bytes(descriptor, size, target, on_bytes)
        if target.name.endswith(kind):
            seen.append(target)
            content = bytearray(target.read_bytes())
            for position in range(20, len(content), 4096):  # what DuckDB does not use may be anything
                content[position] ^= 1
            target.write_bytes(content)

    for module in (backups, pinned):
        monkeypatch.setattr(module, "copy_bytes", copy_badly)
    with pytest.raises(CorruptionError, match="There is no backup"):
        client.backup(tmp_path / "backup")
    assert seen
    assert {path.name for path in tmp_path.iterdir()} == {"store"}


def test_a_damaged_log_is_noticed(client: chromadb.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that lost its end: DuckDB replays the rest without a word, but the open store knows what was in it."""
    monkeypatch.setattr(settling, "SETTLE_FROM", 1 << 40)  # settling empties the log
    things = made(client, count=5)
    client.persist()
    things.add(ids=["late"], embeddings=[[1.0] * DIMENSION])
    log = tmp_path / "store" / "chroma.duckdb.wal"
    os.truncate(log, log.stat().st_size - 30)
    with pytest.raises(CorruptionError, match=r"its log, has other rows on disk.*records_1"):
        client.backup(tmp_path / "backup")
    client.persist()  # written from memory
    assert client.backup(tmp_path / "backup").records == 6


def test_damaged_vectors_are_noticed(client: chromadb.Client, tmp_path: Path) -> None:
    """Those of the store itself: there is no backup of what can't be read."""
    things = made(client, count=500)
    settled(client, things)
    [path] = (tmp_path / "store").glob("vectors/*/*.vectors")
    content = bytearray(path.read_bytes())
    content[1500] ^= 1
    with path.open("r+b") as opened:
        opened.write(content)
    with pytest.raises(CorruptionError, match=r"vectors is damaged"):
        client.backup(tmp_path / "backup")
    assert {each.name for each in tmp_path.iterdir()} == {"store"}
