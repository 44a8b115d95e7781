"""The DuckDB file: safe to trust, open to others, and no larger than it must be."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import chroma_plugin_duckdb
import duckdb
import numpy as np
import pytest
from chroma_plugin_duckdb import opening
from chroma_plugin_duckdb.backend import DuckDBBackend
from chroma_plugin_duckdb.connecting import connect
from chroma_plugin_duckdb.file import NAME
from chroma_plugin_duckdb.options import DuckDBOptions
from chroma_plugin_duckdb.schema import records_table
from support.vectors import clustered, records

from chroma_plugin.errors import (
    ClosedError,
    CorruptionError,
    FormatVersionError,
    ReadOnlyError,
    StorageError,
)
from chroma_plugin.toolkit import graph, upkeep
from chroma_plugin.toolkit.local_backend import LocalBackend
from chroma_plugin.types import CollectionInfo, Records, Scan

INFO = CollectionInfo(uuid4(), "things", configuration={"hnsw": {"space": "l2"}}, dimension=16)


def opened(place: Path, **options: bool) -> LocalBackend:
    return opening.opened(DuckDBOptions(place, **options))


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[DuckDBBackend]:
    backend = opened(tmp_path)
    backend.create_collection(INFO)
    yield backend
    with suppress(ClosedError):  # most tests close it themselves
        backend.close()


def ids_in(place: Path) -> list[str]:
    backend = opened(place)
    try:
        return [id for batch in backend.open_collection(INFO).scan(Scan()) for id in batch.ids]
    finally:
        backend.close()


def test_any_duckdb_reads_the_file_with_sql(tmp_path: Path, backend: DuckDBBackend) -> None:
    """A plain connection finds the collection's table, its metadata as JSON and its vectors as float32."""
    backend.open_collection(INFO).put(records(clustered(20)))
    backend.close()

    with duckdb.connect(tmp_path / NAME, read_only=True) as connection:
        [(number,)] = connection.execute("SELECT number FROM collections WHERE name = 'things'").fetchall()
        rows = connection.execute(
            f"SELECT id, metadata->>'$.tenth', embedding FROM records_{number} WHERE (metadata->'tenth')::INT = 3"
        ).fetchall()

    assert [row[:2] for row in rows] == [("id3", "3"), ("id13", "3")]
    assert np.array_equal(np.frombuffer(rows[0][2], "<f4"), clustered(20)[3])


def test_a_second_process_learns_who_has_the_store(tmp_path: Path, backend: DuckDBBackend) -> None:
    """Who wants to write what another process has open is told its PID and the ways out; who reads gets to read."""
    script = f"""
        from pathlib import Path
        from chroma_plugin.errors import LockedError
        from chroma_plugin_duckdb.opening import opened
        from chroma_plugin_duckdb.options import DuckDBOptions
        for read_only in (False, True):
            try:
                backend = opened(DuckDBOptions({str(tmp_path)!r}, read_only=read_only))
                print(len(backend.list_collections("default_tenant", "default_database")))
            except LockedError as error:
                print(error.pid, "read_only" in str(error))
    """
    output = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    ).stdout

    assert output.splitlines() == [f"{os.getpid()} True", "1"]


