"""Vectors of a bulk, and those that have gathered, go straight into their file: the same contract, and nothing is lost
when a write fails.
"""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import duckdb
import pytest
from chroma_plugin_duckdb import opening
from chroma_plugin_duckdb.backend import DuckDBBackend
from chroma_plugin_duckdb.file import NAME
from chroma_plugin_duckdb.options import DuckDBOptions
from chroma_plugin_duckdb.records import DuckDBRecords
from support.vectors import clustered, records

from chroma_plugin.errors import ClosedError, StorageError
from chroma_plugin.testing import BackendConformance
from chroma_plugin.toolkit import files, settling, upkeep, vector_file
from chroma_plugin.types import CollectionInfo, Metric, Records, Scan, Search

pytestmark = pytest.mark.skipif(not vector_file.SUPPORTED, reason="this system keeps vectors in the DuckDB file")

INFO = CollectionInfo(UUID(int=7), "things", configuration={"hnsw": {"space": "l2"}}, dimension=16)
BULK = 40
"""Records whose vectors are not left to DuckDB."""


@pytest.fixture(autouse=True)
def small_bulks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "STRAIGHT_FROM", BULK * 64)
    monkeypatch.setattr(vector_file, "_BLOCK_BYTES", 1024)
    monkeypatch.setattr(upkeep, "_QUIET", 60.0)


class TestDuckDBStraight(BackendConformance):
    backend = "duckdb"
    persistent = True
    examples = 10

    @pytest.fixture(autouse=True)
    def always(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settling, "STRAIGHT_FROM", 1)


def opened(place: Path) -> DuckDBBackend:
    backend = opening.opened(DuckDBOptions(place))
    assert isinstance(backend, DuckDBBackend)
    return backend


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[DuckDBBackend]:
    backend = opened(tmp_path)
    backend.create_collection(INFO)
    yield backend
    with suppress(ClosedError):
        backend.close()


def contents(backend: DuckDBBackend) -> dict[str, bytes]:
    batches = list(backend.open_collection(INFO).scan(Scan()))
    return {id: row.tobytes() for batch in batches for id, row in zip(batch.ids, batch.embeddings, strict=True)}


def of(*written: Records) -> dict[str, bytes]:
    return {id: row.tobytes() for batch in written for id, row in zip(batch.ids, batch.embeddings, strict=True)}


def test_duckdb_never_has_them(tmp_path: Path) -> None:
    """Written by a process that ended without closing: neither its file nor its log has a vector, not even of those
    that came one by one before; all are read by the next.
    """
    script = f"""
        import os, sys
        sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
        from pathlib import Path
        from support.vectors import clustered, records
        from backends import test_duckdb_straight as here
        here.settling.STRAIGHT_FROM = here.BULK * 64
        backend = here.opened(Path({str(tmp_path)!r}))
        backend.create_collection(here.INFO)
        store = backend.open_collection(here.INFO)
        store.put(records(clustered(3, seed=1), start=1000))
        store.put(records(clustered(500)))
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
    with duckdb.connect(tmp_path / NAME, read_only=True) as connection:
        found = connection.execute("SELECT count(*), count(embedding) FROM records_1").fetchall()

    assert found == [(503, 0)]
    backend = opened(tmp_path)
    assert contents(backend) == of(records(clustered(3, seed=1), start=1000), records(clustered(500)))
    backend.close()


@pytest.mark.parametrize("then", [1, BULK])
@pytest.mark.parametrize("before", [0, 5, BULK])
@pytest.mark.parametrize("close", [False, True])
def test_a_bulk_that_duckdb_refuses_never_was(
    tmp_path: Path, backend: DuckDBBackend, monkeypatch: pytest.MonkeyPatch, before: int, then: int, close: bool
) -> None:
    """Its vectors are on disk, and belong to nobody: not to what is written next, in this process or another."""
    store = backend.open_collection(INFO)
    kept = records(clustered(before), start=1000)
    store.put(kept)

    def refuse(*_: object) -> None:
        raise StorageError("no")

    with monkeypatch.context() as patched:
        patched.setattr(DuckDBRecords, "_insert_many", refuse)
        for seed in range(3):
            with pytest.raises(StorageError):
                store.put(records(clustered(BULK, seed=seed)))
    assert contents(backend) == of(kept)
    if close:
        backend.close()
        backend = opened(tmp_path)
        store = backend.open_collection(INFO)
    more = records(clustered(then, seed=9), start=20)
    store.update(Records(kept.ids[:1], metadatas=[{"changed": True}] * min(before, 1)))
    store.put(more)
    assert contents(backend) == of(kept, more)
    [hits] = store.search(Search(clustered(then, seed=9)[:1], 1, Metric.L2))
    assert hits.records.ids == ["id20"]
    backend.close()

    backend = opened(tmp_path)
    assert contents(backend) == of(kept, more)
    backend.close()


def test_a_header_that_may_be_there(tmp_path: Path, backend: DuckDBBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its name, but the directory could not be synced: what it names is not written over, whatever comes."""
    store = backend.open_collection(INFO)
    kept, more = records(clustered(BULK), start=1000), records(clustered(3, seed=9), start=20)
    store.put(kept)

    def fail(path: Path) -> None:
        if path.is_dir():
            raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(files, "sync", fail)
        with pytest.raises(StorageError, match="Input/output error"):
            store.put(records(clustered(BULK, seed=1)))
    store.put(more)
    shutil.copytree(tmp_path, tmp_path / "as it would be found")
    crashed = opened(tmp_path / "as it would be found")
    assert contents(crashed) == of(kept, more)
    crashed.close()
    store.put(records(clustered(BULK, seed=2), start=2000))
    backend.close()

    backend = opened(tmp_path)
    assert contents(backend) == of(kept, more, records(clustered(BULK, seed=2), start=2000))
    backend.close()


def test_single_records_gather(tmp_path: Path, backend: DuckDBBackend) -> None:
    """The one that makes them as many as a bulk takes them all along."""
    store = backend.open_collection(INFO)
    every = clustered(BULK)
    for row in range(BULK):
        assert not list(tmp_path.glob("vectors/*/*.header"))
        store.put(records(every[row : row + 1], start=row))
    assert list(tmp_path.glob("vectors/*/*.header"))

    assert contents(backend) == of(records(every))
    backend.close()
    backend = opened(tmp_path)
    assert contents(backend) == of(records(every))
    backend.close()


def test_bulks_and_single_records_in_turn(tmp_path: Path, backend: DuckDBBackend) -> None:
    """They stand in the order in which they came, and replaced ones where they were."""
    store = backend.open_collection(INFO)
    written = [records(clustered(count, seed=count), start=count * 1000) for count in (1, BULK, 2, 300, 3)]
    for batch in written:
        store.put(batch)
    again = records(clustered(BULK, seed=7), start=BULK * 1000)
    store.put(again)
    expected = of(*written) | of(again)

    assert list(contents(backend)) == list(expected)
    assert contents(backend) == expected
    backend.close()
    backend = opened(tmp_path)
    assert list(contents(backend)) == list(expected)
    assert contents(backend) == expected
    backend.close()
