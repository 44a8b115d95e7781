"""A process that was forked off: clients of files and of memory are refused in it, those of a server go on.

The forks are made in programs of their own: a test run has threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.server import running_server

import chroma_plugin as chromadb

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

BEGIN = """
import os, signal, sys, threading, warnings
import numpy as np
import chroma_plugin as chromadb
from chroma_plugin.errors import ChromaError, ClosedError, LockedError, StorageError
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)

def forked(work, leave=os._exit):
    # What the child prints; it is killed when it hangs. `leave` is how it ends.
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        signal.alarm(30)
        os.dup2(writing, 1)
        work()
        sys.stdout.flush()
        leave(0)
    os.close(writing)
    with open(reading) as told:
        answer = told.read()
    status = os.waitpid(child, 0)[1]
    assert status == 0, f"the child ended with {status}: {answer}"
    return answer

def busy(collection):
    # Threads that hold every lock now and then: one writes, one reads, one lists.
    done = threading.Event()
    vectors = np.random.default_rng(1).standard_normal((50, 8)).astype(np.float32)
    def write():
        while not done.is_set():
            collection.upsert(ids=[f"b{n}" for n in range(50)], embeddings=vectors, metadatas=[{"n": 1}] * 50)
    def read():
        while not done.is_set():
            collection.query(query_embeddings=vectors[:1], where={"n": 1})
            client.list_collections()
    threads = [threading.Thread(target=work) for work in (write, write, read, read)]
    for thread in threads:
        thread.start()
    return lambda: (done.set(), [thread.join() for thread in threads])
"""


def run(script: str, *arguments: object) -> list[str]:
    """The lines that a program prints."""
    command = [sys.executable, "-W", "error", "-c", BEGIN + textwrap.dedent(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.faults
@pytest.mark.parametrize("where", ["memory", "files"])
def test_every_call_in_the_child_is_refused(tmp_path: Path, where: str) -> None:
    """Whatever is called while the parent's threads were at work: a clear error, no hang, nothing written. And the
    parent never notices.
    """
    script = """
        client = chromadb.PersistentClient(sys.argv[2]) if sys.argv[1] == "files" else chromadb.Client()
        collection = client.create_collection("things", embedding_function=None)
        collection.add(ids="a", embeddings=[[1] * 8])
        one = {"ids": "z", "embeddings": [[1] * 8]}
        calls = [
            lambda: collection.add(**one), lambda: collection.upsert(**one), lambda: collection.update(**one),
            lambda: collection.delete(ids="a"), lambda: collection.delete(where={"n": 1}), collection.get,
            collection.count, collection.peek, collection.info, collection.create_index,
            lambda: collection.query(query_embeddings=[[1] * 8]), lambda: collection.modify(name="other"),
            lambda: collection.explain(query_embeddings=[[1] * 8]),
            client.list_collections, client.count_collections, client.reset, client.persist, client.compact,
            client.refresh, client.info, client.heartbeat, client.list_databases,
            lambda: client.create_collection("more", embedding_function=None),
            lambda: client.get_collection("things"), lambda: client.delete_collection("things"),
            lambda: client.create_tenant("t"), lambda: client.create_database("d"),
            lambda: client.delete_database("d"), lambda: client.export(sys.argv[2] + "/export"),
        ]
        def work():
            for call in calls:
                try:
                    print("let through", call())
                except StorageError as error:
                    assert "after the fork" in str(error), error
            client.close()
            own = chromadb.Client().create_collection("own", embedding_function=None)
            own.add(ids="a", embeddings=[1, 2])
            print(own.count())
        rest = busy(collection)
        for leave in (os._exit, sys.exit):
            for _ in range(5):
                print(forked(work, leave), end="")
        rest()
        print("parent", collection.count(), [each.name for each in client.list_collections()])
        client.close()
    """
    assert run(script, where, tmp_path) == ["1"] * 10 + ["parent 51 ['things']"]
    if where == "memory":
        return
    with chromadb.PersistentClient(tmp_path) as client:
        assert client.get_collection("things").count() == 51


@pytest.mark.faults
def test_what_the_child_may_open(tmp_path: Path) -> None:
    """A store of its own, but not its parent's, not even when the parent has closed it: DuckDB has a copy of that. Its
    end leaves the lock of the parent alone.
    """
    script = """
        place, other = sys.argv[1] + "/a", sys.argv[1] + "/b"
        client = chromadb.PersistentClient(place)
        client.create_collection("things", embedding_function=None).add(ids="a", embeddings=[1, 2])
        def opened(path):
            with chromadb.PersistentClient(path) as mine:
                mine.get_or_create_collection("mine", embedding_function=None).upsert(ids="m", embeddings=[1, 2])
        def work():
            opened(other)
            try:
                opened(place)
            except LockedError as error:
                print(error.pid == os.getppid(), end=" ")
        print(forked(work), forked(work, sys.exit))
        # The other process, not forked off this one, is still kept out.
        import subprocess
        code = "import sys, chroma_plugin; chroma_plugin.PersistentClient(sys.argv[1])"
        kept_out = subprocess.run([sys.executable, "-c", code, place], capture_output=True, text=True)
        print(f"LockedError" in kept_out.stderr and str(os.getpid()) in kept_out.stderr)
        go = os.pipe()
        def late():
            os.read(go[0], 1)
            try:
                opened(place)
            except LockedError as error:
                print("spawn" in str(error))
        closing = threading.Timer(0.5, lambda: (client.close(), os.write(go[1], b"x")))
        closing.start()
        print(forked(late), end="")
        opened(place)
        opened(other)
        # What was closed before the fork is as if it had never been open.
        print(forked(lambda: (opened(place), print("open"))), end="")
    """
    assert run(script, tmp_path) == ["True  True ", "True", "True", "open"]


@pytest.mark.faults
def test_prefork(tmp_path: Path) -> None:
    """As application servers do it: the parent loads a reader, its workers each open one of their own."""
    script = """
        with chromadb.PersistentClient(sys.argv[1]) as writer:
            writer.create_collection("things", embedding_function=None).add(ids="a", embeddings=[1, 2])
        loaded = chromadb.PersistentClient(sys.argv[1], read_only=True)
        assert loaded.get_collection("things").count() == 1
        def work():
            with chromadb.PersistentClient(sys.argv[1], read_only=True) as mine:
                print(mine.get_collection("things").get()["ids"], mine.refresh())
        for _ in range(3):
            print(forked(work, sys.exit), end="")
        print(loaded.get_collection("things").count())
    """
    assert run(script, tmp_path) == ["['a'] False"] * 3 + ["1"]


@pytest.mark.faults
def test_multiprocessing(tmp_path: Path) -> None:
    """A pool that forks gets the error through its futures; the parent's store is whole."""
    script = """
        import multiprocessing
        client = chromadb.PersistentClient(sys.argv[1])
        collection = client.create_collection("things", embedding_function=None)
        collection.add(ids="a", embeddings=[1, 2])
        def work(n):
            try:
                collection.add(ids=f"w{n}", embeddings=[1, 2])
            except StorageError:
                return n
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(sorted(pool.map(work, range(6))), collection.count())
    """
    assert run(script, tmp_path) == ["[0, 1, 2, 3, 4, 5] 1"]


