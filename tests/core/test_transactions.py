# ruff: noqa: PT012  a transaction raises at its end, whatever stands in it
"""Transactions: a collection as it is seen from inside, and what is left when one ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from support.server import RunningServer, start_server

import chroma_plugin as chromadb
from chroma_plugin.errors import ClosedError, InvalidArgumentError, StaleReadError, UnsupportedError


@pytest.fixture(scope="module")
def server() -> RunningServer:
    return start_server(allow_reset=True)


@pytest.fixture(params=["memory", "duckdb", "rest"])
def client(request: pytest.FixtureRequest, tmp_path: Path, server: RunningServer) -> Iterator[chromadb.Client]:
    """A client of each engine of ours that stands here; pgvector runs the same tests of the kit."""
    if request.param == "rest":
        opened = chromadb.HttpClient("127.0.0.1", server.port)
        opened.reset()
    else:
        opened = chromadb.Client() if request.param == "memory" else chromadb.PersistentClient(tmp_path)
    with opened as client:
        yield client


@pytest.fixture
def three(client: chromadb.Client) -> chromadb.Collection:
    collection = client.create_collection("things", embedding_function=None)
    fill(collection)
    return collection


def fill(collection: chromadb.Collection) -> None:
    collection.add(
        ids=["a", "b", "c"],
        embeddings=[[1, 0], [2, 0], [3, 0]],
        metadatas=[{"n": 1}, {"n": 2}, {"n": 3}],
        documents=["one apple", "two pears", "three apples"],
    )


def test_others_see_it_when_it_ends(three: chromadb.Collection) -> None:
    """Before that, the transaction alone does; afterwards everybody does."""
    with three.transaction() as inside:
        inside.add(ids=["d"], embeddings=[[4, 0]])
        inside.delete(ids=["a"])
        inside.update(ids=["b"], documents="two figs")
        assert inside.get()["ids"] == ["b", "c", "d"]
        assert three.get()["ids"] == ["a", "b", "c"]
    assert three.get()["ids"] == ["b", "c", "d"]
    assert three.get(ids="b")["documents"] == ["two figs"]
    assert three.query(query_embeddings=[4, 0], n_results=1)["ids"] == [["d"]]


def test_an_exception_undoes_it(three: chromadb.Collection) -> None:
    with pytest.raises(ZeroDivisionError), three.transaction() as inside:
        inside.delete(ids=["a", "b", "c"])
        raise ZeroDivisionError
    assert three.count() == 3


@pytest.mark.parametrize(
    "read",
    [
        lambda inside: inside.get(ids=["b"]),
        lambda inside: inside.get(ids=["nobody"]),
        lambda inside: inside.get(where={"n": {"$gte": 2}}),
        lambda inside: inside.count(),
        lambda inside: inside.query(query_embeddings=[2, 0], n_results=1),
        lambda inside: inside.search_text("figs"),
        lambda inside: inside.upsert(ids=["nobody"], embeddings=[[0, 0]]),
    ],
    ids=["get", "nobody", "where", "count", "query", "text", "upsert"],
)
def test_a_stale_read_raises(three: chromadb.Collection, read: Any) -> None:
    """Whatever way it was read, also that there was nothing."""
    with pytest.raises(StaleReadError, match="begin the transaction again"), three.transaction() as inside:
        read(inside)
        inside.upsert(ids=["never"], embeddings=[[9, 9]])
        three.upsert(ids=["b", "nobody"], embeddings=[[2, 1], [0, 1]], documents=["two figs", "figs"])
    assert three.get(ids="never")["ids"] == []


def test_what_was_not_read_does_not_matter(three: chromadb.Collection) -> None:
    """Writers of other records do not stop each other."""
    with three.transaction() as inside:
        inside.update(ids=["a"], metadatas={"n": inside.get(ids="a")["metadatas"][0]["n"] + 1})
        three.update(ids=["b"], metadatas={"n": 20})
    assert [each["n"] for each in three.get()["metadatas"]] == [2, 20, 3]


def test_several_collections(client: chromadb.Client, three: chromadb.Collection) -> None:
    """Moved from one to the other, never in both or in none."""
    other = client.create_collection("other", embedding_function=None)
    with client.transaction() as t:
        source, target = t.collection(three), t.collection(other)
        taken = source.get(ids=["b"], include=["embeddings", "documents", "metadatas"])
        target.add(taken["ids"], taken["embeddings"], taken["metadatas"], taken["documents"])
        source.delete(ids=["b"])
        assert t.collection(three).count() == 2, "Asked for again, it is the same."
    assert (three.get()["ids"], other.get()["ids"]) == (["a", "c"], ["b"])
    with pytest.raises(StaleReadError), client.transaction() as t:
        t.collection(other).delete(ids=["b"])
        t.collection(three).get()
        three.delete(ids=["a"])
    assert other.count() == 1


def test_the_first_record_inside(client: chromadb.Client) -> None:
    """It fixes the dimension inside at once, and for all when the transaction ends, unless another came first."""
    collection = client.create_collection("empty", embedding_function=None)
    with collection.transaction() as inside:
        inside.add(ids=["a"], embeddings=[[1, 2, 3]])
        assert inside.query(query_embeddings=[1, 2, 3])["ids"] == [["a"]]
        with pytest.raises(InvalidArgumentError, match="dimension 3"):
            inside.add(ids=["b"], embeddings=[[1, 2]])
    with pytest.raises(InvalidArgumentError, match="dimension 3"):
        collection.add(ids=["b"], embeddings=[[1, 2]])
    late = client.create_collection("late", embedding_function=None)
    with pytest.raises(InvalidArgumentError, match="dimension 2"), late.transaction() as inside:
        inside.add(ids=["a"], embeddings=[[1, 2, 3]])
        late.add(ids=["b"], embeddings=[[1, 2]])
    assert late.get()["ids"] == ["b"]


def test_after_the_end(client: chromadb.Client, three: chromadb.Collection) -> None:
    with client.transaction() as t:
        inside = t.collection(three)
        with pytest.raises(UnsupportedError, match="outside"):
            inside.modify(name="other")
        with pytest.raises(InvalidArgumentError, match="already"):
            t.collection(inside)
    with pytest.raises(ClosedError, match="has ended"):
        inside.get()
    with pytest.raises(ClosedError, match="has ended"):
        t.collection(three)


def test_a_collection_of_another_client(client: chromadb.Client) -> None:
    with chromadb.Client() as other, client.transaction() as t:
        stranger = other.create_collection("stranger", embedding_function=None)
        with pytest.raises(InvalidArgumentError, match="another client"):
            t.collection(stranger)
        with pytest.raises(InvalidArgumentError, match="not"):
            t.collection("things")  # type: ignore[type-var]


def test_a_collection_that_was_deleted(client: chromadb.Client, three: chromadb.Collection) -> None:
    with pytest.raises(chromadb.errors.NotFoundError), three.transaction() as inside:
        inside.delete(ids=["a"])
        client.delete_collection("things")


async def test_with_coroutines() -> None:
    """Twenty tasks add to one number; the event loop's own transactions conflict and begin again."""
    async with chromadb.AsyncClient() as client:
        account = await client.create_collection("account", embedding_function=None)
        await account.add(ids=["n"], embeddings=[[0]], metadatas=[{"n": 0}])

        async def add_one() -> None:
            while True:
                try:
                    async with account.transaction() as inside:
                        found = await inside.get(ids="n")
                        await asyncio.sleep(0)
                        await inside.update(ids="n", metadatas={"n": found["metadatas"][0]["n"] + 1})
                except StaleReadError:
                    continue
                return

        await asyncio.gather(*(add_one() for _ in range(20)))
        assert (await account.get(ids="n"))["metadatas"] == [{"n": 20}]


