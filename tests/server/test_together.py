"""Small writes into one collection that come at the same time are one write, and nobody notices but by the clock."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.server import RunningServer

import chroma_plugin as chromadb
from chroma_plugin.errors import ChromaError
from chroma_plugin.plugins import default_manager
from chroma_plugin.server import keys
from chroma_plugin.server.call import Answer, Call
from chroma_plugin.server.config import ServerConfig
from chroma_plugin.server.handlers import adding, records
from chroma_plugin.server.line import MOST, Line
from chroma_plugin.server.served import Served
from chroma_plugin.server.tokens import EVERYTHING

PLACE = {"tenant": "default_tenant", "database": "default_database"}


@contextmanager
def served() -> Iterator[tuple[Served, str]]:
    """A database in memory, as the handlers see it, and the id of an empty collection."""
    with chromadb.Client() as client:
        made = client.create_collection("things", embedding_function=None)
        yield Served(client._connection, default_manager(), owned=False), str(made.id)


def call(database: Served, collection: str, body: Any) -> Call:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Call(database, ServerConfig(), EVERYTHING, {**PLACE, "collection": collection}, raw=raw)


def told(outcome: Answer | Exception) -> object:
    if isinstance(outcome, Answer):
        return outcome.status, outcome.body
    assert isinstance(outcome, ChromaError), repr(outcome)
    return outcome.name()


IDS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=3, unique=True)
METADATA = st.none() | st.dictionaries(st.sampled_from("xy"), st.integers(0, 3), min_size=1)


@st.composite
def bodies(draw: st.DrawFn) -> Any:
    """Mostly good ones; now and then another dimension, ids twice, or no JSON."""
    ids = draw(IDS)
    dimension = draw(st.sampled_from([2, 2, 2, 2, 3]))
    body: dict[str, Any] = {"ids": ids, "embeddings": [[draw(st.integers(0, 9))] * dimension for _ in ids]}
    for column, values in (("documents", st.none() | st.sampled_from(["one", "two"])), ("metadatas", METADATA)):
        if draw(st.booleans()):
            body[column] = [draw(values) for _ in ids]
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([b"{", {**body, "ids": ids * 2}, {**body, "embeddings": None}]))
    return body


@given(st.lists(bodies(), min_size=1, max_size=8), st.sampled_from(["add", "upsert", "insert", "put"]))
@settings(max_examples=150, deadline=None)
def test_together_is_as_one_after_the_other(asked: list[Any], kind: str) -> None:
    """Whatever is asked: the same answers, the same errors, the same records, the same keys in the schema."""
    one, together = getattr(adding, kind), getattr(adding, f"{kind}_together")
    with served() as (first, here), served() as (second, there):
        asked = [_of_kind(body, kind) for body in asked]
        alone = [_outcome(one, call(first, here, body)) for body in asked]
        at_once = together([call(second, there, body) for body in asked])
        assert list(map(told, at_once)) == list(map(told, alone))
        everything = {"include": ["documents", "metadatas", "embeddings"]}
        looks = (call(first, here, everything), call(second, there, everything))
        assert len({records.get(look).body for look in looks}) == 1
        assert keys.known(looks[0].collection()) == keys.known(looks[1].collection())


def _of_kind(body: Any, kind: str) -> Any:
    """The same records as our own clients send them, whole."""
    if kind in ("add", "upsert") or isinstance(body, bytes):
        return body
    rows, blank = body["embeddings"], [None] * len(body["ids"])
    packed = None if rows is None else base64.b64encode(np.array(rows, dtype="<f4").tobytes()).decode()
    columns = {"documents": blank, "metadatas": blank, **body}
    return {"records": {**columns, "embeddings": packed, "dimension": len(rows[0]) if rows else None}}


def _outcome(handler: Any, asked: Call) -> Answer | Exception:
    try:
        answer: Answer = handler(asked)
    except ChromaError as error:
        return error
    return answer


async def test_who_comes_meanwhile_is_served_together() -> None:
    """The first is served at once; those who come while he is wait, and are then one group, in their order."""
    groups: list[list[bytes]] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def serve(calls: Sequence[Call]) -> list[Answer]:
        groups.append([each.raw for each in calls])
        begun.set()
        await go_on.wait()
        return [Answer(each.raw) for each in calls]

    line = Line(serve)
    with served() as (database, id):
        first = asyncio.create_task(line.answer(call(database, id, b"first")))
        await begun.wait()
        others = [asyncio.create_task(line.answer(call(database, id, b"%d" % n))) for n in range(MOST + 5)]
        await asyncio.sleep(0)
        others[1].cancel()
        go_on.set()
        assert (await first).body == b"first"
        answers = await asyncio.gather(*others, return_exceptions=True)
    assert isinstance(answers[1], asyncio.CancelledError)
    assert all(isinstance(answer, Answer) and answer.body == b"%d" % n for n, answer in enumerate(answers) if n != 1)
    assert groups == [
        [b"first"],
        [b"%d" % n for n in range(MOST) if n != 1],
        [b"%d" % n for n in range(MOST, MOST + 5)],
    ]


async def test_a_group_that_fails_does_not_stop_the_line() -> None:
    """Each of the group gets the error, and the next ones are served."""
    fails = True

    async def serve(calls: Sequence[Call]) -> list[Answer | Exception]:
        await asyncio.sleep(0.01)
        if fails and len(calls) > 1:
            raise RuntimeError("no")
        return [Answer(each.raw) for each in calls]

    line = Line(serve)
    with served() as (database, id):
        asked = [line.answer(call(database, id, b"%d" % n)) for n in range(4)]
        first, *others = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(first, Answer)
        assert [type(other) for other in others] == [RuntimeError] * 3
        fails = False
        asked = [line.answer(call(database, id, b"%d" % n)) for n in range(4)]
        assert all(isinstance(answer, Answer) for answer in await asyncio.gather(*asked))


@pytest.mark.parametrize("route", ["add", "upsert"])
async def test_many_clients_at_once(server: RunningServer, api: httpx.Client, collection: str, route: str) -> None:
    """Two hundred requests in flight, good ones and bad ones: each gets its own answer; what was accepted is there."""
    good = [{"ids": [f"r{n}"], "embeddings": [[n, 1]], "metadatas": [{"n": n}]} for n in range(160)]
    wrong = [{"ids": [f"w{n}"], "embeddings": [[1, 2, 3]]} for n in range(20)]
    broken = [{"ids": ["x", "x"], "embeddings": [[1, 2], [1, 2]]} for _ in range(20)]
    assert api.post(f"{collection}/{route}", json={"ids": ["first"], "embeddings": [[0, 0]]}).status_code < 300
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as many:
        asked = [many.post(f"{collection}/{route}", json=body) for body in (*good, *wrong, *broken)]
        answers = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert answers == [201 if route == "add" else 200] * 160 + [400] * 40
    assert api.get(f"{collection}/count").json() == 161
    assert api.post(f"{collection}/get", json={"ids": ["r77"]}).json()["metadatas"] == [{"n": 77}]
    assert len(api.post(f"{collection}/get", json={"where": {"n": {"$gte": 100}}}).json()["ids"]) == 60


async def test_one_id_from_many_clients(server: RunningServer, api: httpx.Client, collection: str) -> None:
    """Of adds of one id that come at once one wins whole, and all are acknowledged."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as many:
        asked = [
            many.post(f"{collection}/add", json={"ids": ["same"], "embeddings": [[n]], "documents": [f"text {n}"]})
            for n in range(50)
        ]
        assert {answer.status_code for answer in await asyncio.gather(*asked)} == {201}
    found = api.post(f"{collection}/get", json={"include": ["documents", "embeddings"]}).json()
    [[number]], [text] = found["embeddings"], found["documents"]
    assert text == f"text {number:g}"
