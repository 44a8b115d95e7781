"""Several processes on one PostgreSQL: nothing is lost, and a connection that breaks is no end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from support.postgres import needs_postgres, options, postgres_url, schema_for
from support.server import RunningServer, start_server

import chroma_plugin as chromadb
from chroma_plugin.errors import InvalidDimensionError, NotFoundError, UniqueConstraintError, UnreachableError

pytestmark = needs_postgres


def client_of(place: object, **more: Any) -> chromadb.Client:
    return chromadb.Client(chroma_db_impl="pgvector", **options(str(place), **more))


WRITER = """
import sys
import chroma_plugin as chromadb
name, url, schema = sys.argv[1:]
with chromadb.Client(chroma_db_impl="pgvector", url=url, schema=schema) as client:
    things = client.get_or_create_collection("things", embedding_function=None)
    for number in range(60):
        ids = [f"{name}-{number}-{part}" for part in range(5)]
        things.add(ids=ids, embeddings=[[number, part] for part in range(5)], metadatas=[{"by": name}] * 5)
        things.upsert(ids=[f"shared-{number % 7}", f"shared-{number % 5}-too"], embeddings=[[1, 1], [2, 2]])
    print(things.count())
"""


def test_two_writers_and_a_reader(tmp_path: Path) -> None:
    """Writers in processes of their own, which also make the collection and write the same records; who reads meanwhile
    sees whole batches.
    """
    schema = schema_for(tmp_path)
    with client_of(tmp_path) as client:
        things = client.get_or_create_collection("things", embedding_function=None)
        command = [sys.executable, "-c", WRITER]
        writers = [
            subprocess.Popen([*command, name, postgres_url(), schema], stdout=subprocess.PIPE, text=True)
            for name in ("one", "two")
        ]
        while any(writer.poll() is None for writer in writers):
            for name in ("one", "two"):
                assert things.count(where={"by": name}) % 5 == 0
            time.sleep(0.01)
        outputs = [writer.communicate()[0] for writer in writers]
        assert [writer.returncode for writer in writers] == [0, 0], outputs
        assert things.count() == 2 * 300 + 7 + 5
        found = things.query(query_embeddings=[59, 4], n_results=2)
        assert sorted(found["ids"][0]) == ["one-59-4", "two-59-4"]


MERGER = """
import sys
import chroma_plugin as chromadb
name, url, schema = sys.argv[1:]
with chromadb.Client(chroma_db_impl="pgvector", url=url, schema=schema) as client:
    things = client.get_collection("things", embedding_function=None)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(60):
        things.update(ids="shared", metadatas={f"{name}-{number}": number})
        # Whoever is second finds a record that was not there a moment ago.
        things.upsert(ids=f"new-{number}", embeddings=[number], metadatas={name: number})
        many = [f"many-{number}-{part}" for part in range(120)]
        if number % 10 == 0:
            things.upsert(ids=many, embeddings=[[part] for part in range(120)], metadatas=[{name: number}] * 120)
"""


def test_two_processes_merge_into_the_same_records(tmp_path: Path) -> None:
    """Each adds keys to the metadata that the other writes as well, by update and by upsert: none is lost."""
    with client_of(tmp_path) as client:
        things = client.create_collection("things", embedding_function=None)
        things.add(ids="shared", embeddings=[0], documents="stays")
        command, names = [sys.executable, "-c", MERGER], ("one", "two")
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        mergers: list[Any] = [
            subprocess.Popen([*command, name, postgres_url(), schema_for(tmp_path)], **pipes) for name in names
        ]
        assert [merger.stdout.readline() for merger in mergers] == ["ready\n", "ready\n"]
        for merger in mergers:
            merger.stdin.write("go\n")
        for merger in mergers:
            merger.communicate(timeout=120)
        assert [merger.returncode for merger in mergers] == [0, 0]
        assert things.get("shared")["metadatas"] == [{f"{name}-{n}": n for name in names for n in range(60)}]
        assert things.get("shared")["documents"] == ["stays"]
        assert things.count() == 1 + 60 + 6 * 120
        assert things.count(where={"$and": [{name: {"$gte": 0}} for name in names]}) == 60 + 6 * 120


ADDER = """
import sys
import chroma_plugin as chromadb
from chroma_plugin.errors import StaleReadError
name, url, schema = sys.argv[1:]
with chromadb.Client(chroma_db_impl="pgvector", url=url, schema=schema) as client:
    account, book = (client.get_collection(each, embedding_function=None) for each in ("account", "book"))
    done = 0
    while done < 40:
        try:
            with client.transaction() as t:
                number = t.collection(account).get(ids="n")["metadatas"][0]["n"] + 1
                t.collection(account).update(ids="n", metadatas={"n": number})
                t.collection(book).add(ids=str(number), embeddings=[number], metadatas=[{"by": name}])
        except StaleReadError:
            continue
        done += 1