@pytest.mark.faults
def test_clients_of_a_server_go_on() -> None:
    """Parent and child write and read through the same objects, sync and async, while threads of the parent call."""
    script = """
        import asyncio
        # Sockets of loops that have ended, and in the child those of the parent, are left to the system.
        warnings.simplefilter("ignore", ResourceWarning)
        host, port = sys.argv[1].removeprefix("http://").split(":")
        client = chromadb.HttpClient(host, int(port))
        collection = client.create_collection("forks", embedding_function=None)
        collection.add(ids="a", embeddings=[[1] * 8])
        twin = chromadb.AsyncHttpClient(host, int(port))
        async def count():
            return await (await twin.get_collection("forks", embedding_function=None)).count()
        assert asyncio.run(count()) == 1
        rest = busy(collection)
        def work():
            collection.add(ids=f"child {os.getpid()}", embeddings=[[1] * 8])
            assert asyncio.run(count()) > 50
            client.close()
        for leave in (os._exit, sys.exit):
            for _ in range(3):
                assert forked(work, leave) == ""
        rest()
        print(collection.count(), asyncio.run(count()))
        client.close()
        asyncio.run(twin.close())
    """
    with running_server() as server:
        assert run(script, server.url) == ["57 57"]


def test_the_error_of_an_async_client() -> None:
    """Its threads are the parent's: the child makes its own, and gets the same clear error."""
    script = """
        import asyncio
        client = chromadb.AsyncClient()
        async def count():
            return await client.count_collections()
        print(asyncio.run(count()))
        def work():
            try:
                asyncio.run(count())
            except StorageError as error:
                print("after the fork" in str(error))
        print(forked(work), forked(work, sys.exit), asyncio.run(count()))
    """
    assert run(script) == ["0", "True", " True", " 0"]
