"""One directory, many processes: one that writes, and many that read beside it and are told when to look again."""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from chroma_plugin_duckdb.hold import Hold
from support.processes import Program

import chroma_plugin as chromadb
from chroma_plugin.api.client import Client
from chroma_plugin.errors import CorruptionError, LockedError, NotFoundError, ReadOnlyError
from chroma_plugin.toolkit import settling

READER = """
    import json, sys
    import chroma_plugin as chromadb
    client = chromadb.PersistentClient(sys.argv[1], read_only=True)
    collection = client.get_collection("things")
    print("open")
    for line in sys.stdin:
        news = client.refresh()
        got = collection.get(include=["documents", "embeddings", "metadatas"])
        whole = all(
            document == f"{id}/{metadata['version']}" and embedding[1] == metadata["version"]
            for id, document, embedding, metadata in
            zip(got["ids"], got["documents"], got["embeddings"], got["metadatas"])
        )
        print(json.dumps([news, len(got["ids"]), sorted({each["version"] for each in got["metadatas"]}), whole]))
"""
WRITER = """
    import sys
    import chroma_plugin as chromadb
    client = chromadb.PersistentClient(sys.argv[1])
    collection = client.get_or_create_collection("things", embedding_function=None)
    print("open")
    for line in sys.stdin:
        version, count = map(int, line.split())
        ids = [f"r{n}" for n in range(count)]
        collection.upsert(
            ids=ids,
            documents=[f"{id}/{version}" for id in ids],
            embeddings=[[n, version] for n in range(count)],
            metadatas=[{"version": version}] * count,
        )
        print("done")
"""


def write(place: Path, version: int, count: int) -> None:
    """As WRITER does, in a process that comes and goes."""
    with Program(WRITER, place) as writer:
        assert writer.answer() == "open"
        assert writer.ask(f"{version} {count}") == "done"
        assert writer.process.stdin is not None
        writer.process.stdin.close()
        assert writer.process.wait() == 0


@pytest.mark.faults
def test_readers_follow_a_writer(tmp_path: Path) -> None:
    """A writer comes while two readers are open, and a third one comes after it. Each keeps its picture, whole and
    unchanged, until it is told to look again; then it has all that was acknowledged, while the writer is open and when
    it has gone, by kill -9.
    """
    write(tmp_path, 0, 3)
    with ExitStack() as open_programs:

        def joined(script: str) -> Program:
            program = open_programs.enter_context(Program(script, tmp_path))
            assert program.answer() == "open"
            return program

        readers = [joined(READER) for _ in range(2)]
        assert [reader.ask() for reader in readers] == ["[false, 3, [0], true]"] * 2
        for version in range(1, 6, 2):
            writer = joined(WRITER)
            assert writer.ask(f"{version} {3 + version}") == "done"
            assert joined(READER).ask() == f"[false, {3 + version}, [{version}], true]"
            assert [reader.ask() for reader in readers] == [f"[true, {3 + version}, [{version}], true]"] * 2
            assert writer.ask(f"{version + 1} {4 + version}") == "done"
            assert readers[0].ask() == f"[true, {4 + version}, [{version + 1}], true]"
            writer.kill()
            assert readers[0].ask() == f"[false, {4 + version}, [{version + 1}], true]"
            assert readers[1].ask() == f"[true, {4 + version}, [{version + 1}], true]"


