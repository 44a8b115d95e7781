"""Client and the other constructors: opening, sharing, closing, resetting."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support import plain_backend
from support.server import free_port

import chroma_plugin as chromadb
from chroma_plugin.errors import (
    AuthorizationError,
    ClosedError,
    InvalidArgumentError,
    NotFoundError,
    StorageError,
    UniqueConstraintError,
    UnreachableError,
    UnsupportedError,
)
from chroma_plugin.plugins import PluginManager


def filled(client: chromadb.Client) -> chromadb.Collection:
    """A collection with one record."""
    collection = client.create_collection("things", embedding_function=None)
    collection.add(ids="a", embeddings=[1, 2])
    return collection


# -- facts ------------------------------------------------------------------------------------------------------------


def test_heartbeat_is_in_nanoseconds(client: chromadb.Client) -> None:
    """The heartbeat is the time in nanoseconds since the epoch."""
    before = time.time_ns()

    assert before <= client.heartbeat() <= time.time_ns()


def test_facts(client: chromadb.Client) -> None:
    """Version, batch size, identity and settings can be asked."""
    assert client.get_version() == chromadb.__version__
    assert client.get_max_batch_size() > 10**6
    assert client.get_user_identity().tenant == "default_tenant"
    assert client.get_user_identity().databases == ["default_database"]
    assert isinstance(client.get_settings(), chromadb.Settings)
    assert client.persist() is True
    assert repr(client).startswith("Client(tenant='default_tenant', database='default_database'")


def test_info(client: chromadb.Client) -> None:
    """Info lists the collections with their counts, as a dict and as text."""
    filled(client)

    info = client.info()

    assert info["version"] == chromadb.__version__
    assert [(one["name"], one["count"], one["dimension"]) for one in info["collections"]] == [("things", 1, 2)]
    assert "things" in repr(info)


# -- reset ------------------------------------------------------------------------------------------------------------


def test_reset(client: chromadb.Client) -> None:
    """Reset deletes everything, by default without asking; handles of what was there say so."""
    collection = filled(client)

    assert client.reset() is True

    assert client.list_collections() == []
    with pytest.raises(NotFoundError, match="deleted"):
        collection.count()
    assert filled(client).count() == 1


def test_reset_can_be_disabled() -> None:
    """With allow_reset=False nothing is deleted."""
    client = chromadb.Client(chromadb.Settings(allow_reset=False))
    collection = filled(client)

    with pytest.raises(AuthorizationError, match="allow_reset"):
        client.reset()

    assert collection.count() == 1


# -- closing ----------------------------------------------------------------------------------------------------------


def test_closed(client: chromadb.Client) -> None:
    """After close every call raises ClosedError, also those of its collections; closing again has no effect."""
    collection = filled(client)
    client.close()
    client.close()

    for call in (
        client.heartbeat,
        client.list_collections,
        client.reset,
        client.info,
        collection.count,
        collection.get,
    ):
        with pytest.raises(ClosedError):
            call()
    with pytest.raises(ClosedError):
        collection.modify(name="other")
    assert collection.name == "things"


def test_a_collection_keeps_the_database_open() -> None:
    """A client that was dropped is not closed as long as a collection of it is in use."""
    collection = filled(chromadb.Client())
    gc.collect()

    assert collection.count() == 1


# -- one place, one database ------------------------------------------------------------------------------------------


def test_clients_in_memory_are_isolated() -> None:
    """Each client in memory is a database of its own."""
    filled(chromadb.Client())
    filled(chromadb.EphemeralClient())

    assert chromadb.Client().list_collections() == []
    assert chromadb.EphemeralClient().list_collections() == []


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    """A new client of the directory finds everything."""
    with chromadb.PersistentClient(tmp_path / "store") as client:
        collection = client.create_collection("things", metadata={"a": 1}, embedding_function=None)
        collection.add(
            ids=["a", "b"], embeddings=[[1, 2], [3, 4]], metadatas=[{"n": [1]}, None], documents=["1\0", None]
        )
        before = repr(collection.get(include=["embeddings", "metadatas", "documents"]))

    with chromadb.PersistentClient(str(tmp_path / "store")) as client:
        collection = client.get_collection("things")
        assert repr(collection.get(include=["embeddings", "metadatas", "documents"])) == before
        assert collection.metadata == {"a": 1}
        assert collection.query(query_embeddings=[3, 4], n_results=1)["ids"] == [["b"]]


def test_clients_of_one_directory_share(tmp_path: Path) -> None:
    """Clients of one directory, however it is written, see each other's writes; the last one closes it."""
    first = chromadb.PersistentClient(tmp_path / "store")
    (tmp_path / "link").symlink_to(tmp_path / "store")
    second = chromadb.Client(chromadb.Settings(persist_directory=str(tmp_path / "link")))
    collection = filled(first)

    assert second.get_collection("things").count() == 1
    first.close()
    assert second.get_collection("things").count() == 1
    with pytest.raises(ClosedError):
        collection.count()
    second.close()


def test_other_settings_for_an_open_directory(tmp_path: Path) -> None:
    """A directory that is open can't be opened in another way at the same time."""
    with chromadb.PersistentClient(tmp_path), pytest.raises(InvalidArgumentError, match="read_only=False"):
        chromadb.PersistentClient(tmp_path, read_only=True)

    chromadb.PersistentClient(tmp_path, read_only=True).close()


