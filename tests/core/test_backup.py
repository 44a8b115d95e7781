"""Everything goes into a directory of its own, whole, from any engine, and comes back; or an error says why not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import plain_backend
from support.server import HOST, running_server

import chroma_plugin as chromadb
from chroma_plugin.errors import (
    ChromaError,
    CorruptionError,
    FormatVersionError,
    InvalidArgumentError,
    NotFoundError,
    StorageError,
)
from chroma_plugin.plugins import PluginManager
from chroma_plugin.testing.data import HARD_TEXTS, HARD_VALUES

COUNT = 2_300


def fill(client: chromadb.Client, name: str = "things", count: int = COUNT) -> None:
    """Records with every kind of value, some of them replaced, deleted and updated."""
    collection = client.create_collection(
        name, metadata={"about": "things", "n": 1}, configuration={"hnsw": {"space": "ip"}}, embedding_function=None
    )
    kinds = list(HARD_VALUES)
    collection.add(
        ids=[f"{row} {HARD_TEXTS[row % len(HARD_TEXTS)]}" for row in range(count)],
        embeddings=np.random.default_rng(1).normal(size=(count, 8)).astype(np.float32),
        documents=[None if row % 5 == 0 else HARD_TEXTS[row % len(HARD_TEXTS)] for row in range(count)],
        metadatas=[None if row % 7 == 0 else {"key": HARD_VALUES[kinds[row % len(kinds)]]} for row in range(count)],
        uris=[f"file://{row}" if row % 3 else None for row in range(count)],
    )
    ids = collection.get(include=[])["ids"]
    collection.delete(ids=ids[3:5])
    collection.update(ids=ids[8:9], documents=["changed"], metadatas=[{"n": 3}])
    collection.upsert(ids=ids[9:10], embeddings=[[1.0] * 8], documents=["replaced"])


def contents(client: chromadb.Client) -> dict[str, Any]:
    """All collections of all databases, in a form in which 1, 1.0 and True differ."""
    found = {}
    backend = client._session.backend
    for place in [(tenant, name) for tenant in backend.list_tenants() for name in backend.list_databases(tenant)]:
        client.set_tenant(*place)
        for collection in client.list_collections():
            got = collection.get(include=["embeddings", "documents", "metadatas", "uris"])
            embeddings: Any = got["embeddings"]
            texts = [got["ids"], got["documents"], got["uris"], collection.metadata, collection.configuration_json]
            found["/".join((*place, collection.name))] = (repr([*texts, got["metadatas"]]), embeddings.tobytes())
    return found


def opened(path: Path) -> dict[str, Any]:
    """What is in a store on disk."""
    with chromadb.PersistentClient(path) as client:
        return contents(client)


@pytest.fixture(params=["memory", "duckdb", "rest", "plain"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[chromadb.Client]:
    """An empty database of each kind."""
    if request.param == "rest":
        with running_server() as server, chromadb.HttpClient(HOST, server.port) as client:
            yield client
        return
    options = {"persist_directory": tmp_path / "store"} if request.param == "duckdb" else {}
    with chromadb.Client(chroma_db_impl=request.param, plugins=PluginManager([plain_backend]), **options) as client:
        yield client


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup of a store on disk."""
    with chromadb.PersistentClient(tmp_path / "store") as client:
        fill(client, count=50)
        client.backup(tmp_path / "backup")
    return tmp_path / "backup"


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_backup_is_a_store_with_the_same_in_it(client: chromadb.Client, tmp_path: Path) -> None:
    """From every engine: opened as it stands, and after it was restored; the report tells what is in it."""
    fill(client)
    client.create_collection("empty", embedding_function=None)
    expected = contents(client)
    report = client.backup(tmp_path / "backups" / "first")
    restored = chromadb.restore(tmp_path / "backups" / "first", tmp_path / "restored")

    assert [(each.name, each.records) for each in report.collections] == [("things", COUNT - 2), ("empty", 0)]
    assert (report.records, report.path) == (COUNT - 2, tmp_path / "backups" / "first")
    assert (restored.collections, restored.bytes, restored.path) == (
        report.collections,
        report.bytes,
        tmp_path / "restored",
    )
    assert names(tmp_path / "backups") == {"first"}
    assert opened(tmp_path / "restored") == expected
    assert opened(tmp_path / "backups" / "first") == expected


