"""One directory, many processes: one that writes, or many that read and are told when to look again."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from support.processes import Program

import chroma_plugin as chromadb
from chroma_plugin.errors import LockedError, NotFoundError, ReadOnlyError
from chroma_plugin.toolkit import settling

READER = """
    import json, sys
    import chroma_plugin as chromadb
    from chroma_plugin.errors import LockedError
    client = chromadb.PersistentClient(sys.argv[1], read_only=True)
    collection = client.get_collection("things")
    print("open")
    for line in sys.stdin:
        try:
            news = client.refresh()
        except LockedError as error:
            news = error.pid
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
    """A writer comes while two readers are open. They keep their picture while it works, whole and unchanged, are told
    who is in the way, and have all that was acknowledged when it has gone, by closing or by kill -9.
    """
    write(tmp_path, 0, 3)
    with ExitStack() as open_programs:
        readers = [open_programs.enter_context(Program(READER, tmp_path)) for _ in range(2)]
        assert [reader.answer() for reader in readers] == ["open"] * 2
        assert [reader.ask() for reader in readers] == ["[false, 3, [0], true]"] * 2
        for version in range(1, 4):
            writer = open_programs.enter_context(Program(WRITER, tmp_path))
            assert writer.answer() == "open", "Readers keep a writer out."
            assert [reader.ask() for reader in readers] == [f"[false, {2 + version}, [{version - 1}], true]"] * 2
            assert writer.ask(f"{version} {3 + version}") == "done"
            refused = f"[{writer.pid}, {2 + version}, [{version - 1}], true]"
            assert [reader.ask() for reader in readers] == [refused] * 2
            writer.kill()
            assert [reader.ask() for reader in readers] == [f"[true, {3 + version}, [{version}], true]"] * 2
            assert readers[0].ask() == f"[false, {3 + version}, [{version}], true]"


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