async def test_with_coroutines_on_a_server(server: RunningServer) -> None:
    """The same calls, waited for on the event loop; two collections."""
    with chromadb.HttpClient("127.0.0.1", server.port) as blocking:
        blocking.reset()
    async with await chromadb.AsyncHttpClient("127.0.0.1", server.port) as client:
        first = await client.create_collection("first", embedding_function=None)
        second = await client.create_collection("second", embedding_function=None)
        async with client.transaction() as t:
            await t.collection(first).add(ids=["a"], embeddings=[[1, 2]])
            await t.collection(second).add(ids=["b"], embeddings=[[1, 2]])
        assert (await first.count(), await second.count()) == (1, 1)
        with pytest.raises(StaleReadError):
            async with first.transaction() as inside:
                await inside.count()
                await first.delete(ids=["a"])


def test_wide_numbers_over_the_wire(server: RunningServer) -> None:
    """Integers that only 64 bits hold, and floats beyond: as they were written, in records and in filters."""
    with chromadb.HttpClient("127.0.0.1", server.port) as client:
        client.reset()
        collection = client.create_collection("wide", embedding_function=None)
        with collection.transaction() as inside:
            inside.add(ids=["a"], embeddings=[[1]], metadatas=[{"i": 2**63 - 1, "f": 1e300}])
        with collection.transaction() as inside:
            assert inside.get(where={"$and": [{"i": 2**63 - 1}, {"f": {"$gt": 1e299}}]})["ids"] == ["a"]
            inside.delete(ids=["a"])
        assert collection.count() == 0