@pytest.mark.parametrize("engine", ["memory", "duckdb"])
def test_all_tenants_and_databases_are_in_it(engine: str, tmp_path: Path) -> None:
    """Also from a client that works in one of them."""
    options = {"persist_directory": tmp_path / "store"} if engine == "duckdb" else {}
    with chromadb.Client(chroma_db_impl=engine, **options) as client:
        fill(client, count=20)
        client.create_tenant("other-tenant")
        client.create_database("other-database", "other-tenant")
        client.create_database("empty-database", "other-tenant")
        client.set_tenant("other-tenant", "other-database")
        fill(client, count=30)
        fill(client, "more", count=10)
        report = client.backup(tmp_path / "backup")
        expected = contents(client)

    assert len(report.collections) == len(expected) == 3
    assert opened(tmp_path / "backup") == expected
    with chromadb.PersistentClient(tmp_path / "backup", tenant="other-tenant", database="empty-database") as client:
        assert client.count_collections() == 0


async def test_the_async_twin(tmp_path: Path) -> None:
    """The same, awaited."""
    async with chromadb.AsyncClient(path=tmp_path / "store") as client:
        collection = await client.create_collection("things", embedding_function=None)
        await collection.add(ids=["a"], embeddings=[[1.0, 2.0]])
        assert (await client.backup(tmp_path / "backup")).records == 1
    with chromadb.PersistentClient(tmp_path / "backup") as copy:
        assert copy.get_collection("things").get()["ids"] == ["a"]


def test_progress_is_told(backup: Path, tmp_path: Path) -> None:
    """In bytes, up to all of them."""
    told: list[tuple[str, int, int]] = []
    with chromadb.PersistentClient(tmp_path / "store") as client:
        client.backup(tmp_path / "again", on_progress=lambda *news: told.append(news))
    chromadb.restore(backup, tmp_path / "restored", on_progress=lambda *news: told.append(news))
    assert {what for what, _, _ in told} == {"bytes"}
    assert sum(done == size for _, done, size in told) == 2


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", ["directory", "file", "link", "store"])
def test_nothing_is_written_over(backup: Path, tmp_path: Path, taken: str) -> None:
    """Not an empty directory, a file or a link that leads nowhere; neither by a backup nor by a restore."""
    path = tmp_path / taken
    if taken == "directory":
        path.mkdir()
    elif taken == "file":
        path.write_text("mine")
    elif taken == "link":
        path.symlink_to(tmp_path / "nowhere")
    before = names(tmp_path)
    with chromadb.Client() as client, pytest.raises(StorageError, match="exists already"):
        client.backup(path)
    with pytest.raises(StorageError, match="exists already"):
        chromadb.restore(backup, path)
    assert names(tmp_path) == before
    assert taken != "file" or path.read_text() == "mine"


@pytest.mark.parametrize("path", [None, 7, "", b"bytes", "nul\0", ["list"]])
def test_what_is_no_path(path: Any) -> None:
    """An error of ours that shows it."""
    with chromadb.Client() as client, pytest.raises(InvalidArgumentError, match="must be a path"):
        client.backup(path)
    with pytest.raises(InvalidArgumentError, match="must be a path"):
        chromadb.restore(path, "anywhere")


def test_not_into_itself(backup: Path, tmp_path: Path) -> None:
    """A backup in the store, or a store in the backup, would grow with each."""
    before = names(tmp_path / "store")
    with (
        chromadb.PersistentClient(tmp_path / "store") as client,
        pytest.raises(InvalidArgumentError, match="in the store itself"),
    ):
        client.backup(tmp_path / "store" / "backup")
    assert names(tmp_path / "store") == before
    with pytest.raises(InvalidArgumentError, match="in the backup itself"):
        chromadb.restore(backup, backup / "restored")