BUSY = """
    import sys
    import numpy as np
    import chroma_plugin as chromadb
    import chroma_plugin_duckdb.file
    from chroma_plugin.toolkit import planner, settling, upkeep
    settling.SETTLE_FROM = 1 << 14
    chroma_plugin_duckdb.file._LONGEST_LOG = 1 << 15
    upkeep._QUIET, upkeep._DEAD_FROM = 0.0, 100
    for module in (planner, upkeep):
        module.SKETCH_FROM, module.SKETCH_TAIL, module.TAIL_FROM = 64, 16, 32
        module.graph_from = lambda: 128
    client = chromadb.PersistentClient(sys.argv[1])
    kept, other = (client.get_or_create_collection(n, embedding_function=None) for n in ("things", "others"))
    for round in range(int(sys.argv[2])):
        ids = [f"r{n}" for n in range(200 + round % 7)]
        vectors = np.full((len(ids), 16), round, dtype=np.float32)
        vectors[:, 0] = np.arange(len(ids))
        with client.transaction() as t:
            things, others = t.collection(kept), t.collection(other)
            things.upsert(ids=ids, embeddings=vectors, metadatas=[{"version": round}] * len(ids),
                          documents=[f"{id}/{round}" for id in ids])
            others.upsert(ids="round", embeddings=[round], metadatas={"version": round})
        print(round, flush=True)
        if round % 9 == 8:
            kept.delete(ids=ids[100:])
        if round % 31 == 30:
            client.compact()
"""


@pytest.mark.faults
def test_readers_beside_a_busy_writer(tmp_path: Path) -> None:
    """It settles vectors, moves its log into the file, compacts and makes graphs all the time, while readers open and
    refresh as fast as they can. What they see is of one moment over two collections, never older than what they had
    been told of, and never goes back.
    """
    with Program(BUSY, tmp_path, 150) as writer, ExitStack() as clients:
        assert writer.answer() == "0"
        told = Told(writer)
        client = clients.enter_context(chromadb.PersistentClient(tmp_path, read_only=True))
        looks, seen = Counter[int](), 0
        while told.alive():
            known = told.last
            client.refresh()
            version = version_of_all(client)
            assert version >= max(known, seen)
            looks[version] += 1
            seen = version
        assert writer.process.wait() == 0
        client.refresh()
        assert version_of_all(client) == 149
    assert len(looks) > 3, "There was hardly a look."
    print(f"{sum(looks.values())} looks at {len(looks)} versions")


class Told:
    """The last number that a program has said, read beside the test."""

    def __init__(self, program: Program) -> None:
        self.last = 0
        self._thread = threading.Thread(target=self._read, args=(program,), daemon=True)
        self._thread.start()

    def _read(self, program: Program) -> None:
        while line := program.answer():
            self.last = int(line)

    def alive(self) -> bool:
        return self._thread.is_alive()


def version_of_all(client: Client) -> int:
    """The version of all that is there; it is the same everywhere, or records are gone that were deleted after it."""
    things, other = (client.get_collection(name, embedding_function=None) for name in ("things", "others"))
    got = things.get(include=["documents", "embeddings", "metadatas"])
    [[version]] = [{each["version"] for each in other.get()["metadatas"]}]
    assert {each["version"] for each in got["metadatas"]} <= {version, *range(version)}
    fresh = [at for at, each in enumerate(got["metadatas"]) if each["version"] == version]
    assert len(fresh) in (100, 200 + version % 7)
    for at in fresh:
        assert got["documents"][at] == f"{got['ids'][at]}/{version}"
        assert got["embeddings"][at][1] == version
    near = things.query(query_embeddings=[got["embeddings"][fresh[50]]], n_results=1)
    assert near["ids"] == [[got["ids"][fresh[50]]]]
    return int(version)


def test_after_kill_9_the_next_writer_opens_at_once(tmp_path: Path) -> None:
    """No lock, no file and no waiting is left behind."""
    with Program(WRITER, tmp_path) as writer:
        assert writer.answer() == "open"
        assert writer.ask("1 50") == "done"
        with pytest.raises(LockedError) as caught:
            chromadb.PersistentClient(tmp_path)
        assert caught.value.pid == writer.pid
        writer.kill()
    start = perf_counter()
    with chromadb.PersistentClient(tmp_path) as client:
        taken = perf_counter() - start
        assert client.get_collection("things").count() == 50
    print(f"opened {taken * 1000:.0f} ms after kill -9")


