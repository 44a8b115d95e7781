"""The same calls through HTTP and in this process give the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.server import RunningServer, running_server

import chroma_plugin as chromadb
from chroma_plugin.errors import ChromaError
from chroma_plugin.testing import strategies

Step = Callable[[chromadb.Collection], Any]
ALL = ["embeddings", "documents", "metadatas", "uris"]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as server:
        yield server


@pytest.fixture(scope="module")
def clients(server: RunningServer) -> Iterator[list[chromadb.Client]]:
    """One over HTTP, one in this process."""
    with chromadb.HttpClient(server.host, server.port) as remote, chromadb.EphemeralClient() as local:
        yield [remote, local]


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """One call, as a function of the collection that it is made on."""
    records = draw(strategies.records(dimension=2, min_size=1, max_size=5))
    where = draw(st.none() | strategies.wheres_for(records))
    page = {"limit": draw(st.none() | st.integers(0, 4)), "offset": draw(st.none() | st.integers(0, 3))}
    embedding = draw(strategies.embeddings(2, 2))
    columns = {"embeddings": records.embeddings, "documents": records.documents, "metadatas": records.metadatas}
    ids = list(records.ids)
    choices: list[Step] = [
        lambda c: c.add(ids, **columns, on_conflict="ignore"),
        lambda c: c.add(ids, **columns, on_conflict="replace"),
        lambda c: c.add(ids, **columns, on_conflict="error"),
        lambda c: c.upsert(ids, **columns),
        lambda c: c.upsert(ids, **columns, metadata_mode="replace"),
        lambda c: c.update(ids, metadatas=records.metadatas, documents=records.documents),
        lambda c: c.update(ids, embeddings=records.embeddings),
        lambda c: c.delete(ids),
        lambda c: c.delete(where=where) if where else c.count(),
        lambda c: c.get(where=where, include=ALL, **page),
        lambda c: c.get(ids[::-1], where=where, include=ALL),
        lambda c: c.get(order_by=["a", "-b"], include=["metadatas"]),
        lambda c: c.count(where=where),
        lambda c: c.query(query_embeddings=embedding, n_results=3, where=where, include=[*ALL, "distances"]),
        lambda c: c.query(query_embeddings=embedding, n_results=9, ids=ids, max_distance=5.0),
        lambda c: c.modify(metadata={"n": 1}),
        lambda c: c.add([], embeddings=[]),
    ]
    return draw(st.sampled_from(choices))


def answer(step: Step, collection: chromadb.Collection) -> Any:
    """What a call gives, or the class of its error, in a form that can be compared."""
    try:
        return comparable(step(collection))
    except ChromaError as error:
        return type(error)


def comparable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.tobytes())
    if isinstance(value, dict):
        return {key: comparable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [comparable(inner) for inner in value]
    return repr(value)


def contents(collection: chromadb.Collection) -> Any:
    return comparable(collection.get(include=ALL)), collection.metadata


@given(calls=st.lists(steps(), min_size=1, max_size=8), space=st.sampled_from(["l2", "cosine", "ip"]))
@settings(max_examples=40, deadline=None, database=None)
def test_the_same_calls_give_the_same_answers(clients: list[chromadb.Client], calls: list[Step], space: str) -> None:
    """Answers, errors, and what is there in the end."""
    name = f"c{uuid4().hex}"
    both = [
        client.create_collection(name, configuration={"hnsw": {"space": space}}, embedding_function=None)
        for client in clients
    ]
    for call in calls:
        remote, local = (answer(call, collection) for collection in both)
        assert remote == local
    assert contents(both[0]) == contents(both[1])


def test_batches_above_the_limit_of_the_server() -> None:
    """They are split, and arrive whole."""
    with running_server(limit_batch=10) as server, chromadb.HttpClient(server.host, server.port) as client:
        collection = client.create_collection("things", embedding_function=None)
        ids = [f"i{number}" for number in range(35)]
        collection.add(ids, embeddings=[[number, 0] for number in range(35)])
        collection.upsert(ids[:25], embeddings=[[0, number] for number in range(25)], metadatas=[{"n": 1}] * 25)
        collection.update(ids, documents=ids)

        assert collection.count() == 35
        assert collection.get(where={"n": 1}, include=["documents"])["documents"] == ids[:25]


def test_two_clients_see_each_other(server: RunningServer) -> None:
    """What one changes, the other finds: records, names, metadata; and a change sends no more than what it changes."""
    with (
        chromadb.HttpClient(server.host, server.port) as first,
        chromadb.HttpClient(server.host, server.port) as second,
    ):
        mine = first.create_collection("shared", embedding_function=None, metadata={"n": 1})
        yours = second.get_collection("shared")
        mine.add("a", embeddings=[1, 0])
        assert yours.get()["ids"] == ["a"]

        mine.modify(name="renamed")
        yours.modify(metadata={"n": 2})

        found = first.get_collection("renamed")
        assert (found.name, found.metadata, found.id) == ("renamed", {"n": 2}, mine.id)
        second.delete_collection("renamed")
