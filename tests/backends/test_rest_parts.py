"""Writes that are too large for one request, and the upkeep of a server from afar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chroma_plugin_rest.extended import RestStore
from chroma_plugin_rest.options import RestOptions
from chroma_plugin_rest.parts import Limits, send_in_parts
from chroma_plugin_rest.transport import Transport
from support.server import RunningServer, running_server

import chroma_plugin as chromadb
from chroma_plugin.errors import (
    BatchSizeExceededError,
    ChromaAuthError,
    InvalidArgumentError,
    UnreachableError,
)
from chroma_plugin.types import CollectionInfo, Records

MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server that takes a mebibyte, or a thousand records, at once."""
    with running_server(limit_body=1, limit_batch=1000) as server:
        yield server


@pytest.fixture
def collection(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[chromadb.Collection]:
    with chromadb.HttpClient(host=server.host, port=server.port) as client:
        yield client.create_collection(request.node.name[:60].strip("[]_"), embedding_function=None)


def vectors(count: int, dimension: int) -> Any:
    return np.random.default_rng(1).standard_normal((count, dimension)).astype(np.float32)


def ids(count: int) -> list[str]:
    return [f"id{number}" for number in range(count)]


def test_more_bytes_than_a_request_takes(collection: chromadb.Collection) -> None:
    """add, update and upsert of many mebibytes, and a search by as many: all arrives, in order."""
    count, given = 900, vectors(900, 1000)
    report = collection.add(ids=ids(count), embeddings=given, documents=["x" * 500] * count)
    assert report.added == ids(count)
    collection.update(ids=ids(count), documents=["y" * 5_000] * count)
    collection.upsert(ids=ids(count + 50), embeddings=vectors(count + 50, 1000))

    found = collection.get(include=["documents"])
    assert found["ids"] == ids(count + 50)
    assert found["documents"] == ["y" * 5_000] * count + [None] * 50
    nearest = collection.query(query_embeddings=vectors(count + 50, 1000), n_results=1, include=[])
    assert nearest["ids"] == [[id] for id in ids(count + 50)]


def test_more_records_than_a_request_takes(collection: chromadb.Collection) -> None:
    """They go in parts, and what was known is told of all of them."""
    collection.add(ids=["id7", "id2400"], embeddings=[[0.0], [0.0]])
    report = collection.add(ids=ids(2500), embeddings=vectors(2500, 1), on_conflict="ignore")

    assert report.ignored == ["id7", "id2400"]
    assert collection.count() == 2500


def test_records_of_very_different_sizes(collection: chromadb.Collection) -> None:
    """One in forty is a thousand times larger than the others, and the first ones are small."""
    documents = ["x" * (300_000 if number % 40 == 39 else 300) for number in range(200)]
    collection.add(ids=ids(200), embeddings=vectors(200, 2), documents=documents)

    assert collection.get(include=["documents"])["documents"] == documents


def test_a_record_that_is_too_large_by_itself(collection: chromadb.Collection) -> None:
    """The server refuses it, and the error says that the ones before it are written, the ones after it not."""
    documents = ["small"] * 100
    documents[70] = "x" * (2 * MEBIBYTE)
    with pytest.raises(BatchSizeExceededError, match=r"the first (\d+) were written before this, up to the id 'id"):
        collection.add(ids=ids(100), embeddings=vectors(100, 2), documents=documents)

    assert collection.get(include=[])["ids"] == ids(70)


def test_a_server_that_takes_less_than_it_says(server: RunningServer, collection: chromadb.Collection) -> None:
    """A proxy in between may have a limit of its own: what it refuses as too large is halved until it fits."""
    transport = Transport(RestOptions(chroma_server_host=server.host, chroma_server_http_port=server.port))
    path = f"/tenants/default_tenant/databases/default_database/collections/{collection.id}"
    info = CollectionInfo(collection.id, collection.name)
    store = RestStore(transport, path, Limits(records=100_000, body_bytes=2**30), info)
    blank: list[None] = [None] * 3000
    known = store.insert(Records(ids(3000), vectors(3000, 500), blank, blank, blank))
    transport.close()

    assert known == []
    assert collection.get(include=[])["ids"] == ids(3000)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            InvalidArgumentError("no."),
            "the first 10 were written before this, up to the id 'id9'; the others were not.",
        ),
        (UnreachableError("gone."), "the next 10 may have been, the others were not."),
    ],
)
def test_what_is_said_when_a_later_part_fails(error: Exception, said: str) -> None:
    """Which records are written, and of which nobody knows; the error keeps its class."""
    sent: list[bytes] = []

    def send(content: bytes) -> None:
        if sent:
            raise error
        sent.append(content)

    with pytest.raises(type(error)) as caught:
        send_in_parts(Records(ids(25)), Limits(10, MEBIBYTE), lambda part: ",".join(part.ids).encode(), send)
    assert said in str(caught.value)
    with pytest.raises(type(error)) as first:
        send_in_parts(Records(ids(25)), Limits(10, MEBIBYTE), lambda part: b"", send)
    assert first.value is error


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def test_compact_and_persist(tmp_path: Path) -> None:
    """A client gives back the space of what was deleted on the server; its text is gone from the files then."""
    with (
        running_server(tmp_path / "store") as server,
        chromadb.HttpClient(host=server.host, port=server.port) as client,
    ):
        things = client.create_collection("things", embedding_function=None)
        things.add(ids=ids(2000), embeddings=vectors(2000, 300), documents=["a secret that has to go"] * 2000)
        assert client.persist() is True
        full = _size(tmp_path)
        things.delete(ids=ids(1990))
        client.compact()
        client.persist()

        assert _size(tmp_path) < full / 2
        assert things.count() == 10
        assert len(things.get(where_document={"$contains": "secret"})["ids"]) == 10


async def test_compact_with_an_async_client(server: RunningServer) -> None:
    """The same, awaited."""
    async with await chromadb.AsyncHttpClient(host=server.host, port=server.port) as client:
        await client.compact()
        assert await client.persist() is True


def test_a_reader_may_not_compact(tmp_path: Path) -> None:
    """A read-only token neither compacts nor flushes; one that may write does."""
    from chroma_plugin.server.tokens import hashed

    lines = [
        f'[[tokens]]\nname = "{n}"\nhash = "{hashed(n * 16)}"\nread_only = {r}\n'
        for n, r in (("r", "true"), ("w", "false"))
    ]
    (tmp_path / "tokens.toml").write_text("\n".join(lines))
    with running_server(auth=tmp_path / "tokens.toml") as server:

        def client(name: str) -> Any:
            headers = {"Authorization": f"Bearer {name * 16}"}
            return chromadb.HttpClient(host=server.host, port=server.port, headers=headers)

        with client("w") as writer, client("r") as reader:
            writer.compact()
            for call in (reader.compact, reader.persist):
                with pytest.raises(ChromaAuthError, match="only read"):
                    call()
