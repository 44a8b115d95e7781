"""Directories that the real chromadb writes are read as it reads them, and copied; and so is its server."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.chromadb_answers import check
from support.peers import chroma_run, run

import chroma_plugin
from chroma_plugin import Client, HttpClient
from chroma_plugin.copying import CopyReport

SCRIPT = Path(__file__).parent / "scripts" / "chromadb_directory.py"


WRITES = """
import sys, chromadb, numpy as np
collection = chromadb.PersistentClient(sys.argv[1]).get_or_create_collection("kept", embedding_function=None)
for start in range(0, 10**9, 50):
    rows = range(start, start + 50)
    ids, metadatas = [str(row) for row in rows], [{"n": row} for row in rows]
    collection.add(ids=ids, embeddings=np.random.rand(50, 8), metadatas=metadatas)
    print(start + 50, flush=True)
"""
READS = """
import json, sys, chromadb
found = chromadb.PersistentClient(sys.argv[1]).get_collection("kept", embedding_function=None).get(
    include=["embeddings", "metadatas"])
print(json.dumps([found["ids"], found["metadatas"], found["embeddings"].tolist()]))
"""


@dataclass(frozen=True)
class Written:
    """A directory, and what chromadb says is in it."""

    path: Path
    answers: Any


@pytest.fixture(scope="module", params=[12, 700, 6000])
def written(request: pytest.FixtureRequest, peer_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Small, and larger than what chromadb writes to its files in one go."""
    path = tmp_path_factory.mktemp("chromadb") / "theirs"
    return Written(path, json.loads(run([peer_python, SCRIPT, path, str(request.param)])))


def test_it_is_read_as_chromadb_reads_it(written: Written) -> None:
    """All of it: deleted, updated, added again, filed and only logged, in every space."""
    with Client(chroma_db_impl="chromadb", persist_directory=written.path) as client:
        check(client, written.answers)


def test_it_is_copied(written: Written, tmp_path: Path) -> None:
    """Into a store on disk, which then says the same."""
    with (
        Client(chroma_db_impl="chromadb", persist_directory=written.path) as theirs,
        chroma_plugin.PersistentClient(tmp_path) as ours,
    ):
        report = theirs.copy_to(ours, everything=True)
        assert report.records == sum(len(found["ids"]) for part in written.answers.values() for found in part)
        check(ours, written.answers)
        assert theirs.copy_to(ours, everything=True).written == 0


def counted(report: CopyReport) -> dict[str, int]:
    return {found.name: found.records for found in report.collections}


@pytest.fixture
def their_server(peer_python: Path, tmp_path: Path) -> Iterator[tuple[str, int]]:
    with chroma_run(peer_python, tmp_path) as address:
        yield address


def test_to_their_server_and_back(written: Written, their_server: tuple[str, int]) -> None:
    """Chroma's own server as the target and as the source."""
    with (
        Client(chroma_db_impl="chromadb", persist_directory=written.path) as theirs,
        HttpClient(*their_server) as server,
        Client() as back,
    ):
        report = theirs.copy_to(server)
        assert theirs.copy_to(server).written == 0
        again = server.copy_to(back)
        # Their server lists collections in an order of its own.
        assert counted(again) == counted(report)
        for collection in theirs.list_collections():
            assert back.get_collection(collection.name).get() == collection.get()


@pytest.mark.parametrize("acknowledged", [250, 1000, 2150])
def test_what_it_leaves_when_it_is_killed(peer_python: Path, tmp_path: Path, acknowledged: int) -> None:
    """``kill -9`` in the middle of writing: what chromadb finds when it opens it again, we have read before."""
    process = subprocess.Popen([peer_python, "-c", WRITES, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    next(line for line in process.stdout if int(line) >= acknowledged)
    process.kill()
    process.wait()
    process.stdout.close()
    # SQLite's own journal, if it was cut, is for SQLite to undo.
    with closing(sqlite3.connect(tmp_path / "chroma.sqlite3")) as connection:
        connection.execute("SELECT count(*) FROM embeddings").fetchall()
    with Client(chroma_db_impl="chromadb", persist_directory=tmp_path) as client:
        ours = client.get_collection("kept").get(include=["embeddings", "metadatas"])
    ids, metadatas, embeddings = json.loads(run([peer_python, "-c", READS, tmp_path]))
    assert len(ids) >= acknowledged
    assert (ours["ids"], ours["metadatas"]) == (ids, metadatas)
    np.testing.assert_array_equal(np.asarray(ours["embeddings"]), embeddings)