"""


def test_transactions_of_two_processes(tmp_path: Path) -> None:
    """Both add to one number and enter what it became in a book: no addition is lost, and no entry."""
    schema = schema_for(tmp_path)
    with client_of(tmp_path) as client:
        account = client.create_collection("account", embedding_function=None)
        book = client.create_collection("book", embedding_function=None)
        account.add(ids="n", embeddings=[0], metadatas=[{"n": 0}])
        command = [sys.executable, "-c", ADDER]
        adders = [subprocess.Popen([*command, name, postgres_url(), schema]) for name in ("one", "two")]
        assert [adder.wait(120) for adder in adders] == [0, 0]
        assert account.get(ids="n")["metadatas"] == [{"n": 80}]
        assert sorted(map(int, book.get()["ids"])) == list(range(1, 81))


def test_two_clients_in_one_process(tmp_path: Path) -> None:
    """What one does the other sees: records, new names, and that a collection is gone."""
    with client_of(tmp_path) as one, client_of(tmp_path) as two:
        mine = one.create_collection("things", embedding_function=None)
        theirs = two.get_collection("things", embedding_function=None)
        with pytest.raises(UniqueConstraintError):
            two.create_collection("things", embedding_function=None)
        mine.add(ids="a", embeddings=[1, 2])
        with pytest.raises(InvalidDimensionError):
            theirs.add(ids="b", embeddings=[1, 2, 3])
        theirs.upsert(ids="a", embeddings=[3, 4], documents="changed")
        assert mine.get("a")["documents"] == ["changed"]
        theirs.modify(name="renamed", metadata={"by": "them"})
        # Facts are changed one by one: what the other changed meanwhile stays.
        mine.modify(configuration={"hnsw": {"ef_search": 77}})
        assert theirs.client.get_collection("renamed", embedding_function=None).metadata == {"by": "them"}
        assert [found.name for found in one.list_collections()] == ["renamed"]
        two.delete_collection("renamed")
        with pytest.raises(NotFoundError, match="deleted"):
            mine.count()
        with pytest.raises(NotFoundError):
            mine.add(ids="c", embeddings=[1, 2])


def test_the_first_dimension_is_one(tmp_path: Path) -> None:
    """Of several clients that write the first record at once, in another dimension each, one decides."""
    clients = [client_of(tmp_path) for _ in range(4)]
    clients[0].create_collection("things", embedding_function=None)
    opened = [client.get_collection("things", embedding_function=None) for client in clients]
    refused: list[int] = []

    def write(number: int) -> None:
        try:
            opened[number].add(ids=f"i{number}", embeddings=[1.0] * (number + 2))
        except InvalidDimensionError:
            refused.append(number)

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3
    assert opened[0].count() == 1
    for client in clients:
        client.close()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[RunningServer]]:
    """Two servers of ours, in processes of their own, over one database."""
    given = {"backend": "pgvector", "url": postgres_url(), "option": [f"schema={schema_for(tmp_path)}"]}
    running = [start_server(**given) for _ in range(2)]
    yield running
    for server in running:
        assert server.stop() == 0


def test_two_servers_write_one_collection(servers: list[RunningServer]) -> None:
    """Nothing that one acknowledged is missing in the other."""
    clients = [chromadb.HttpClient(server.host, server.port) for server in servers]
    opened = [client.get_or_create_collection("things", embedding_function=None) for client in clients]

    def write(number: int) -> None:
        for batch in range(20):
            ids = [f"{number}-{batch}-{part}" for part in range(10)]
            opened[number].add(ids=ids, embeddings=np.full((10, 3), batch, dtype=np.float32))

    together(write)
    wanted = {f"{number}-{batch}-{part}" for number in range(2) for batch in range(20) for part in range(10)}
    for collection in opened:
        assert set(collection.get(include=[])["ids"]) == wanted
        assert collection.count() == len(wanted)
    for client in clients:
        client.close()


def test_two_servers_merge_into_one_record(servers: list[RunningServer]) -> None:
    """What Chroma's own clients send, the server merges: of two servers neither loses what the other merged."""
    with chromadb.HttpClient(servers[0].host, servers[0].port) as client:
        things = client.create_collection("things", embedding_function=None)
        things.add(ids="shared", embeddings=[1])
        path = f"/api/v2/tenants/default_tenant/databases/default_database/collections/{things.id}"

        def write(number: int) -> None:
            with httpx.Client(base_url=servers[number].url, timeout=30) as api:
                for turn in range(40):
                    body = {"ids": ["shared"], "metadatas": [{f"{number}-{turn}": turn}]}
                    assert api.post(f"{path}/update", json=body).status_code == 200
                    new = {"ids": [f"new{turn}"], "embeddings": [[turn]], "metadatas": [{f"by{number}": turn}]}
                    assert api.post(f"{path}/upsert", json=new).status_code == 200

        together(write)
        assert things.get("shared")["metadatas"] == [{f"{n}-{turn}": turn for n in range(2) for turn in range(40)}]
        assert things.count(where={"$and": [{"by0": {"$gte": 0}}, {"by1": {"$gte": 0}}]}) == 40