IDS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3, unique=True)
NUMBERS = st.integers(0, 3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "upsert", "update"]), IDS, NUMBERS),
        st.tuples(st.just("delete"), IDS, st.none()),
        st.tuples(st.just("delete where"), st.none(), NUMBERS),
    ),
    max_size=8,
)


@given(before=STEPS, inside=STEPS, n=NUMBERS, limit=st.none() | NUMBERS, offset=NUMBERS)
@settings(max_examples=80, deadline=None)
def test_inside_is_as_outside(before: list[Any], inside: list[Any], n: int, limit: int | None, offset: int) -> None:
    """Whatever is done in a transaction, every read in it is what the same reads outside give after the same calls."""
    with chromadb.Client() as client:
        plain = client.create_collection("plain", embedding_function=None)
        other = client.create_collection("transacted", embedding_function=None)
        for collection in (plain, other):
            perform(collection, before)
        perform(plain, inside)
        with other.transaction() as seen:
            perform(seen, inside)
            assert answers(seen, n, limit, offset) == answers(plain, n, limit, offset)
        assert answers(other, n, limit, offset) == answers(plain, n, limit, offset)


def perform(collection: chromadb.Collection, steps: list[Any]) -> None:
    for step, (how, ids, n) in enumerate(steps):
        if how == "delete":
            collection.delete(ids=ids)
        elif how == "delete where":
            collection.delete(where={"n": n})
        else:
            rows = {"embeddings": [[n, ord(id)] for id in ids], "metadatas": [{"n": n}] * len(ids)}
            options = {"on_conflict": "ignore"} if how == "add" else {}
            getattr(collection, how)(ids=ids, documents=[f"step {step}"] * len(ids), **rows, **options)


def answers(collection: chromadb.Collection, n: int, limit: int | None, offset: int) -> list[Any]:
    where = {"n": {"$lte": n}}
    everything = ["embeddings", "documents", "metadatas"]
    found = [
        collection.get(include=everything, limit=limit, offset=offset),
        collection.get(where=where, include=everything, limit=limit, offset=offset),
        collection.get(ids=["h", "a", "c"], where=where, include=everything),
        collection.get(order_by="-n", include=everything, limit=limit),
        collection.query(query_embeddings=[[n, 100.2]], n_results=3, where=where),
        collection.query(query_embeddings=[[n, 101.4]], n_results=2, where_document={"$contains": "step"}),
        collection.search_text("step 1", n_results=20),
        collection.count(),
        collection.count(where=where),
    ]
    return [_comparable(each) for each in found]


def _comparable(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    return {
        key: _listed(value) if key in ("embeddings", "distances", "scores") else value for key, value in found.items()
    }


def _listed(rows: Any) -> Any:
    return None if rows is None else [np.asarray(row).tolist() for row in rows]
