"""What is PostgreSQL's in the pgvector backend: migrations, indexes, what stays in a connection, what can't be kept."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.postgres import needs_postgres, options, postgres_url, schema_for
from support.server import HOST, free_port

import chroma_plugin as chromadb
from chroma_plugin.errors import (
    AuthorizationError,
    FormatVersionError,
    InvalidArgumentError,
    UnreachableError,
    UnsupportedError,
)

pytestmark = needs_postgres
ARE_NUMBERED = "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = %s"


def client_of(place: object, **more: Any) -> chromadb.Client:
    return chromadb.Client(chroma_db_impl="pgvector", **options(str(place), **more))


@contextmanager
def connected(url: str | None = None) -> Iterator[Any]:
    import psycopg

    with psycopg.connect(url or postgres_url(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def things(tmp_path: Path) -> Iterator[chromadb.Collection]:
    """An empty collection that has an index from 500 records on."""
    with client_of(tmp_path, index_from=500) as client:
        yield client.create_collection("things", embedding_function=None)


def fill(things: chromadb.Collection, count: int, dimension: int = 8, start: int = 0) -> np.ndarray[Any, Any]:
    vectors = np.random.default_rng(start).standard_normal((count, dimension)).astype(np.float32)
    ids = [f"i{number}" for number in range(start, start + count)]
    things.add(ids=ids, embeddings=vectors, metadatas=[{"number": number} for number in range(start, start + count)])
    return vectors


def state(things: chromadb.Collection) -> Any:
    return things.info()["store"]["index_state"]


def is_used(table: str) -> bool:
    """Whether PostgreSQL has scanned the index. It counts that when a connection is closed."""
    with connected() as connection:
        for _ in range(100):
            found = connection.execute(
                "SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname || '.' || indexrelname = %s",
                (f"{table}_nearest",),
            ).fetchone()
            if found and found[0]:
                return True
            time.sleep(0.02)
    return False


# -- the schema ------------------------------------------------------------------------------------------------------


def test_migrations(tmp_path: Path) -> None:
    """A later release adds its steps to what is there, once; an older one then refuses, and changes nothing."""
    from chroma_plugin_pgvector import schema
    from chroma_plugin_pgvector.database import Database, Statements
    from chroma_plugin_pgvector.options import PgvectorOptions

    with client_of(tmp_path) as client:
        client.create_collection("things", embedding_function=None).add(ids="a", embeddings=[1, 2])
    calls: list[str] = []

    def second(statements: Statements, quoted: str) -> None:
        calls.append(quoted)
        statements.rows(f"ALTER TABLE {quoted}.collections ADD COLUMN note text")

    name = schema_for(str(tmp_path))
    database = Database(PgvectorOptions(url=postgres_url()))
    for _ in range(2):
        schema.prepare(database, name, (*schema.MIGRATIONS, second))
    database.close()
    assert len(calls) == 1
    with pytest.raises(FormatVersionError, match="version 2, and this release knows versions up to 1"):
        client_of(tmp_path)


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    from chroma_plugin_pgvector import schema
    from chroma_plugin_pgvector.database import Database, Statements
    from chroma_plugin_pgvector.options import PgvectorOptions

    def broken(statements: Statements, quoted: str) -> None:
        statements.rows(f"CREATE TABLE {quoted}.half (a integer)")
        raise RuntimeError("no further")

    name = schema_for(tmp_path)
    database = Database(PgvectorOptions(url=postgres_url()))
    with pytest.raises(RuntimeError, match="no further"):
        schema.prepare(database, name, (*schema.MIGRATIONS, broken))
    assert database.rows("SELECT count(*) FROM pg_namespace WHERE nspname = %s", (name,)) == [(0,)]
    database.close()


def test_two_schemas_are_two_databases(tmp_path: Path) -> None:
    with client_of(tmp_path / "one") as one, client_of(tmp_path / "two") as two:
        one.create_collection("things", embedding_function=None)
        assert two.list_collections() == []
        two.reset()
        assert [found.name for found in one.list_collections()] == ["things"]


@pytest.mark.parametrize("schema", ["", "Upper", 'a"b', "a.b", "1a", "pg_mine", "a" * 49, "a;b"])
def test_a_schema_has_a_plain_name(schema: str) -> None:
    with pytest.raises(InvalidArgumentError, match="schema"):
        chromadb.Client(chroma_db_impl="pgvector", url=postgres_url(), schema=schema)


def test_bad_options() -> None:
    """Said before anything is asked of a server; a password is never shown."""
    for wrong in ({"index": "flat"}, {"index_from": 0}, {"pool_size": "many"}):
        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            chromadb.Client(chroma_db_impl="pgvector", url="", **wrong)
    with pytest.raises(InvalidArgumentError, match="'url'") as caught:
        chromadb.Client(chroma_db_impl="pgvector", url="password=sesame and what not")
    assert "sesame" not in repr(caught.value)
    assert "sesame" not in repr(chromadb.Settings(chroma_db_impl="pgvector", url="host=there password=sesame"))


def test_a_database_without_rights_or_extension(tmp_path: Path) -> None:
    """The errors say what an administrator has to do."""
    name = schema_for(tmp_path)
    with connected() as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN")
        connection.execute(f"CREATE DATABASE {name}")
        with pytest.raises(UnsupportedError, match="CREATE EXTENSION vector"):
            chromadb.Client(
                chroma_db_impl="pgvector",
                url=f"{postgres_url()} ".replace("postgres:@", f"{name}:@").replace("/postgres?", f"/{name}?").strip(),
            )
        with connected(postgres_url().replace("/postgres?", f"/{name}?")) as other:
            other.execute("CREATE EXTENSION vector")
        with pytest.raises(AuthorizationError, match="permission denied"):
            chromadb.Client(
                chroma_db_impl="pgvector",
                url=postgres_url().replace("postgres:@", f"{name}:@").replace("/postgres?", f"/{name}?"),
            )
        with pytest.raises(UnreachableError, match="does not exist"):
            chromadb.Client(chroma_db_impl="pgvector", url=postgres_url().replace("/postgres?", "/nosuch?"))
        connection.execute(f"DROP DATABASE {name} (FORCE)")
        connection.execute(f"DROP ROLE {name}")


# -- indexes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "given"),
    [
        ("l2", {}),
        ("cosine", {}),
        ("ip", {}),
        ("cosine", {"halfvec": True}),
        ("l2", {"index": "ivfflat", "lists": 60}),
        ("ip", {"index": "ivfflat", "halfvec": True}),
    ],
)
def test_kinds_of_indexes(tmp_path: Path, given: dict[str, Any], space: str) -> None:
    """Each is built and used, finds nearly all, and gives the distances of the full vectors."""
    with client_of(tmp_path, index_from=500, probes=20, **given) as client:
        configuration = {"hnsw": {"space": space, "ef_search": 100}}
        things = client.create_collection("things", embedding_function=None, configuration=configuration)
        vectors = fill(things, 3000, dimension=32)
        things.create_index()
        assert state(things) == "ready"
        queries = vectors[:20] + np.float32(0.01)
        found = things.query(query_embeddings=queries, n_results=10)
        exact = things.query(query_embeddings=queries, n_results=10, exact=True)
        table = things.info()["store"]["table"].replace('"', "")
        shared = [len({*one} & {*other}) for one, other in zip(found["ids"], exact["ids"], strict=True)]
        assert sum(shared) >= 160
        for ids, distances, judged, true in zip(
            found["ids"], found["distances"] or [], exact["ids"], exact["distances"] or [], strict=True
        ):
            known = dict(zip(judged, true, strict=True))
            assert all(known.get(id, distance) == distance for id, distance in zip(ids, distances, strict=True))
        filtered = things.query(query_embeddings=queries[:2], n_results=10, where={"number": {"$gte": 2995}})
        assert [len(ids) for ids in filtered["ids"]] == [5, 5]
    assert is_used(table)


def test_an_index_that_another_client_chose(tmp_path: Path) -> None:
    """Whatever there is, is used; without wishing for an index, searches are exact."""
    with client_of(tmp_path, index_from=500, index="ivfflat", lists=60) as client:
        vectors = fill(client.create_collection("things", embedding_function=None), 3000, dimension=32)
        things = client.get_collection("things", embedding_function=None)
        things.create_index()
    with client_of(tmp_path, index_from=500, halfvec=True) as client:
        things = client.get_collection("things", embedding_function=None)
        assert things.info()["store"]["index"] == "ivfflat"
        assert things.query(query_embeddings=vectors[7], n_results=1)["ids"] == [["i7"]]
        table = things.info()["store"]["table"].replace('"', "")
    assert is_used(table)


def test_an_index_comes_by_itself_and_says_so(things: chromadb.Collection, caplog: pytest.LogCaptureFixture) -> None:
    """When records are enough, beside the writes; searches are exact until then, and use it after."""
    caplog.set_level(logging.INFO, "chroma_plugin")
    fill(things, 499)
    assert state(things) == "none"
    assert caplog.messages == []
    fill(things, 1, start=499)
    assert caplog.messages == [
        "PostgreSQL builds an index of the collection 'things'; until it is ready, searches are exact."
    ]
    deadline = time.monotonic() + 30
    while state(things) != "ready" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert state(things) == "ready"


def test_an_index_that_was_cut_short_is_built_again(things: chromadb.Collection) -> None:
    """What a building leaves that was ended in the middle is dropped."""
    fill(things, 499)
    table = things.info()["store"]["table"]
    name = table.replace('"', "").split(".")[1]
    with connected() as connection:
        connection.execute(f"CREATE INDEX {name}_nearest ON {table} USING hnsw ((embedding::vector(8)) vector_l2_ops)")
        connection.execute(
            "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = %s::regclass", (f"{table}_nearest",)
        )
    assert state(things) == "broken"
    fill(things, 200, start=499)
    things.create_index()
    assert state(things) == "ready"


def test_a_failure_to_build_is_told(things: chromadb.Collection) -> None:
    """`create_index` raises; writes and searches go on."""
    from chroma_plugin.errors import StorageError

    fill(things, 400)
    table = things.info()["store"]["table"]
    with connected() as connection:
        # An index that divides by zero can't be built; ours has its name, so that it fails in the same way.
        connection.execute(f"ALTER TABLE {table} ADD CHECK (seq >= 0)")
        connection.execute(f"UPDATE {table} SET embedding = '[1,2,3]' WHERE id = 'i7'")
    fill(things, 200, start=400)
    with pytest.raises(StorageError, match="expected 8 dimensions, not 3"):
        things.create_index()
    assert things.count() == 600


# -- connections -----------------------------------------------------------------------------------------------------


@pytest.fixture
def pooled_url() -> Iterator[str]:
    """The address of pgbouncer, which gives each transaction whichever of two connections is free."""
    if shutil.which("pgbouncer") is None:
        pytest.skip("needs pgbouncer")
    port, place = free_port(), postgres_url().partition("host=")[2]
    # As root it has to become somebody else, who can't look into the folders of pytest.
    folder = Path(tempfile.mkdtemp(prefix="chroma-plugin-pooler-"))
    folder.chmod(0o755)
    (folder / "users.txt").write_text('"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\npostgres = host={place} dbname=postgres user=postgres pool_size=2\n"
        f"[pgbouncer]\nlisten_addr={HOST}\nlisten_port={port}\nunix_socket_dir=\n"
        f"auth_type=any\nauth_file={folder / 'users.txt'}\npool_mode=transaction\n"
    )
    as_user = ["-u", Path(place).owner()] if os.geteuid() == 0 else []
    pooler = subprocess.Popen(["pgbouncer", "-q", *as_user, folder / "pgbouncer.ini"])
    try:
        _wait_for(port)
        yield f"postgresql://postgres@{HOST}:{port}/postgres"
    finally:
        pooler.terminate()
        pooler.wait(10)
        shutil.rmtree(folder)


def test_through_a_transaction_pooler(tmp_path: Path, pooled_url: str) -> None:
    given = options(str(tmp_path), index_from=500) | {"url": pooled_url}
    _use(chromadb.Client(chroma_db_impl="pgvector", **given))


def _wait_for(port: int) -> None:
    for _ in range(100):
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.02)


def _use(client: chromadb.Client) -> None:
    """Everything that a collection does, over as many statements as it takes."""
    with client:
        things = client.create_collection("things", embedding_function=None)
        vectors = fill(things, 600)
        things.create_index()
        for _ in range(12):
            assert things.query(query_embeddings=vectors[7], n_results=1)["ids"] == [["i7"]]
            assert things.count(where={"number": {"$lt": 10}}) == 10
        things.upsert(ids=[f"i{n}" for n in range(590, 700)], embeddings=np.ones((110, 8)), documents=["word"] * 110)
        assert len(things.search_text("word", n_results=200)["ids"][0]) == 110
        things.delete(where={"number": {"$gte": 500}})
        assert things.count() == 600
        client.delete_collection("things")


def test_nothing_is_left_in_a_connection(tmp_path: Path, pooled_url: str) -> None:
    """No prepared statement, no setting, no lock, no temporary table stays between two calls."""
    assert _left(str(tmp_path), {}, url=pooled_url) == (0, "40", "off", 0, 0)


def test_where_no_pooler_stands_between_settings_stay(tmp_path: Path) -> None:
    """Those of the last search, whatever others had set before, and nothing else."""
    assert _left(f"{tmp_path}a", {"hnsw": {"ef_search": 70}}, {}) == (0, "100", "relaxed_order", 0, 0)
    assert _left(f"{tmp_path}b", {}, {"hnsw": {"ef_search": 70}}) == (0, "70", "relaxed_order", 0, 0)


def _left(schema: str, *configurations: dict[str, Any], **more: Any) -> tuple[Any, ...]:
    """What is in the only connection of a client after searches in collections that are configured so, in turn."""
    from chroma_plugin_pgvector.backend import PgvectorBackend
    from chroma_plugin_pgvector.options import PgvectorOptions

    from chroma_plugin.testing.data import collection, numbered, vectors
    from chroma_plugin.types import Metric, Search

    backend = PgvectorBackend(PgvectorOptions(**options(schema, index_from=100) | {"pool_size": 1} | more))
    stores = []
    for number, configuration in enumerate(configurations):
        info = replace(collection(f"c{number}"), configuration=configuration)
        backend.create_collection(info)
        stores.append(backend.open_collection(info))
    for _ in range(8):
        for store in stores:
            store.put(numbered(150))
            store.optimize()
            store.search(Search(vectors(2), 5, Metric.L2))
    [left] = backend._database.rows(
        "SELECT (SELECT count(*) FROM pg_prepared_statements), current_setting('hnsw.ef_search'), "
        "current_setting('hnsw.iterative_scan'), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), "
        "(SELECT count(*) FROM pg_class WHERE relpersistence = 't')"
    )
    for store in stores:
        store.close()
    backend.close()
    return left


# -- what goes in ----------------------------------------------------------------------------------------------------


def test_one_caller_keeps_one_connection(things: chromadb.Collection) -> None:
    """Also after many were needed at once: a server process that has just worked is quicker than one that waited."""
    vectors = fill(things, 100)
    begin = threading.Barrier(4)

    def ask() -> None:
        begin.wait(30)
        for vector in vectors:
            things.query(query_embeddings=vector, n_results=1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    database = things._client._connection.session.backend._database
    assert len(database._pool()._pool) > 1
    assert len({database.rows("SELECT pg_backend_pid()")[0] for _ in range(20)}) == 1


def test_more_dimensions_than_pgvector_has(tmp_path: Path) -> None:
    """Up to 16,000 are kept, those of more than 4,000 without an index; more are refused before anything is sent."""
    with client_of(tmp_path, index_from=1) as client:
        things = client.create_collection("things", embedding_function=None)
        with pytest.raises(InvalidArgumentError, match="16,000 dimensions, these have 16,001"):
            things.add(ids="a", embeddings=[0.5] * 16_001)
        things.add(ids="a", embeddings=[0.5] * 16_000)
        things.create_index()
        assert state(things) == "none"
        assert things.query(query_embeddings=[0.5] * 16_000)["ids"] == [["a"]]
        large = client.create_collection("large", embedding_function=None)
        large.add(ids="a", embeddings=[0.5] * 3_000)
        large.create_index()
        assert state(large) == "ready"
        assert large.query(query_embeddings=[0.5] * 3_000)["distances"] == [[0.0]]


def test_many_that_are_partly_known(tmp_path: Path) -> None:
    """Whichever way a batch takes into the table, `add` leaves known records alone, and `upsert` changes them."""
    with client_of(tmp_path) as client:
        things = client.create_collection("things", embedding_function=None)
        fill(things, 150)
        ids = [f"i{number}" for number in range(400)]
        for count in (150, 200, 400):
            given: dict[str, Any] = {"ids": ids[:count], "embeddings": np.ones((count, 8))}
            known = things.count()
            report = things.add(**given, documents=["late"] * count, on_conflict="ignore")
            assert (report.ignored, report.added) == (ids[:known], ids[known:count])
        assert things.count(where_document={"$contains": "late"}) == 250
        assert things.upsert(ids=ids[::2], documents=["changed"] * 200).replaced == ids[::2]
        assert things.get(ids[149:151])["documents"] == [None, "changed"]


def test_any_text_is_only_text(tmp_path: Path) -> None:
    """What looks like SQL, like a placeholder or like an escape is kept, found and compared as it is."""
    strange = [
        "'; DROP TABLE x; --",
        "%s %(a)s %%",
        '"',
        "\\",
        "a $1",
        "\x00",
        "\x01",
        "\x02",
        "\x01\x01\x01\x02",
        "a\x00b",
    ]
    with client_of(tmp_path) as client:
        things = client.create_collection("things", embedding_function=None)
        things.add(
            ids=strange,
            embeddings=np.ones((len(strange), 2)),
            documents=strange,
            metadatas=[{text: text, "same": text} for text in strange],
        )
        for number, text in enumerate(strange):
            assert things.get(text)["documents"] == [text]
            assert things.get(where={text: text})["ids"] == [text]
            assert things.get(where={"same": {"$in": [text, 1]}})["metadatas"] == [{text: text, "same": text}]
            having = [other for other in strange if text in other]
            assert things.get(where_document={"$contains": text})["ids"] == having
            below = [other for other in strange if other < text]
            assert things.get(where={"same": {"$lt": text}})["ids"] == below, number


def test_without_an_index_of_words(tmp_path: Path) -> None:
    """``full_text=False`` is kept with the collection; the same documents are found in the same order."""
    pytest.importorskip("bm25s")
    documents = ["a cat", "a dog and a cat", "dogs", None, "cat cat dog"]
    answers = []
    for full_text in (True, False):
        with client_of(tmp_path, full_text=full_text) as client:
            things = client.create_collection(f"things-{full_text}", embedding_function=None)
            things.add(ids=list("abcde"), embeddings=np.ones((5, 2)), documents=documents)
            assert things.info()["store"]["full_text"] is full_text
        with client_of(tmp_path) as client:
            found = client.get_collection(f"things-{full_text}", embedding_function=None).search_text("cat dog")
            answers.append((found["ids"], np.round(found["scores"][0], 6).tolist()))
    assert answers[0] == answers[1]


def test_no_statement_holds_a_value() -> None:
    """Whatever a filter has in it, its SQL is made of constant words and placeholders."""
    import re

    from chroma_plugin_pgvector.conditions import condition_of

    from chroma_plugin.filters import parse_where

    poison = "'); DROP TABLE x; --"
    where = {"$or": [{poison: poison}, {poison: {"$in": [poison, 1]}}, {poison: {"$gt": poison}}, {poison: {"$ne": 1}},
                     {poison: {"$contains": poison}}]}  # fmt: skip
    expr = parse_where(where, where_document={"$contains": poison})
    condition = condition_of(expr, ids=[poison])
    assert "DROP" not in condition.sql
    assert condition.sql.count("%s") == len(condition.parameters)
    assert not set(re.findall(r"'([^']*)'", condition.sql)) - {"null", "{}", "string", "number", "array"}
