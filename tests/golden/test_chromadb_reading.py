"""A directory that chromadb 1.5.9 wrote is read exactly, unchanged, and without running anything in it."""

from __future__ import annotations

import json
import pickle
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from support.chromadb_answers import check, check_collection, files

import chroma_plugin
from chroma_plugin import Client
from chroma_plugin.errors import CorruptionError, InvalidArgumentError, NotFoundError, ReadOnlyError, StorageError

GOLDEN: Final = Path(__file__).parent / "chroma-1.5.9"
ANSWERS: Final[dict[str, Any]] = json.loads((Path(__file__).parent / "chroma-1.5.9.json").read_text())
PERSISTENT_DATA: Final = b"\x80\x03cchromadb.segment.impl.vector.local_persistent_hnsw\nPersistentData\n)\x81"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the directory, that a test may damage."""
    return Path(shutil.copytree(GOLDEN, tmp_path / "theirs"))


@pytest.fixture
def client(directory: Path) -> Iterator[Client]:
    with opened(directory) as client:
        yield client


def opened(directory: Path) -> Client:
    return Client(chroma_db_impl="chromadb", persist_directory=directory)


def sql(directory: Path, statement: str, *values: Any) -> list[Any]:
    connection = sqlite3.connect(directory / "chroma.sqlite3")
    try:
        with connection:
            return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def folder_of(directory: Path, collection: str) -> Path:
    """The folder with the vectors of a collection in the default database."""
    query = """SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection JOIN databases d
        ON d.id = c.database_id WHERE s.scope = 'VECTOR' AND c.name = ? AND d.tenant_id = 'default_tenant'"""
    return directory / str(sql(directory, query, collection)[0][0])


def read(directory: Path, collection: str) -> Any:
    with opened(directory) as client:
        return client.get_collection(collection).get(include=["embeddings", "documents"])


def test_it_says_what_chromadb_said(directory: Path) -> None:
    """Every record, value, vector, configuration and function's name, in both tenants; no file is touched."""
    before = files(directory)
    with opened(directory) as client:
        check(client, ANSWERS)
    assert files(directory) == before


def test_it_answers_queries_and_filters(client: Client) -> None:
    """What an engine does not do itself, the core does: so a directory can be looked into before it is copied."""
    collection = client.get_collection("filed-l2")
    vector = collection.get(ids=["id 9"], include=["embeddings"])["embeddings"]
    assert collection.query(query_embeddings=vector, n_results=1)["ids"] == [["id 9"]]
    assert collection.get(where={"words": {"$contains": "a"}}, limit=2)["ids"] == ["id 1", "id 4"]
    assert collection.get(limit=3, offset=50)["ids"] == ANSWERS["default_tenant/default_database"][0]["ids"][50:53]
    assert collection.get(ids=["new", "nobody", "id 1"])["ids"] == ["new", "id 1"]


def test_it_is_never_changed(client: Client) -> None:
    """Every write says so, and how to copy."""
    collection = client.get_collection("filed-l2")
    writes = [
        lambda: client.create_collection("more", embedding_function=None),
        lambda: client.delete_collection("filed-l2"),
        lambda: client.create_tenant("more"),
        lambda: client.create_database("more"),
        lambda: collection.add(ids=["x"], embeddings=[[0.0] * 5]),
        lambda: collection.update(ids=["id 1"], documents=["x"], embeddings=[[0.0] * 5]),
        lambda: collection.delete(ids=["id 1"]),
        lambda: collection.modify(name="another"),
    ]
    for write in writes:
        with pytest.raises(ReadOnlyError, match="chroma-plugin copy"):
            write()
    with pytest.raises(ReadOnlyError, match="chroma-plugin copy"):
        client.reset()


def test_the_duckdb_engine_does_not_take_the_directory(directory: Path) -> None:
    """Nobody gets an empty store beside the records that he expects."""
    with pytest.raises(StorageError, match="chroma-plugin copy"):
        chroma_plugin.PersistentClient(directory)
    assert not (directory / "chroma.duckdb").exists()