def test_readers_share_a_store_and_change_nothing(tmp_path: Path, backend: DuckDBBackend) -> None:
    """read_only opens while another read_only has it open; every write is refused and leaves things as they were."""
    backend.open_collection(INFO).put(records(clustered(5)))
    backend.close()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    script = f"""
        from uuid import UUID
        from chroma_plugin_duckdb.opening import opened
        from chroma_plugin_duckdb.options import DuckDBOptions
        backend = opened(DuckDBOptions({str(tmp_path)!r}, read_only=True))
        [info] = backend.list_collections("default_tenant", "default_database")
        print(backend.open_collection(info).count())
    """
    reader = opened(tmp_path, read_only=True)
    output = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    ).stdout
    store = reader.open_collection(INFO)

    assert output == "5\n"
    for write in (
        lambda: store.put(records(clustered(1), start=9)),
        lambda: store.delete(["id1"]),
        lambda: store.update(Records(["id1"], documents=["new"])),
        lambda: reader.drop_collection(INFO),
        lambda: reader.create_collection(CollectionInfo(uuid4(), "more")),
        reader.compact,
        reader.reset,
    ):
        with pytest.raises(ReadOnlyError):
            write()
    assert store.count() == 5
    assert len(reader.list_collections("default_tenant", "default_database")) == 1
    reader.close()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_there_is_nothing_to_read_in_an_empty_directory(tmp_path: Path) -> None:
    """read_only of nothing says so, and makes nothing."""
    with pytest.raises(StorageError, match="no store to read"):
        opened(tmp_path / "absent", read_only=True)
    assert not (tmp_path / "absent").exists()


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """A process that is killed while it writes batches loses none that it reported, and keeps no part of one."""
    script = f"""
        import sys
        import numpy as np
        from uuid import UUID
        from chroma_plugin.types import CollectionInfo, Records
        from chroma_plugin_duckdb.backend import DuckDBBackend, DuckDBOptions
        backend = DuckDBBackend(DuckDBOptions({str(tmp_path)!r}))
        info = CollectionInfo(UUID({str(INFO.id)!r}), "things", configuration={{"hnsw": {{}}}}, dimension=16)
        backend.create_collection(info)
        store = backend.open_collection(info)
        for batch in range(100_000):
            ids = [f"{{batch}}-{{row}}" for row in range(10)]
            store.put(Records(ids, np.zeros((10, 16), np.float32), ["d"] * 10, [None] * 10))
            print(batch, flush=True)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().split("\n") if line]
    process.wait()
    process.stdout.close()

    found = ids_in(tmp_path)

    batches = len(found) // 10
    assert found == [f"{batch}-{row}" for batch in range(batches) for row in range(10)]
    assert batches > acknowledged[-1]


def test_a_store_of_a_newer_format_is_refused(tmp_path: Path, backend: DuckDBBackend) -> None:
    """The error says what wrote it and what to do, and the file stays as it is."""
    backend.close()
    with duckdb.connect(tmp_path / NAME) as connection:
        connection.execute("UPDATE chroma_format SET version = 99, written_by = '9.9'")

    with pytest.raises(FormatVersionError, match=r"format 99, written by chroma-plugin 9\.9.*pip install -U"):
        opened(tmp_path)


def test_a_foreign_duckdb_file_is_refused(tmp_path: Path) -> None:
    """A DuckDB file with other tables is not written into."""
    with duckdb.connect(tmp_path / NAME) as connection:
        connection.execute("CREATE TABLE theirs (x INTEGER)")

    with pytest.raises(StorageError, match="not one of chroma-plugin"):
        opened(tmp_path)


@pytest.mark.parametrize("damage", [b"garbage" * 1000, b""])
def test_a_damaged_file_is_an_error_not_an_empty_store(tmp_path: Path, backend: DuckDBBackend, damage: bytes) -> None:
    """Junk in the place of the file is reported; nothing is overwritten."""
    backend.close()
    (tmp_path / NAME).write_bytes(damage or (tmp_path / NAME).read_bytes()[:5000])

    with pytest.raises(CorruptionError, match="damaged"):
        opened(tmp_path)


def test_a_file_where_the_directory_should_be_is_refused(tmp_path: Path) -> None:
    """persist_directory may not be a file."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(StorageError, match="is a file"):
        opened(tmp_path / "file")