def test_clients_of_two_servers_merge_into_one_record(servers: list[RunningServer]) -> None:
    """Ours merge themselves, and the servers see to it that they have read what is there."""
    with ExitStack() as stack:
        clients = [stack.enter_context(chromadb.HttpClient(server.host, server.port)) for server in servers]
        opened = [client.get_or_create_collection("things", embedding_function=None) for client in clients]
        opened[0].add(ids="shared", embeddings=[1])

        def write(number: int) -> None:
            for turn in range(40):
                opened[number].update(ids="shared", metadatas={f"{number}-{turn}": turn})
                opened[number].upsert(ids=f"new{turn}", embeddings=[turn], metadatas={f"by{number}": turn})

        together(write)
        things = opened[0]
        assert things.get("shared")["metadatas"] == [{f"{n}-{turn}": turn for n in range(2) for turn in range(40)}]
        assert things.count(where={"$and": [{"by0": {"$gte": 0}}, {"by1": {"$gte": 0}}]}) == 40


def together(work: Callable[[int], None]) -> None:
    """Two threads that begin at once, with the numbers 0 and 1; an error in one of them is raised here."""
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, range(2)))


def terminate_others(client: chromadb.Client) -> int:
    """End every connection to the server but one of our own; how many those were."""
    import psycopg

    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
            "WHERE application_name = 'chroma-plugin' AND pid <> pg_backend_pid()"
        ).fetchone()
    assert ended is not None
    return int(ended[0])


def test_a_killed_connection_is_replaced(tmp_path: Path) -> None:
    """Reads and writes after the server has ended all connections work, without an error in between."""
    with client_of(tmp_path) as client:
        things = client.create_collection("things", embedding_function=None)
        things.add(ids="a", embeddings=[1, 2])
        for number in range(3):
            assert terminate_others(client) >= 1
            things.add(ids=f"i{number}", embeddings=[1, 2])
            assert terminate_others(client) >= 1
            assert things.count() == number + 2
        terminate_others(client)
        many = [f"m{number}" for number in range(500)]
        assert len(things.add(ids=many, embeddings=np.ones((500, 2))).added) == 500


def test_a_read_that_is_cut_short_is_asked_again(tmp_path: Path) -> None:
    """The connection ends while the server works on the answer."""
    with client_of(tmp_path, pool_size=2) as client:
        things = client.create_collection("things", embedding_function=None)
        things.add(ids=[f"i{number}" for number in range(3000)], embeddings=np.ones((3000, 4)))
        stop = threading.Event()

        def disturb() -> None:
            while not stop.is_set():
                terminate_others(client)
                time.sleep(0.03)

        disturbing = threading.Thread(target=disturb)
        disturbing.start()
        try:
            for _ in range(20):
                assert len(things.get(include=["documents"])["ids"]) == 3000
        finally:
            stop.set()
            disturbing.join()


def test_nobody_there() -> None:
    """The error says where nobody answers, and hides the password."""
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1/nothing") as caught:
        chromadb.Client(chroma_db_impl="pgvector", url="postgresql://me:sesame@127.0.0.1:1/nothing")
    assert "sesame" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_connections_of_its_own(tmp_path: Path) -> None:
    """The child of a fork reads and writes; the parent's connections are unharmed."""
    script = """
import os, sys
import chroma_plugin as chromadb
client = chromadb.Client(chroma_db_impl="pgvector", url=sys.argv[1], schema=sys.argv[2])
things = client.create_collection("things", embedding_function=None)
things.add(ids="a", embeddings=[1, 2])
child = os.fork()
things.add(ids=f"by {child == 0}", embeddings=[1, 2])
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert things.count() == 3
client.close()
"""
    arguments = [sys.executable, "-c", script, postgres_url(), schema_for(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