def test_a_store_is_no_backup(backup: Path, tmp_path: Path) -> None:
    """Nor is an empty directory, nothing, or a file; nor what was restored from one."""
    chromadb.restore(backup, tmp_path / "restored")
    for path in (tmp_path / "store", tmp_path / "restored", tmp_path / "nothing", backup / "chroma.duckdb"):
        with pytest.raises(NotFoundError, match="is no backup"):
            chromadb.restore(path, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("place", [0, 12_000, 300_000, -1])
def test_a_flipped_bit_in_a_backup_is_noticed(backup: Path, tmp_path: Path, place: int) -> None:
    """Wherever it is, used or not; nothing is restored."""
    damaged = bytearray((backup / "chroma.duckdb").read_bytes())
    damaged[place] ^= 1
    (backup / "chroma.duckdb").write_bytes(damaged)
    before = names(tmp_path)
    with pytest.raises(CorruptionError, match=r"chroma\.duckdb is not what was backed up"):
        chromadb.restore(backup, tmp_path / "restored")
    assert names(tmp_path) == before


def test_a_file_too_few_or_too_many(backup: Path, tmp_path: Path) -> None:
    """Such as a log, which would change what is in it; a link is not followed."""
    (backup / "chroma.duckdb.wal").write_bytes(b"")
    with pytest.raises(StorageError, match=r"duckdb\.wal is not of the backup"):
        chromadb.restore(backup, tmp_path / "restored")
    (backup / "chroma.duckdb.wal").unlink()
    (backup / "link").symlink_to("/etc/hostname")
    with pytest.raises(StorageError, match="links and devices"):
        chromadb.restore(backup, tmp_path / "restored")
    (backup / "link").unlink()
    (backup / "chroma.duckdb").unlink()
    with pytest.raises(CorruptionError, match=r"chroma\.duckdb of the backup is missing"):
        chromadb.restore(backup, tmp_path / "restored")


def test_a_backup_that_was_written_to_is_a_store(backup: Path, tmp_path: Path) -> None:
    """It can't be told from a damaged one, and the error says what to do."""
    with chromadb.PersistentClient(backup) as client:
        client.get_collection("things").add(ids=["late"], embeddings=[[1.0] * 8])
    with pytest.raises(StorageError, match="chroma-plugin backup"):
        chromadb.restore(backup, tmp_path / "restored")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", CorruptionError),
        ("{}", CorruptionError),
        ("[1]", CorruptionError),
        (
            '{"format": 1, "collections": [], "files": {"../store/chroma.duckdb": {"bytes": 1, "sha256": ""}}}',
            ChromaError,
        ),
        ('{"format": 1, "collections": [{"name": 1}], "files": {}}', CorruptionError),
        ('{"format": 1, "collections": [], "files": {"chroma.duckdb": 3}}', CorruptionError),
        ('{"format": 2, "written_by": "3.1"}', FormatVersionError),
    ],
)
def test_a_manifest_that_is_none(backup: Path, tmp_path: Path, text: str, error: type[ChromaError]) -> None:
    """Damaged, made up, or of a later release: nothing is restored, and no name in it leads out of the backup."""
    (backup / "backup.json").write_text(text)
    with pytest.raises(error):
        chromadb.restore(backup, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_a_later_backup_names_the_release(backup: Path, tmp_path: Path) -> None:
    """That has to be installed."""
    told = json.loads((backup / "backup.json").read_text())
    (backup / "backup.json").write_text(json.dumps({**told, "format": 2, "written_by": "3.1"}))
    with pytest.raises(FormatVersionError, match=r"pip install -U 'chroma-plugin>=3\.1'"):
        chromadb.restore(backup, tmp_path / "restored")


# -- cut short -------------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys, chroma_plugin
with chroma_plugin.PersistentClient(sys.argv[1]) as client:
    def told(what, done, size):
        os.kill(os.getpid(), signal.SIGKILL)
    {call}
"""
TOO_LARGE = """
import resource, sys, chroma_plugin
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    with chroma_plugin.PersistentClient(sys.argv[1], read_only=True) as client:
        {call}
except chroma_plugin.errors.StorageError as error:
    print(error)
"""
CALLS = {
    "backup": "client.backup(sys.argv[3], on_progress=told)",
    "restore": "chroma_plugin.restore(sys.argv[2], sys.argv[3], on_progress=told)",
}


def ran(program: str, *places: Path) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-c", program, *map(str, places)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("call", CALLS)
def test_one_that_was_killed_is_never_taken_for_one(backup: Path, tmp_path: Path, call: str) -> None:
    """Its name is another, it is no backup, and the next attempt does not mind it."""
    places = (tmp_path / "store", backup, tmp_path / "cut")
    assert ran(KILLED.format(call=CALLS[call]), *places).returncode == -9
    [left] = tmp_path.glob("cut.*.unfinished")
    assert not (tmp_path / "cut").exists()
    with pytest.raises(NotFoundError, match="is no backup"):
        chromadb.restore(left, tmp_path / "restored")
    with chromadb.PersistentClient(tmp_path / "store") as client:
        client.backup(tmp_path / "cut")
    assert opened(tmp_path / "cut") == opened(backup)


@pytest.mark.skipif(os.name != "posix", reason="limits")
@pytest.mark.parametrize("call", CALLS)
def test_a_disk_without_room_is_left_as_it_was(backup: Path, tmp_path: Path, call: str) -> None:
    """An error of ours, and nothing beside it."""
    before = names(tmp_path)
    program = TOO_LARGE.format(call=CALLS[call].replace("told", "None"))
    result = ran(program, tmp_path / "store", backup, tmp_path / "large")
    assert "can't be written" in result.stdout, result
    assert "Nothing was left there" in result.stdout
    assert names(tmp_path) == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_where_nothing_may_be_written(tmp_path: Path) -> None:
    """An error of ours."""
    (tmp_path / "closed").mkdir(mode=0o500)
    with chromadb.Client() as client, pytest.raises(StorageError, match="can't be written"):
        client.backup(tmp_path / "closed" / "backup")
    shutil.rmtree(tmp_path / "closed")