@pytest.mark.parametrize("name", ["a'b", 'a"b', "a;b", "a*b", "a b", "é😀", "%20", "--"])
def test_a_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Quotes, spaces and the like in the path do no harm."""
    for expected in (0, 1):
        backend = opened(tmp_path / name)
        infos = backend.list_collections("default_tenant", "default_database")
        assert len(infos) == expected
        if not infos:
            backend.create_collection(INFO)
        backend.compact()
        backend.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_question_mark_in_the_path_is_refused(tmp_path: Path) -> None:
    """DuckDB would put its log into another directory."""
    with pytest.raises(StorageError, match="rename it"):
        opened(tmp_path / "a?b")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "statement",
    [
        "COPY tenants TO 'out.csv'",
        "SELECT * FROM read_text('/etc/hostname')",
        "ATTACH 'other.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
    ],
)
def test_no_statement_reaches_outside_the_file(backend: DuckDBBackend, statement: str) -> None:
    """Files, extensions and settings are out of reach, whatever gets into a statement."""
    with pytest.raises(StorageError), backend._file.reading() as cursor:
        cursor.execute(statement)


def test_statements_are_constants() -> None:
    """No value is ever put into SQL text: only the name of a numbered table, or of a column of ours."""
    allowed = {"records_table", "_table", "_RECORDS", "changes", "name", "table", "_AT_ONCE"}
    for file in Path(chroma_plugin_duckdb.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "").startswith(("execute", "arrays")):
                for part in (argument for argument in node.args if not isinstance(argument, (ast.List, ast.Dict))):
                    names = {
                        getattr(value.value, "attr", getattr(value.value, "id", None))
                        or getattr(value.value.func, "attr", getattr(value.value.func, "id", None))
                        for value in ast.walk(part)
                        if isinstance(value, ast.FormattedValue)
                    }
                    assert names <= allowed, f"{file.name}:{node.lineno}: {names - allowed} in a statement"


def test_few_optimizers_are_asked(backend: DuckDBBackend) -> None:
    """Three, and one of them has a filter looked at where the table is read."""
    backend.open_collection(INFO).put(records(clustered(10)))
    with backend._file.reading() as cursor:
        [(number,)] = cursor.execute("SELECT number FROM collections")
        table = records_table(number)
        [(_, plan)] = cursor.execute(f"EXPLAIN SELECT place FROM {table} WHERE stamp < 3")
        [(asked,)] = cursor.execute(
            "SELECT count(*) FROM duckdb_optimizers() "
            "WHERE name NOT IN (SELECT unnest(string_split(current_setting('disabled_optimizers'), ',')))"
        )
    assert "Filters: stamp < 3" in plan
    assert asked == 3


def test_compacting_takes_deleted_text_off_the_disk(tmp_path: Path, backend: DuckDBBackend) -> None:
    """After delete and compact the file is smaller, the secret is nowhere, and the rest is as it was."""
    store = backend.open_collection(INFO)
    store.put(records(clustered(50_000)))
    store.put(Records(["secret"], clustered(1), ["the word is plugh-4711"], [{"also": "plugh-4711"}]))
    backend.flush()
    size = (tmp_path / NAME).stat().st_size
    store.delete(["secret", *(f"id{number}" for number in range(49_000))])

    backend.compact()

    assert (tmp_path / NAME).stat().st_size < size / 2
    assert not any(b"plugh-4711" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    store.put(records(clustered(1), start=60_000))
    backend.close()
    assert ids_in(tmp_path) == [*(f"id{number}" for number in range(49_000, 50_000)), "id60000"]


def bytes_in(place: Path) -> int:
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def test_space_comes_back_by_itself(tmp_path: Path) -> None:
    """A store of which most was deleted shrinks when it is closed."""
    backend = opened(tmp_path)
    info = CollectionInfo(uuid4(), "wide", configuration={"hnsw": {}}, dimension=1024)
    backend.create_collection(info)
    store = backend.open_collection(info)
    store.put(records(clustered(20_000, dimension=1024)))
    backend.flush()
    full = bytes_in(tmp_path)
    store.delete([f"id{number}" for number in range(100, 20_000)])
    backend.close()

    assert bytes_in(tmp_path) < full / 10
    backend = opened(tmp_path)
    assert backend.open_collection(info).count() == 100
    backend.close()


@pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
class TestIndexFiles:
    """Graphs are kept between two openings, and thrown away when anything about them is doubtful."""

    def reopened_index(self, place: Path) -> dict[str, object]:
        backend = opened(place)
        store = backend.open_collection(INFO)
        backend._background.wait()
        facts = store.stats()
        backend.close()
        return facts

    @pytest.fixture
    def place(self, tmp_path: Path, backend: DuckDBBackend, monkeypatch: pytest.MonkeyPatch) -> Path:
        with monkeypatch.context() as patch:
            patch.setattr(upkeep, "graph_from", lambda: 3000)
            store = backend.open_collection(INFO)
            store.put(records(clustered(3000)))
            store.optimize()
            backend.close()
        return tmp_path

    def files(self, place: Path) -> dict[str, Path]:
        return {path.suffix: path for path in (place / "index" / str(INFO.id)).iterdir()}

    def test_they_are_loaded_and_not_built_again(self, place: Path) -> None:
        """The next process has the whole index, from the same file."""
        before = {path: path.stat().st_mtime_ns for path in self.files(place).values()}

        assert self.reopened_index(place)["indexed"] == 3000
        assert {path: path.stat().st_mtime_ns for path in self.files(place).values()} == before

    def test_asked_for_at_once_it_is_loaded_too(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """`create_index` right after opening makes nothing that is in the files."""
        monkeypatch.setattr(upkeep, "graph_from", lambda: 3000)
        before = {path: path.stat().st_mtime_ns for path in self.files(place).values()}
        backend = opened(place)
        with backend._background._changed:  # the background has not begun
            store = backend.open_collection(INFO)
            store.optimize()

        assert [len(graph) for graph in store.view.graphs] == [3000]
        backend.close()
        assert {path: path.stat().st_mtime_ns for path in self.files(place).values()} == before

    def test_what_changed_since_is_known(self, place: Path) -> None:
        """Records deleted, replaced and updated after the index was written are not found through it as they were."""
        backend = opened(place)
        store = backend.open_collection(INFO)
        store.delete(["id0"])
        store.put(records(clustered(1, seed=9), start=1))
        store.update(Records(["id2"], metadatas=[{"new": True}]))
        store.put(records(clustered(10, seed=8), start=3000))
        backend.close()

        facts = self.reopened_index(place)

        assert (facts["indexed"], facts["unindexed"]) == (2998, 11)

    @pytest.mark.parametrize("damage", ["flip", "cut", "empty", "gone"])
    def test_damage_costs_the_index_never_the_answer(self, place: Path, damage: str) -> None:
        """A damaged index file is dropped without a word; searches go another way."""
        file = self.files(place)[".graph"]
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 4
        if damage == "gone":
            file.unlink()
        else:
            file.write_bytes({"flip": bytes(data), "cut": bytes(data[:-7]), "empty": b""}[damage])

        assert self.reopened_index(place)["indexed"] == 0
        assert ".graph" not in self.files(place)

    def test_a_lost_index_is_built_again(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody has to ask for it."""
        self.files(place)[".graph"].unlink()
        monkeypatch.setattr(upkeep, "graph_from", lambda: 3000)

        assert self.reopened_index(place)["indexed"] == 3000
        assert ".graph" in self.files(place)

    def test_a_graph_that_another_took_in_is_dropped(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that ends between writing a graph and deleting those before it leaves both."""
        old = self.files(place)[".graph"]
        kept = old.read_bytes()
        monkeypatch.setattr(upkeep, "TAIL_FROM", 1000)
        monkeypatch.setattr(upkeep, "graph_from", lambda: 3000)
        backend = opened(place)
        store = backend.open_collection(INFO)
        store.put(records(clustered(1000, seed=3), start=3000))
        store.optimize()
        backend.close()
        old.write_bytes(kept)

        backend = opened(place)
        store = backend.open_collection(INFO)
        backend._background.wait()
        found = store.view.graphs
        backend.close()

        assert [len(graph) for graph in found] == [4000]
        assert not old.exists()

    def test_a_stamp_is_not_given_twice(self, place: Path) -> None:
        """A record added after the newest was deleted and the store reopened is not taken for it."""
        backend = opened(place)
        backend.open_collection(INFO).delete(["id2999"])
        backend.close()
        backend = opened(place)
        store = backend.open_collection(INFO)
        store.put(records(clustered(1, seed=77), start=5000))
        backend.close()

        assert self.reopened_index(place)["unindexed"] == 1


def test_a_connection_has_no_way_out(tmp_path: Path) -> None:
    """The options the file is opened with are those that keep untrusted data in."""
    connection = connect(tmp_path / NAME, read_only=False)
    settings = dict(connection.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    connection.close()

    assert settings["enable_external_access"] == "false"
    assert settings["autoinstall_known_extensions"] == settings["autoload_known_extensions"] == "false"


def test_names_are_data(backend: DuckDBBackend) -> None:
    """Names, ids, keys and values full of SQL come back as they went in."""
    evil = "'); DROP TABLE tenants; --\" \\ $1 ?"
    info = CollectionInfo(uuid4(), evil, {evil: evil}, configuration={"hnsw": {}}, dimension=1)
    backend.create_tenant(evil)
    backend.create_database(evil, evil)
    backend.create_collection(info)
    store = backend.open_collection(info)
    store.put(Records([evil], np.ones((1, 1), np.float32), [evil], [{evil: evil}], [evil]))
    [batch] = store.scan(Scan(ids=[evil]))

    assert (batch.ids, batch.documents, batch.metadatas, batch.uris) == ([evil], [evil], [{evil: evil}], [evil])
    assert backend.list_databases(evil) == [evil]
