"""docs/api-reference.md: every block runs, as it stands there and as it stands in Chroma's own reference."""

from __future__ import annotations

import asyncio
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.server import running_server

import chroma_plugin

PAGE = Path(__file__).parents[2] / "docs" / "api-reference.md"
IN_MEMORY, ON_DISK, SERVER, COLLECTIONS, UTILITIES, RECORDS, TRANSACTIONS, ASYNC = re.findall(
    r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


def run(block: str, **names: Any) -> dict[str, Any]:
    """The names that are there after running a block."""
    namespace: dict[str, Any] = {"chromadb": chroma_plugin, "chroma": chroma_plugin, **names}
    exec(compile(block, str(PAGE), "exec"), namespace)
    return namespace


@pytest.fixture
def client() -> chroma_plugin.Client:
    """The client of the first block."""
    made: chroma_plugin.Client = run(IN_MEMORY)["client"]
    return made


@pytest.fixture
def collection(client: chroma_plugin.Client) -> chroma_plugin.Collection:
    """The collection that the blocks call testname, with the default embedding function."""
    return client.create_collection("testname")


def test_in_memory() -> None:
    """The first block makes an empty database."""
    assert run(IN_MEMORY)["client"].list_collections() == []


def test_on_disk(tmp_path: Path) -> None:
    """The second block makes a database in a directory, and run again opens the same."""
    block = ON_DISK.replace("/path/to/persist/directory", str(tmp_path))
    with run(block)["client"] as client:
        client.create_collection("testname", embedding_function=None).add(ids="a", embeddings=[1.5, 2.9])

    with run(block)["client"] as client:
        assert client.get_collection("testname").get()["ids"] == ["a"]


def test_the_server() -> None:
    """The third block opens a client of a server; ports may be strings, and chroma.Client is meant too."""
    with running_server() as server:
        for block in (SERVER, SERVER.replace("chromadb.Client", "chroma.Client")):
            with run(_at(block, server.port))["chroma_client"] as client:
                client.get_or_create_collection("testname", embedding_function=None).upsert("a", embeddings=[1.5, 2.9])
                assert client.count_collections() == 1


def _at(block: str, port: int) -> str:
    """The block with the port of a server that runs, since 8000 may be anybody's."""
    assert '"8000"' in block
    return block.replace('"8000"', f'"{port}"')


def test_collections(client: chroma_plugin.Client) -> None:
    """Make, get, delete."""
    names = run(COLLECTIONS, client=client)

    assert names["collection"].name == "testname"
    assert client.list_collections() == []


def test_utilities(client: chroma_plugin.Client, collection: chroma_plugin.Collection) -> None:
    """Reset works without any setting."""
    run(UTILITIES, client=client)

    assert client.list_collections() == []


def test_records(collection: chroma_plugin.Collection) -> None:
    """The last block runs from top to bottom, leaves two records, and says what it did not do."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(RECORDS, collection=collection)

    assert [warning.category for warning in caught] == [
        chroma_plugin.ExistingIDsWarning,
        chroma_plugin.NothingDeletedWarning,
    ]
    assert {warning.filename for warning in caught} == {str(PAGE)}
    assert collection.name == "testname2"
    got = collection.get(include=["embeddings", "metadatas", "documents"])
    assert got["ids"] == ["uri9", "uri10"]
    assert got["documents"] == ["doc1000101", None]
    assert got["metadatas"] == [{"uri": "img9.png", "style": "style1"}, {"style": "style2"}]
    assert np.array_equal(got["embeddings"], np.array([[1.5, 2.9, 3.4], [9.8, 2.3, 2.9]], dtype=np.float32))


def test_records_line_by_line(collection: chroma_plugin.Collection) -> None:
    """What the calls of that block return is as the page says."""
    with pytest.warns(chroma_plugin.ExistingIDsWarning), pytest.warns(chroma_plugin.NothingDeletedWarning):
        run(RECORDS, collection=collection)

    assert collection.count() == 2
    assert collection.peek()["embeddings"].shape == (2, 3)
    found = collection.query(
        query_embeddings=[[1.1, 2.3, 3.2], [5.1, 4.3, 2.2]], n_results=2, where={"style": "style2"}
    )
    assert found["ids"] == [["uri10"], ["uri10"]]
    assert collection.update().updated == []


def test_transactions() -> None:
    """The block on transactions orders two lamps of two, and no third."""
    assert run(TRANSACTIONS)["order"]


def test_async() -> None:
    """The asynchronous block finds the nearer record."""
    assert asyncio.run(run(ASYNC)["main"]())["ids"] == [["a"]]


def test_the_module_may_stand_for_chromadb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Chroma's own blocks say `import chromadb`; with that name bound to this package they run just so."""
    monkeypatch.setitem(sys.modules, "chromadb", chroma_plugin)
    monkeypatch.setitem(sys.modules, "chromadb.config", chroma_plugin.config)
    monkeypatch.chdir(tmp_path)

    for block in (IN_MEMORY, ON_DISK.replace("/path/to", "path/to")):
        as_there = block.replace("chroma_plugin as chromadb", "chromadb").replace("chroma_plugin", "chromadb")
        assert as_there.startswith("import chromadb\n")
        with run(as_there)["client"] as client:
            assert client.list_collections() == []