def test_a_client_that_was_just_dropped(tmp_path: Path) -> None:
    """A process that closes nothing loses nothing and says nothing."""
    script = (
        "import chroma_plugin as chromadb, sys\n"
        "client = chromadb.PersistentClient(sys.argv[1])\n"
        "client.create_collection('things', embedding_function=None).add(ids='a', embeddings=[1, 2])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )

    assert done.stdout + done.stderr == ""
    with chromadb.PersistentClient(tmp_path) as client:
        assert client.get_collection("things").count() == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child(tmp_path: Path) -> None:
    """In a forked child every call says what to do; the parent goes on."""
    script = (
        "import os, sys, chroma_plugin as chromadb\n"
        "client = chromadb.PersistentClient(sys.argv[1])\n"
        "collection = client.create_collection('things', embedding_function=None)\n"
        "collection.add(ids='a', embeddings=[1, 2])\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    for call in (client.list_collections, collection.count, lambda: collection.delete(ids='a')):\n"
        "        try:\n"
        "            call()\n"
        "        except chromadb.errors.StorageError as error:\n"
        "            print(error, flush=True)\n"
        "    sys.exit()\n"
        "print(os.waitpid(pid, 0)[1], collection.count())\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)

    lines = done.stdout.splitlines()
    assert [line for line in lines if "after the fork" in line] == lines[:3]
    assert lines[3:] == ["0 1"]
    assert issubclass(StorageError, OSError)


# -- tenants and databases --------------------------------------------------------------------------------------------


def test_tenants_and_databases() -> None:
    """Collections of two databases do not meet; deleting a database deletes its collections."""
    client = chromadb.Client()
    client.create_database("other")
    client.create_tenant("another")
    client.create_database("theirs", tenant="another")
    collection = filled(client)

    client.set_database("other")
    assert client.list_collections() == []
    theirs = filled(client)
    client.set_tenant("another", "theirs")
    assert client.count_collections() == 0

    assert [database["name"] for database in client.list_databases()] == ["default_database", "other"]
    assert client.get_tenant("another") == {"name": "another"}
    assert client.get_database("theirs", "another")["tenant"] == "another"
    client.delete_database("other")
    with pytest.raises(NotFoundError, match="deleted"):
        theirs.count()
    assert collection.count() == 1


def test_no_such_tenant_or_database(client: chromadb.Client) -> None:
    """Names that do not exist are a NotFoundError."""
    for call in (
        lambda: client.set_database("nothing"),
        lambda: client.set_tenant("nothing"),
        lambda: client.get_tenant("nothing"),
        lambda: client.create_database("another", tenant="nothing"),
        lambda: client.delete_database("nothing"),
        lambda: chromadb.Client(tenant="nothing"),
        lambda: chromadb.Client(database="nothing"),
    ):
        with pytest.raises(NotFoundError, match="nothing"):
            call()
    with pytest.raises(UniqueConstraintError):
        client.create_tenant("default_tenant")


def test_a_backend_with_one_database() -> None:
    """A backend that has only the default tenant and database says so."""
    client = chromadb.Client(chroma_db_impl="plain", plugins=PluginManager([plain_backend]))

    with pytest.raises(UnsupportedError, match="one database"):
        client.create_database("other")


def test_admin_client(tmp_path: Path) -> None:
    """AdminClient manages the databases of a place that clients share."""
    settings = chromadb.Settings(persist_directory=str(tmp_path))
    with chromadb.AdminClient(settings) as admin, chromadb.Client(settings) as client:
        admin.create_database("other")
        client.set_database("other")
        assert client.database == "other"


# -- other ways to open -----------------------------------------------------------------------------------------------


def test_clients_of_a_server() -> None:
    """Each goes to the address it was given, and says that nobody is there."""
    port = free_port()
    nobody = {"chroma_server_host": "127.0.0.1", "chroma_server_http_port": str(port), "retries": 0}
    for call in (
        lambda: chromadb.HttpClient("127.0.0.1", port),
        lambda: chromadb.HttpClient(f"https://127.0.0.1:{port}", headers={"a": "b"}),
        lambda: chromadb.CloudClient(api_key="secret", cloud_host="127.0.0.1", cloud_port=port),
        lambda: chromadb.Client(chromadb.Settings(chroma_api_impl="rest", **nobody)),
    ):
        with pytest.raises(UnreachableError, match=f"Nothing listens at 127.0.0.1:{port}"):
            call()


def test_the_cloud_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the error says where it may come from."""
    monkeypatch.delenv("CHROMA_API_KEY", raising=False)

    with pytest.raises(InvalidArgumentError, match="CHROMA_API_KEY"):
        chromadb.CloudClient()


@pytest.mark.parametrize("arguments", [{"persist_dir": "x"}, {"path": 5}, {"chroma_db_impl": "nosuch"}])
def test_wrong_options(arguments: dict[str, Any]) -> None:
    """An unknown option or backend is an error that names it."""
    with pytest.raises(ValueError, match=r"persist_dir|5|nosuch"):
        chromadb.Client(**arguments)


def test_settings_must_be_settings() -> None:
    """A path in place of settings is answered with the right way."""
    with pytest.raises(InvalidArgumentError, match="path="):
        chromadb.Client("./chroma")  # type: ignore[arg-type]
