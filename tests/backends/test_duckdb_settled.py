"""Vectors that moved from the DuckDB file into one of their own: the same contract, and nothing lost on the way."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import duckdb
import numpy as np
import pytest
from chroma_plugin_duckdb import opening
from chroma_plugin_duckdb.backend import DuckDBBackend
from chroma_plugin_duckdb.file import NAME
from chroma_plugin_duckdb.options import DuckDBOptions
from support.vectors import clustered, records

from chroma_plugin.errors import ClosedError, CorruptionError, StorageError
from chroma_plugin.testing import BackendConformance
from chroma_plugin.toolkit import files, settling, upkeep, vector_file
from chroma_plugin.toolkit.local_backend import LocalBackend
from chroma_plugin.types import CollectionInfo, Metric, Records, Scan, Search

pytestmark = pytest.mark.skipif(not vector_file.SUPPORTED, reason="this system keeps vectors in the DuckDB file")

INFO = CollectionInfo(UUID(int=7), "things", configuration={"hnsw": {"space": "l2"}}, dimension=16)


@pytest.fixture(autouse=True)
def settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every vector moves as soon as nothing else happens; dead rows go early."""
    monkeypatch.setattr(settling, "SETTLE_FROM", 1)
    monkeypatch.setattr(vector_file, "_BLOCK_BYTES", 1024)
    monkeypatch.setattr(upkeep, "_QUIET", 0.01)
    monkeypatch.setattr(upkeep, "_DEAD_FROM", 50)


class TestDuckDBSettled(BackendConformance):
    backend = "duckdb"
    persistent = True
    examples = 10


def opened(place: Path, **options: bool) -> LocalBackend:
    return opening.opened(DuckDBOptions(place, **options))


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[DuckDBBackend]:
    backend = opened(tmp_path)
    backend.create_collection(INFO)
    yield backend
    with suppress(ClosedError):  # most tests close it themselves
        backend.close()


def contents(backend: DuckDBBackend) -> dict[str, tuple[bytes, str | None, object]]:
    batches = list(backend.open_collection(INFO).scan(Scan()))
    return {
        id: (embedding.tobytes(), document, metadata)
        for batch in batches
        for id, embedding, document, metadata in zip(
            batch.ids, batch.embeddings, batch.documents, batch.metadatas, strict=True
        )
    }


def test_the_journal_lets_go_of_what_is_settled(tmp_path: Path, backend: DuckDBBackend) -> None:
    """After closing, the vectors are in their file alone, and once."""
    backend.open_collection(INFO).put(records(clustered(500)))
    backend.close()

    with duckdb.connect(tmp_path / NAME, read_only=True) as connection:
        [(left,)] = connection.execute("SELECT count(embedding) FROM records_1").fetchall()
    [path] = tmp_path.glob("vectors/*/*.vectors")
    assert left == 0
    assert path.stat().st_size == 500 * 64
    again = opened(tmp_path)
    assert np.array_equal(next(iter(again.open_collection(INFO).scan(Scan()))).embeddings, clustered(500))
    again.close()