def test_no_such_directory(tmp_path: Path) -> None:
    """It is not made."""
    with pytest.raises(NotFoundError, match=r"chroma\.sqlite3"):
        opened(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


# -- the table of labels ---------------------------------------------------------------------------------------------


class Payload:
    """A pickle of it runs a command when it is loaded."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> Any:
        return Path.touch, (self.witness,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_not_run(directory: Path, tmp_path: Path, protocol: int) -> None:
    """One that would run code is refused, in any protocol, and has run nothing."""
    witness = tmp_path / "witness"
    evil = {"id_to_label": {"id 1": 1}, "more": Payload(witness)}
    (folder_of(directory, "filed-l2") / "index_metadata.pickle").write_bytes(pickle.dumps(evil, protocol))
    with pytest.raises(CorruptionError, match="not the table that chromadb writes"):
        read(directory, "filed-l2")
    assert not witness.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", b"\x80\x03N.", b"\x80\x03}.", PERSISTENT_DATA.replace(b"chromadb", b"os.path") + b"."],
    ids=["empty", "junk", "none", "no labels", "another class"],
)
def test_a_damaged_table_is_an_error(directory: Path, content: bytes) -> None:
    """Of ours, and it names the file."""
    (folder_of(directory, "filed-l2") / "index_metadata.pickle").write_bytes(content)
    with pytest.raises(CorruptionError, match=r"index_metadata\.pickle"):
        read(directory, "filed-l2")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_the_tables_of_early_releases_are_read(directory: Path, protocol: int) -> None:
    """Releases 0.4 to 0.6 pickled a class with these attributes, and kept the last change in it alone, as bytes."""
    path = folder_of(directory, "filed-l2") / "index_metadata.pickle"
    expected = read(directory, "filed-l2")
    table = pickle.loads(path.read_bytes())
    [(last,)] = sql(directory, "SELECT seq_id FROM max_seq_id WHERE segment_id = ?", path.parent.name)
    sql(directory, "DELETE FROM max_seq_id WHERE segment_id = ?", path.parent.name)
    state = pickle.dumps({**table, "max_seq_id": last, "dimensionality": 5}, protocol)
    path.write_bytes(PERSISTENT_DATA + state[2:-1] + b"b.")
    found = read(directory, "filed-l2")
    assert found["ids"] == expected["ids"]
    np.testing.assert_array_equal(found["embeddings"], expected["embeddings"])


# -- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["header.bin", "data_level0.bin", "length.bin"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_damaged_vector_files_are_an_error(directory: Path, name: str, damage: str) -> None:
    """One that names the file, and no vector of another record."""
    path = folder_of(directory, "filed-cosine") / name
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[:50])
    with pytest.raises(CorruptionError, match=name):
        read(directory, "filed-cosine")


def test_a_record_without_a_vector_is_an_error(directory: Path) -> None:
    """It is named; documents can be read all the same."""
    sql(directory, "DELETE FROM embeddings_queue WHERE id = 'late'")
    with pytest.raises(CorruptionError, match="'late'"):
        read(directory, "filed-l2")
    with opened(directory) as client:
        assert client.get_collection("filed-l2").get(ids=["late"])["ids"] == ["late"]


def test_files_that_are_no_sqlite(tmp_path: Path) -> None:
    """Junk, and a database of somebody else."""
    (tmp_path / "chroma.sqlite3").write_bytes(b"junk" * 1000)
    with pytest.raises(CorruptionError):
        opened(tmp_path)
    (tmp_path / "chroma.sqlite3").unlink()
    sql(tmp_path, "CREATE TABLE collections (id TEXT)")
    with pytest.raises(CorruptionError, match="no table"):
        opened(tmp_path)


def test_what_today_s_rules_refuse_is_named(directory: Path) -> None:
    """A collection of a name that can't be, before anything is read; a segment that is no UUID leads to no path."""
    sql(directory, "UPDATE collections SET name = '../x' WHERE name = 'logged'")
    with opened(directory) as client, pytest.raises(InvalidArgumentError, match=r"\.\./x"):
        client.list_collections()
    sql(directory, "UPDATE collections SET name = 'logged' WHERE name = '../x'")
    sql(directory, "UPDATE segments SET id = '../../' || id WHERE scope = 'VECTOR'")
    with pytest.raises(CorruptionError, match="UUID"):
        read(directory, "logged")


def test_a_change_while_reading_is_noticed(directory: Path) -> None:
    """Another process that writes: an error, rather than a mixture of two moments."""
    with opened(directory) as client:
        collection = client.get_collection("logged")
        assert collection.count() == 53
        sql(directory, "INSERT INTO tenants VALUES ('another')")
        with pytest.raises(StorageError, match="changed while it was read"):
            collection.get()


def test_what_is_in_the_log_alone_is_read(directory: Path) -> None:
    """It was killed between its log and its tables: here before anything of a collection came into the tables."""
    [(records,)] = sql(
        directory,
        "SELECT s.id FROM segments s JOIN collections c ON c.id = s.collection WHERE c.name = 'logged' "
        "AND s.scope = 'METADATA'",
    )
    for table in ("embedding_metadata", "embedding_metadata_array"):
        sql(directory, f"DELETE FROM {table} WHERE id IN (SELECT id FROM embeddings WHERE segment_id = ?)", records)
    sql(directory, "DELETE FROM embeddings WHERE segment_id = ?", records)
    sql(directory, "DELETE FROM max_seq_id WHERE segment_id = ?", records)
    check_logged(directory)


def test_a_change_in_the_log_alone_is_played_over_the_tables(directory: Path) -> None:
    """Deleted, updated, added, added again: as chromadb will have it when it has finished."""
    [(last, topic)] = sql(
        directory,
        "SELECT max(seq_id), topic FROM embeddings_queue WHERE id = 'new' AND topic IN "
        "(SELECT topic FROM embeddings_queue GROUP BY topic HAVING count(*) > 20)",
    )
    add = "INSERT INTO embeddings_queue (seq_id, operation, topic, id, vector, encoding, metadata) VALUES "
    vector = np.arange(5, dtype=np.float32).tobytes()
    for number, (operation, id, metadata) in enumerate(
        [
            (3, "id 1", None),
            (1, "id 2", '{"late": 2.0, "chroma:document": "late"}'),
            (1, "nobody", '{"late": 1}'),
            (0, "id 3", '{"ignored": true}'),
            (0, "id 1", '{"again": [1, 2]}'),
            (2, "last", "{}"),
        ]
    ):
        values = (last + 1000 + number, operation, topic, id, None if operation == 3 else vector, "FLOAT32", metadata)
        sql(directory, f"{add} (?, ?, ?, ?, ?, ?, ?)", *values)
    before = next(answer for answer in ANSWERS["default_tenant/default_database"] if answer["name"] == "logged")
    with opened(directory) as client:
        collection = client.get_collection("logged")
        found: Any = collection.get(include=["embeddings", "documents", "metadatas"])
        assert found["ids"] == [id for id in before["ids"] if id != "id 1"] + ["id 1", "last"]
        assert collection.count() == len(found["ids"])
        assert collection.get(limit=2, offset=len(found["ids"]) - 2)["ids"] == ["id 1", "last"]
        record = dict(zip(found["ids"], zip(found["documents"], found["metadatas"], strict=True), strict=True))
        assert record["id 1"] == (None, {"again": [1, 2]})
        assert record["id 2"] == ("late", {"late": 2.0})
        assert "ignored" not in (record["id 3"][1] or {})
        one: Any = collection.get(ids=["last", "nobody", "id 1", "id 2"], include=["embeddings"])
        assert one["ids"] == ["last", "id 1", "id 2"]
        np.testing.assert_array_equal(one["embeddings"], [[0, 1, 2, 3, 4]] * 3)


def check_logged(directory: Path) -> None:
    with opened(directory) as client:
        for answer in ANSWERS["default_tenant/default_database"]:
            check_collection(client, answer)