@pytest.mark.faults
def test_a_writer_waits_for_readers_that_load(tmp_path: Path) -> None:
    """Four readers that refresh without a pause never keep a writer out, and end where it ended."""
    write(tmp_path, 0, 10)
    with ExitStack() as open_programs:
        readers = [open_programs.enter_context(Program(READER, tmp_path)) for _ in range(4)]
        assert [reader.answer() for reader in readers] == ["open"] * 4
        for version in range(1, 4):
            for reader in readers:
                reader.tell()
            write(tmp_path, version, 10)
            told = [reader.answer() for reader in readers]
            assert all(line.endswith(f"10, [{seen}], true]") for line in told for seen in [line.split("[")[2][0]])
        assert {reader.ask().split(", ", 1)[1] for reader in readers} == {"10, [3], true]"}


def test_damage_beside_a_writer(tmp_path: Path) -> None:
    """What a reader finds damaged in its copy is told of the store; what was acknowledged is never left out."""
    with Program(WRITER, tmp_path) as writer:
        assert writer.answer() == "open"
        assert writer.ask("1 50") == "done"
        with chromadb.PersistentClient(tmp_path, read_only=True) as client:
            assert client.get_collection("things").count() == 50
            assert writer.ask("2 60") == "done"
            log = tmp_path / "chroma.duckdb.wal"
            content = bytearray(log.read_bytes())
            content[-200] ^= 1
            log.write_bytes(content)
            with pytest.raises(CorruptionError) as caught:
                client.refresh()
            assert str(log) in str(caught.value)
            assert client.get_collection("things").count() == 50
            content[-200] ^= 1
            log.write_bytes(content)
            assert client.refresh() is True
            assert client.get_collection("things").count() == 60


def test_no_room_for_the_copy(tmp_path: Path) -> None:
    """The reader is told so, goes on with what it has, and leaves nothing behind."""
    place, temporary = tmp_path / "store", tmp_path / "temporary"
    temporary.mkdir()
    script = """
        import resource, sys, tempfile
        import chroma_plugin as chromadb
        from chroma_plugin.errors import StorageError
        tempfile.tempdir = sys.argv[2]
        client = chromadb.PersistentClient(sys.argv[1], read_only=True)
        print(client.get_collection("things").count())
        sys.stdin.readline()
        for least in (4096, resource.RLIM_INFINITY):
            resource.setrlimit(resource.RLIMIT_FSIZE, (least, resource.RLIM_INFINITY))
            try:
                print(client.refresh(), client.get_collection("things").count())
            except StorageError as error:
                print("ulimit" in str(error), client.get_collection("things").count())
    """
    with Program(WRITER, place) as writer:
        assert (writer.answer(), writer.ask("1 50")) == ("open", "done")
        with Program(script, place, temporary) as reader:
            assert reader.answer() == "50"
            assert writer.ask("2 60") == "done"
            assert [reader.ask(), reader.answer()] == ["True 50", "True 60"]
        assert not list(temporary.iterdir())


def test_a_writer_waits_for_a_reader_that_has_the_lock(tmp_path: Path) -> None:
    """For as long as one takes that reads a large store; a second one does not wait for a writer."""
    with chromadb.PersistentClient(tmp_path) as client:
        client.create_collection("things", embedding_function=None)
    script = """
        import fcntl, sys, time
        with open(sys.argv[1] + "/chroma.duckdb", "rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH)
            print("locked")
            time.sleep(0.5)
            print("let go")
    """
    with Program(script, tmp_path) as reader:
        assert reader.answer() == "locked"
        with chromadb.PersistentClient(tmp_path) as client:
            assert reader.answer() == "let go"
            assert client.count_collections() == 1