def test_a_small_collection_stays_in_one_file(
    tmp_path: Path, backend: DuckDBBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below four megabytes of vectors nothing moves."""
    monkeypatch.undo()
    backend.open_collection(INFO).put(records(clustered(500)))
    backend.close()
    assert not (tmp_path / "vectors").exists()


def test_readers_see_settled_and_new_vectors_alike(tmp_path: Path, backend: DuckDBBackend) -> None:
    """read_only finds all of them, and leaves the files as they are."""
    store = backend.open_collection(INFO)
    store.put(records(clustered(300)))
    backend.close()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    reader = opened(tmp_path, read_only=True)

    [hits] = reader.open_collection(INFO).search(Search(clustered(300)[7:8], 1, Metric.L2))
    assert hits.records.ids == ["id7"]
    reader.close()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_files_of_a_dropped_collection_go(tmp_path: Path, backend: DuckDBBackend) -> None:
    """At once; or, when the process ended before that, at the next opening."""
    backend.open_collection(INFO).put(records(clustered(300)))
    backend.open_collection(INFO).finish()
    assert list(tmp_path.glob("vectors/*"))
    backend.drop_collection(INFO)
    assert not list(tmp_path.glob("vectors/*"))
    (tmp_path / "vectors" / str(uuid4())).mkdir(parents=True)
    backend.close()
    opened(tmp_path).close()
    assert not list(tmp_path.glob("vectors/*"))


def test_records_without_their_vectors_are_an_error(tmp_path: Path, backend: DuckDBBackend) -> None:
    """When the file of vectors is lost, nothing pretends to be the collection."""
    backend.open_collection(INFO).put(records(clustered(300)))
    backend.close()
    for path in tmp_path.glob("vectors/*/*"):
        path.unlink()

    again = opened(tmp_path)
    with pytest.raises(CorruptionError, match="300 records"):
        again.open_collection(INFO)
    again.close()


def test_a_dimension_that_was_never_noted_is_that_of_the_file(tmp_path: Path) -> None:
    """The process ended after its first write: the collection opens with what it holds."""
    backend = opened(tmp_path)
    backend.create_collection(replace(INFO, dimension=None))
    backend.open_collection(INFO).put(records(clustered(300)))
    backend.close()
    for read_only in (False, True):
        backend = opened(tmp_path, read_only=read_only)
        [info] = backend.list_collections("default_tenant", "default_database")
        assert info.dimension is None
        assert next(iter(backend.open_collection(info).scan(Scan()))).embeddings.shape == (300, 16)
        backend.close()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """Settling that can't be finished is tried again and again, keeps no file, and loses nothing."""
    script = f"""
        import resource, sys
        sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
        from pathlib import Path
        from uuid import UUID
        from support.vectors import clustered, records
        from chroma_plugin.errors import StorageError
        from chroma_plugin.toolkit import settling, upkeep
        from chroma_plugin.types import CollectionInfo
        from chroma_plugin_duckdb.backend import DuckDBBackend, DuckDBOptions
        settling.SETTLE_FROM, upkeep._QUIET = 1, 60.0
        backend = DuckDBBackend(DuckDBOptions({str(tmp_path)!r}))
        info = CollectionInfo(UUID(int=7), "things", configuration={{"hnsw": {{}}}}, dimension=16)
        backend.create_collection(info)
        store = backend.open_collection(info)
        store.put(records(clustered(500)))
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        for _ in range(3):
            try:
                store.finish()
            except StorageError:
                print("refused", list(Path({str(tmp_path)!r}).glob("vectors/*/*")))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        backend.close()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    expected: dict[str, tuple[bytes, str | None, object]] = {}
    _keep(expected, records(clustered(500)))

    assert done.stdout == "refused []\n" * 3
    backend = opened(tmp_path)
    assert contents(backend) == expected
    backend.close()


def test_a_new_file_that_can_be_neither_finished_nor_deleted(
    tmp_path: Path, backend: DuckDBBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is settled afterwards stands in the old one, and is found there."""
    monkeypatch.setattr(upkeep, "_QUIET", 60.0)
    monkeypatch.setattr(upkeep, "_DEAD_FROM", 10_000)
    store = backend.open_collection(INFO)
    store.put(records(clustered(500)))
    store.finish()
    store.delete([f"id{number}" for number in range(300)])

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def sync(path: Path) -> None:
        if list(tmp_path.glob("vectors/*/2.header")):
            fail()

    with monkeypatch.context() as patched:
        patched.setattr(files, "sync", sync)
        patched.setattr(os, "unlink", fail)
        with pytest.raises(StorageError, match=r"2\.header: Input/output error"):
            backend.compact()
    store.put(records(clustered(40), start=1000))
    expected = contents(backend)
    backend.close()

    backend = opened(tmp_path)
    assert contents(backend) == expected
    backend.close()


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_calls_ends_as_in_a_plain_dict(tmp_path: Path, backend: DuckDBBackend, seed: int) -> None:
    """Adding, replacing, updating, deleting, compacting and reopening, while vectors move in the background."""
    rnd = random.Random(seed)
    expected: dict[str, tuple[bytes, str | None, object]] = {}
    for step in range(60):
        store = backend.open_collection(INFO)
        some = rnd.sample(sorted(expected), min(len(expected), rnd.choice([1, 20, 100])))
        match rnd.choice(["put", "put", "replace", "patch", "delete", "compact", "reopen"]):
            case "put":
                batch = records(clustered(rnd.choice([1, 3, 60]), seed=step), start=step * 100)
                store.put(batch)
                _keep(expected, batch)
            case "replace" if some:
                batch = Records(some, clustered(len(some), seed=step), ["new"] * len(some), [None] * len(some))
                store.put(batch)
                _keep(expected, batch)
            case "patch" if some:
                store.update(Records(some, metadatas=[{"step": step}] * len(some)))
                expected |= {id: (*expected[id][:2], {"step": step}) for id in some}
            case "delete":
                store.delete(some)
                expected = {id: record for id, record in expected.items() if id not in some}
            case "compact":
                backend.compact()
            case "reopen":
                backend.close()
                backend = opened(tmp_path)
    backend.close()
    backend = opened(tmp_path)

    assert contents(backend) == expected
    backend.close()


def _keep(expected: dict[str, tuple[bytes, str | None, object]], batch: Records) -> None:
    for id, embedding, document, metadata in zip(
        batch.ids, batch.embeddings, batch.documents, batch.metadatas, strict=True
    ):
        expected[id] = (embedding.tobytes(), document, metadata)


WRITER = """
    import os, sys
    from pathlib import Path
    import numpy as np
    from uuid import UUID
    sys.path.insert(0, {support!r})
    from support.vectors import clustered, records
    from chroma_plugin.types import CollectionInfo, Records
    from chroma_plugin.toolkit import files, settling, upkeep, vector_file
    from chroma_plugin_duckdb.backend import DuckDBBackend, DuckDBOptions
    from chroma_plugin_duckdb.records import DuckDBRecords
    settling.SETTLE_FROM, upkeep._QUIET, upkeep._DEAD_FROM = 1, 60.0, 50
    backend = DuckDBBackend(DuckDBOptions({place!r}))
    info = CollectionInfo(UUID(int=7), "things", configuration={{"hnsw": {{}}}}, dimension=16)
    backend.create_collection(info)
    store = backend.open_collection(info)
    store.put(records(clustered(200)))
    if {again}:
        store.finish()
        store.put(records(clustered(100, seed=1), start=150))
        store.update(Records(["id3"], metadatas=[{{"number": -3}}]))
        store.delete([f"id{{number}}" for number in range(20, 60)])
    remaining = {step}
    def dying(function):
        def wrapper(*args, **more):
            global remaining
            if remaining == 0:
                os._exit(0)
            remaining -= 1
            return function(*args, **more)
        return wrapper
    os.pwrite, os.fsync, os.replace = dying(os.pwrite), dying(os.fsync), dying(os.replace)
    Path.replace, Path.unlink = dying(Path.replace), dying(Path.unlink)
    DuckDBRecords.settle = dying(DuckDBRecords.settle)
    store.{work}()
    print("finished")
"""


@pytest.mark.faults
@pytest.mark.parametrize("work", ["finish", "compact"])
@pytest.mark.parametrize("again", [False, True])
def test_a_process_that_ends_at_any_step_loses_nothing(tmp_path: Path, work: str, again: bool) -> None:
    """Settling and compacting cut short before each of their changes to any file: everything is there, once."""
    expected: dict[str, tuple[bytes, str | None, object]] = {}
    _keep(expected, records(clustered(200)))
    if again:
        _keep(expected, records(clustered(100, seed=1), start=150))
        expected["id3"] = (*expected["id3"][:2], {"number": -3})
        expected = {id: record for id, record in expected.items() if not 20 <= int(id[2:]) < 60}
    for step in range(40):
        place = tmp_path / str(step)
        support = str(Path(__file__).parent.parent)
        script = WRITER.format(place=str(place), step=step, again=again, work=work, support=support)
        output = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2):  # the second opening finds what the first made of it
            backend = opened(place)
            assert contents(backend) == expected
            backend.close()
        if output:
            break
    assert output == "finished\n"
    assert step > 0 or not again
