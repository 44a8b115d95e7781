"""The same answers from every store, whatever it takes of a filter: compared with a filter and a sort in Python."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clients import BACKENDS, open_client

import chroma_plugin as chromadb

RECORDS: list[dict[str, Any]] = [{"n": i % 5, "s": "ab"[i % 2], "x": i / 2} if i % 7 else {"s": "c"} for i in range(40)]
IDS = [f"id{i}" for i in range(len(RECORDS))]
DOCUMENTS = [f"number {i} {'even' if i % 2 == 0 else 'odd'}" for i in range(len(RECORDS))]


@pytest.fixture(scope="module", params=list(BACKENDS))
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> chromadb.Collection:
    """Forty records on a line."""
    client = open_client(request.param, tmp_path_factory.mktemp("many"))
    collection = client.create_collection("many", embedding_function=None)
    collection.add(ids=IDS, embeddings=[[i, 0] for i in range(40)], metadatas=RECORDS, documents=DOCUMENTS)
    return collection


CLAUSES = {
    "n = 3": ({"n": 3}, lambda i: RECORDS[i].get("n") == 3),
    "n > 2": ({"n": {"$gt": 2}}, lambda i: RECORDS[i].get("n", -1) > 2),
    "s in": ({"s": {"$in": ["a", "c"]}}, lambda i: RECORDS[i]["s"] in ("a", "c")),
    "not n = 1": ({"n": {"$ne": 1}}, lambda i: RECORDS[i].get("n") != 1),
}


@settings(max_examples=40, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(CLAUSES)), unique=True, max_size=3),
    odd=st.booleans(),
    limit=st.none() | st.integers(0, 10),
    offset=st.integers(0, 5),
    order=st.sampled_from([None, "x", "-x", "-n"]),
)
def test_get_and_count(
    many: chromadb.Collection, names: list[str], odd: bool, limit: int | None, offset: int, order: str | None
) -> None:
    """Filters, order and page of get, and count, are those of plain Python."""
    where = {"$and": [CLAUSES[name][0] for name in names]} if names else None
    where_document = {"$contains": "odd"} if odd else None
    expected = [i for i in range(40) if all(CLAUSES[name][1](i) for name in names) and (not odd or i % 2 == 1)]
    if order is not None:
        key = order.removeprefix("-")
        there = [i for i in expected if key in RECORDS[i]]
        there.sort(key=lambda i: RECORDS[i][key], reverse=order.startswith("-"))
        expected = there + [i for i in expected if key not in RECORDS[i]]
    stop = None if limit is None else offset + limit

    got = many.get(where=where, where_document=where_document, limit=limit, offset=offset, order_by=order)

    assert got["ids"] == [IDS[i] for i in expected[offset:stop]]
    assert got["documents"] == [DOCUMENTS[i] for i in expected[offset:stop]]
    assert got["metadatas"] == [RECORDS[i] for i in expected[offset:stop]]
    assert many.count(where=where, where_document=where_document) == len(expected)


@settings(max_examples=40, deadline=None)
@given(
    name=st.none() | st.sampled_from(sorted(CLAUSES)),
    ids=st.none() | st.lists(st.sampled_from([*IDS, "nobody"]), unique=True),
    n_results=st.integers(1, 50),
    place=st.integers(-1, 41),
)
def test_query(many: chromadb.Collection, name: str | None, ids: list[str] | None, n_results: int, place: int) -> None:
    """The nearest of those that ids and the filter leave, never fewer than there are."""
    left = [i for i in range(40) if (name is None or CLAUSES[name][1](i)) and (ids is None or IDS[i] in ids)]
    expected = sorted(left, key=lambda i: ((i - place) ** 2, i))[:n_results]

    found = many.query(
        query_embeddings=[place, 0], ids=ids, where=None if name is None else CLAUSES[name][0], n_results=n_results
    )

    assert found["ids"] == [[IDS[i] for i in expected]]
    assert found["distances"] == [[(i - place) ** 2 for i in expected]]