def test_another_writer_while_the_file_is_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB lets go of the file for a moment then. Who is quicker has it: nothing of that one is lost, and the first
    says that it has to be opened anew.
    """
    take = Hold.take

    def late(path: Path, *, read_only: bool) -> Hold | None:
        monkeypatch.undo()
        write(tmp_path, 7, 3)
        return take(path, read_only=read_only)

    client = chromadb.PersistentClient(tmp_path)
    collection = client.create_collection("things", embedding_function=None)
    collection.add(ids="own", embeddings=[1, 2])
    monkeypatch.setattr(Hold, "take", late)
    with pytest.raises(LockedError):
        client.compact()
    with pytest.raises(LockedError, match="open it anew"):
        collection.add(ids="late", embeddings=[1, 2])
    assert collection.count() == 1
    client.close()
    with chromadb.PersistentClient(tmp_path) as client:
        assert client.get_collection("things").get()["ids"] == ["own", "r0", "r1", "r2"]


@pytest.mark.faults
def test_two_who_make_the_same_store(tmp_path: Path) -> None:
    """Of several processes that open an empty directory at once, one has it; the others are told so."""
    script = """
        import sys
        import chroma_plugin as chromadb
        from chroma_plugin.errors import LockedError
        sys.stdin.readline()
        try:
            client = chromadb.PersistentClient(sys.argv[1])
            client.create_collection("made", embedding_function=None).add(ids="a", embeddings=[1, 2])
            print("won")
        except LockedError as error:
            print(error.pid)
        sys.stdin.readline()
    """
    for attempt in range(2):
        place = tmp_path / str(attempt)
        with ExitStack() as open_programs:
            programs = [open_programs.enter_context(Program(script, place)) for _ in range(4)]
            for program in programs:
                program.tell()
            told = [program.answer() for program in programs]
        winner = programs[told.index("won")]
        assert sorted(told) == sorted(["won"] + [str(winner.pid)] * 3)
        with chromadb.PersistentClient(place) as client:
            assert client.get_collection("made").get()["ids"] == ["a"]


def test_refresh_in_one_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a refreshed client shows of collections that changed, came, went and were renamed; settled vectors too."""
    monkeypatch.setattr(settling, "SETTLE_FROM", 1)
    script = """
        import sys
        import chroma_plugin as chromadb
        client = chromadb.PersistentClient(sys.argv[1])
        client.delete_collection("goes")
        client.get_collection("old-name").modify(name="new-name")
        client.get_collection("stays").delete(ids=[f"r{n}" for n in range(0, 3000, 2)])
        client.create_collection("comes", embedding_function=None).add(ids="x", embeddings=[1, 2])
        client.compact()
        client.close()
    """
    vectors = np.random.default_rng(1).standard_normal((3_000, 8)).astype(np.float32)
    with chromadb.PersistentClient(tmp_path) as client:
        for name in ("goes", "old-name", "stays"):
            made = client.create_collection(name, embedding_function=None)
            made.add(ids=[f"r{n}" for n in range(3_000)], embeddings=vectors)
    with chromadb.PersistentClient(tmp_path, read_only=True) as client:
        goes, renamed, stays = client.list_collections()
        assert client.refresh() is False
        with Program(script, tmp_path) as writer:
            assert writer.process.wait() == 0
        assert (goes.count(), stays.count(), client.count_collections()) == (3_000, 3_000, 3)
        assert client.refresh() is True
        assert [each.name for each in client.list_collections()] == ["new-name", "stays", "comes"]
        assert (renamed.name, renamed.count(), stays.count()) == ("new-name", 3_000, 1_500)
        with pytest.raises(NotFoundError):
            goes.count()
        assert np.array_equal(stays.get(ids="r7", include=["embeddings"])["embeddings"][0], vectors[7])
        assert stays.query(query_embeddings=vectors[9], n_results=1)["ids"] == [["r9"]]
        with pytest.raises(ReadOnlyError):
            stays.delete(ids="r7")
        assert stays.count() == 1_500


def test_where_nothing_has_to_be_refreshed(tmp_path: Path) -> None:
    """Clients that see everything at once say that there is nothing new."""
    assert chromadb.Client().refresh() is False
    with chromadb.PersistentClient(tmp_path) as client:
        client.create_collection("things", embedding_function=None)
        assert client.refresh() is False
    assert os.listdir(tmp_path)


@pytest.mark.faults
async def test_refresh_from_an_event_loop(tmp_path: Path) -> None:
    """`AsyncClient.refresh` is the same."""
    write(tmp_path, 1, 2)
    async with chromadb.AsyncClient(path=tmp_path, read_only=True) as client:
        collection = await client.get_collection("things")
        write(tmp_path, 2, 4)
        assert await collection.count() == 2
        assert await client.refresh() is True
        assert await collection.count() == 4
