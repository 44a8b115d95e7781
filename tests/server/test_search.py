"""Hybrid search: filters, ranking expressions, groups, pages and selected keys."""

from __future__ import annotations

import math
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.server import ranks

KINDS = ("fruit", "tree", None)


@pytest.fixture
def things(api: httpx.Client, collection: str) -> str:
    """Ten records in a row: r0 at 0, r1 at 1, ...; the squared distance from 0 is the square of the number."""
    body = {
        "ids": [f"r{n}" for n in range(10)],
        "embeddings": [[float(n)] for n in range(10)],
        "documents": [f"text {n}" for n in range(10)],
        "metadatas": [{"n": n, **({"kind": KINDS[n % 3]} if KINDS[n % 3] else {})} for n in range(10)],
    }
    assert api.post(f"{collection}/add", json=body).status_code == 201
    return collection


def knn(at: float, limit: int = 16, **more: Any) -> dict[str, Any]:
    return {"$knn": {"query": [at], "key": "#embedding", "limit": limit, **more}}


def search(api: httpx.Client, things: str, **payload: Any) -> dict[str, Any]:
    """The answer to one search, which the answer holds in lists of one."""
    answer = api.post(f"{things}/search", json={"searches": [payload], "read_level": "index_and_wal"})
    assert answer.status_code == 200, answer.text
    return {name: value for name, [value] in answer.json().items()}


def found(api: httpx.Client, things: str, **payload: Any) -> list[tuple[str, float]]:
    answer = search(api, things, **payload, select={"keys": ["#score"]})
    return list(zip(answer["ids"], answer["scores"], strict=True))


def test_the_nearest(api: httpx.Client, things: str) -> None:
    """A single $knn ranks by distance, its limit says how many are considered, and the page comes after."""
    assert found(api, things, rank=knn(0, limit=3)) == [("r0", 0.0), ("r1", 1.0), ("r2", 4.0)]
    assert found(api, things, rank=knn(0, limit=3), limit={"limit": 5, "offset": 1}) == [("r1", 1.0), ("r2", 4.0)]
    assert len(found(api, things, rank={"$knn": {"query": [0]}})) == 10
    assert found(api, things, rank=knn(9, limit=2, return_rank=True)) == [("r9", 0.0), ("r8", 1.0)]


def test_without_a_rank(api: httpx.Client, things: str) -> None:
    """The records that match, in the order of insertion."""
    assert found(api, things, limit={"limit": 2, "offset": 3}) == [("r3", 0.0), ("r4", 0.0)]
    assert search(api, things, filter={"kind": "tree"})["ids"] == ["r1", "r4", "r7"]
    assert len(search(api, things)["ids"]) == 10


def test_filters(api: httpx.Client, things: str) -> None:
    """They say what is searched, before the nearest are taken; ids, documents and metadata together."""
    where = {"$and": [{"n": {"$gte": 3}}, {"#document": {"$not_contains": "4"}}, {"#id": {"$nin": ["r5"]}}]}
    assert [id for id, _ in found(api, things, rank=knn(0, limit=3), filter=where)] == ["r3", "r6", "r7"]
    assert found(api, things, rank=knn(0), filter={"n": 99}) == []


def test_what_is_told(api: httpx.Client, things: str) -> None:
    """Ids always; the rest as selected, single keys of the metadata as well."""
    nothing = search(api, things, rank=knn(0, limit=1))
    assert nothing == {
        "ids": ["r0"], "documents": None, "embeddings": None, "metadatas": None, "scores": None, "select": [],
    }  # fmt: skip
    keys = ["#document", "#embedding", "#metadata", "#score"]
    everything = search(api, things, rank=knn(1, limit=1), select={"keys": keys})
    assert everything == {
        "ids": ["r1"], "documents": ["text 1"], "embeddings": [[1.0]], "metadatas": [{"n": 1, "kind": "tree"}],
        "scores": [0.0], "select": keys,
    }  # fmt: skip
    some = search(api, things, rank=knn(1, limit=2), select={"keys": ["kind", "absent"]})
    assert (some["metadatas"], some["documents"]) == ([{"kind": "fruit"}, {"kind": "tree"}][::-1], None)
    none = search(api, things, rank=knn(2, limit=1), select={"keys": ["kind"]})
    assert none["metadatas"] == [None]
    empty = search(api, things, filter={"n": 99}, select={"keys": keys})
    assert [empty[name] for name in ("ids", "documents", "embeddings", "metadatas", "scores")] == [[]] * 5


def test_arithmetic(api: httpx.Client, things: str) -> None:
    """Every operator, over distances and constants."""
    near = knn(0, limit=3)
    cases: list[tuple[dict[str, Any], list[float]]] = [
        ({"$mul": [near, {"$val": 0.5}]}, [0, 0.5, 2]),
        ({"$sum": [near, {"$val": 1}, near]}, [1, 3, 9]),
        ({"$sub": {"left": {"$val": 1}, "right": near}}, [-3, 0, 1]),
        ({"$div": {"left": near, "right": {"$val": 4}}}, [0, 0.25, 1]),
        ({"$abs": {"$sub": {"left": near, "right": {"$val": 3}}}}, [1, 2, 3]),
        ({"$exp": near}, [1, math.e, math.exp(4)]),
        ({"$log": {"$sum": [near, {"$val": 1}]}}, [0, math.log(2), math.log(5)]),
        ({"$max": [near, {"$val": 2}]}, [2, 2, 4]),
        ({"$min": [near, {"$val": 2}]}, [0, 1, 2]),
    ]
    for rank, expected in cases:
        assert [score for _, score in found(api, things, rank=rank)] == pytest.approx(expected), rank


def test_records_that_a_search_did_not_find(api: httpx.Client, things: str) -> None:
    """Without a default it takes them out, with one it gives them that score."""
    low, high = knn(0, limit=2), knn(2, limit=2)
    both = {"$sum": [low, high]}
    assert found(api, things, rank=both) == [("r1", 2.0)]
    high["$knn"]["default"] = 100.0
    assert found(api, things, rank=both) == [("r1", 2.0), ("r0", 100.0)]
    low["$knn"]["default"] = 50.0
    assert found(api, things, rank=both) == [("r1", 2.0), ("r2", 50.0), ("r0", 100.0)]


def test_what_is_no_number_comes_last(api: httpx.Client, things: str) -> None:
    """A division by zero or the logarithm of nothing is no reason to fail."""
    ranked = found(api, things, rank={"$log": {"$sub": {"left": knn(0, limit=3), "right": {"$val": 1}}}})
    assert [id for id, _ in ranked] == ["r1", "r2", "r0"]
    assert [score for _, score in ranked][2] is None


def test_reciprocal_rank_fusion(api: httpx.Client, things: str) -> None:
    """As the clients write it out: the negative sum of weight / (k + place)."""

    def term(at: float, weight: float) -> dict[str, Any]:
        place = knn(at, limit=3, return_rank=True, default=1000.0)
        return {"$div": {"left": {"$val": weight}, "right": {"$sum": [{"$val": 60}, place]}}}

    rank = {"$mul": [{"$val": -1}, {"$sum": [term(0, 2.0), term(3, 1.0)]}]}
    ranked = dict(found(api, things, rank=rank))
    assert list(ranked) == ["r2", "r0", "r1", "r3", "r4"]
    assert ranked["r2"] == pytest.approx(-(2 / 62 + 1 / 61))


def test_groups(api: httpx.Client, things: str) -> None:
    """The best of each group by score or by keys of the metadata; who lacks the key is a group of his own."""

    def grouped(**aggregate: Any) -> list[str]:
        group_by = {"keys": ["kind"], "aggregate": aggregate}
        return [id for id, _ in found(api, things, rank=knn(0), group_by=group_by)]

    best = {"keys": ["#score"], "k": 1}
    assert grouped(**{"$min_k": best}) == ["r0", "r1", "r2"]
    assert grouped(**{"$max_k": best}) == ["r7", "r8", "r9"]
    assert grouped(**{"$max_k": {"keys": ["n", "#score"], "k": 2}}) == ["r4", "r5", "r6", "r7", "r8", "r9"]
    page = {"limit": 2, "offset": 1}
    group_by = {"keys": ["kind"], "aggregate": {"$min_k": best}}
    assert [id for id, _ in found(api, things, rank=knn(0), group_by=group_by, limit=page)] == ["r1", "r2"]


def test_several_searches(api: httpx.Client, things: str) -> None:
    """Each has its own answer; none at all is an empty one."""
    body = {
        "searches": [{"rank": knn(0, 1)}, {"rank": knn(9, 1), "select": {"keys": ["#score"]}}, {"filter": {"n": 5}}]
    }
    answer = api.post(f"{things}/search", json=body).json()
    assert answer["ids"] == [["r0"], ["r9"], ["r5"]]
    assert answer["scores"] == [None, [0.0], None]
    assert api.post(f"{things}/search", json={"searches": []}).json()["ids"] == []


def test_an_empty_collection(api: httpx.Client, collection: str) -> None:
    """Nothing is found, with a rank and without."""
    assert found(api, collection, rank=knn(0)) == []
    assert found(api, collection) == []


DEEP: Any = {"$val": 1}
for _ in range(150):
    DEEP = {"$abs": DEEP}


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({"rank": 1}, 400),
        ({"rank": {}}, 400),
        ({"rank": {"$val": 1}}, 400),
        ({"rank": {"$knn": [1]}}, 400),
        ({"rank": {"$knn": {"query": "text"}}}, 400),
        ({"rank": {"$knn": {"query": ["x"]}}}, 400),
        ({"rank": {"$knn": {"query": []}}}, 400),
        ({"rank": {"$knn": {"query": [1], "limit": 0}}}, 400),
        ({"rank": {"$knn": {"query": [1], "limit": "many"}}}, 400),
        ({"rank": {"$knn": {"query": [1], "default": "x"}}}, 400),
        ({"rank": {"$knn": {"query": [1], "return_rank": 1}}}, 400),
        ({"rank": {"$knn": {"query": [1, 2]}}}, 400),
        ({"rank": {"$knn": {"query": [1], "key": "words"}}}, 501),
        ({"rank": {"$knn": {"query": {"indices": [1], "values": [1.0]}}}}, 501),
        ({"rank": {"$pow": [knn(0), {"$val": 2}]}}, 400),
        ({"rank": {"$sum": []}}, 400),
        ({"rank": {"$sum": knn(0)}}, 400),
        ({"rank": {"$sub": [knn(0), knn(0)]}}, 400),
        ({"rank": {"$sub": {"left": knn(0)}}}, 400),
        ({"rank": {"$val": True}}, 400),
        ({"rank": {"$sum": [knn(0)] * 65}}, 400),
        ({"rank": {"$sum": [knn(0), *([{"$val": 1}] * 1000)]}}, 400),
        ({"rank": {"$sum": [knn(0), DEEP]}}, 400),
        ({"filter": []}, 400),
        ({"filter": {"$or": [{"n": i} for i in range(20_000)]}}, 400),
        ({"limit": {"limit": -1}}, 400),
        ({"limit": {"offset": "x"}}, 400),
        ({"limit": 5}, 400),
        ({"select": ["#score"]}, 400),
        ({"select": {"keys": ["#nothing"]}}, 400),
        ({"select": {"keys": [5]}}, 400),
        ({"group_by": {"keys": ["kind"], "aggregate": {"$min_k": {"keys": ["#score"], "k": 1}}}}, 400),
        ({"rank": knn(0), "group_by": {"keys": ["kind"]}}, 400),
        ({"rank": knn(0), "group_by": {"keys": ["#score"], "aggregate": {"$min_k": {"keys": ["n"], "k": 1}}}}, 400),
        ({"rank": knn(0), "group_by": {"keys": ["kind"], "aggregate": {"$top": {"keys": ["n"], "k": 1}}}}, 400),
        ({"rank": knn(0), "group_by": {"keys": ["kind"], "aggregate": {"$min_k": {"keys": ["n"], "k": 0}}}}, 400),
        ({"rank": knn(0), "group_by": [1]}, 400),
    ],
)  # fmt: skip
def test_bad_searches(api: httpx.Client, things: str, payload: dict[str, Any], status: int) -> None:
    """A clear error that is no fault of the server."""
    answer = api.post(f"{things}/search", json={"searches": [payload]})
    assert answer.status_code == status, answer.text
    assert len(answer.json()["message"]) < 500


def test_bad_bodies(api: httpx.Client, things: str) -> None:
    """What holds no list of searches."""
    for body in ({}, {"searches": None}, {"searches": {}}, {"searches": [1]}, {"searches": [{}] * 1001}):
        assert api.post(f"{things}/search", json=body).status_code == 400


def _near(at: int, limit: int, places: bool, default: int | None) -> dict[str, Any]:
    return knn(at, limit, return_rank=places, **({} if default is None else {"default": default}))


SMALL = st.integers(-3, 3)
SEARCHES = st.builds(_near, st.integers(0, 5), st.integers(1, 5), st.booleans(), st.none() | SMALL)
EXPRESSIONS = st.recursive(
    SEARCHES | st.builds(lambda value: {"$val": value}, SMALL),
    lambda inner: st.one_of(
        st.dictionaries(
            st.sampled_from(["$sum", "$mul", "$max", "$min"]),
            st.lists(inner, min_size=1, max_size=3),
            min_size=1,
            max_size=1,
        ),
        st.dictionaries(
            st.sampled_from(["$sub", "$div"]),
            st.fixed_dictionaries({"left": inner, "right": inner}),
            min_size=1,
            max_size=1,
        ),
        st.builds(lambda part: {"$abs": part}, inner),
    ),
    max_leaves=8,
)

Scores = tuple[dict[str, float], float | None]


def judged(rank: Any, nearest: dict[int, list[tuple[str, float]]]) -> Scores:
    """The scores of an expression and its default, record by record as the documentation of Chroma says it."""
    [(operator, operand)] = rank.items()
    if operator == "$val":
        return {}, float(operand)
    if operator == "$knn":
        found = nearest[int(operand["query"][0])][: operand["limit"]]
        default = operand.get("default")
        scores = {id: float(n) if operand["return_rank"] else distance for n, (id, distance) in enumerate(found)}
        return scores, None if default is None else float(default)
    parts = [judged(part, nearest) for part in _parts(operator, operand)]
    scored = {id for scores, _ in parts for id in scores}
    kept = [id for id in scored if all(id in scores or default is not None for scores, default in parts)]
    defaults = [default for _, default in parts if default is not None]
    default = _applied(operator, defaults) if len(defaults) == len(parts) else None
    return {
        id: _applied(operator, [scores.get(id, d if d is not None else 0.0) for scores, d in parts]) for id in kept
    }, default


def _parts(operator: str, operand: Any) -> list[Any]:
    if operator == "$abs":
        return [operand]
    return operand if isinstance(operand, list) else [operand["left"], operand["right"]]


def _applied(operator: str, values: list[float]) -> float:
    if operator == "$div":
        left, right = values
        if right == 0:
            return (
                math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
            )
        return left / right
    if operator in ("$max", "$min") and any(map(math.isnan, values)):
        return math.nan
    functions: dict[str, Any] = {
        "$abs": lambda v: abs(v[0]), "$sum": math.fsum if all(map(math.isfinite, values)) else sum,
        "$mul": math.prod, "$max": max, "$min": min, "$sub": lambda v: v[0] - v[1],
    }  # fmt: skip
    return float(functions[operator](values))


@given(EXPRESSIONS)
@settings(max_examples=200, deadline=None)
def test_any_expression(rank: dict[str, Any]) -> None:
    """The scores are those that going through it record by record gives, and the lowest come first."""
    nearest = {
        at: sorted(((f"r{n}", float((n - at) ** 2)) for n in range(6)), key=lambda each: each[1]) for at in range(6)
    }
    try:
        parsed = ranks.parse(rank)
    except InvalidArgumentError:
        assert "$knn" not in str(rank)
        return
    found = {}
    for part in ranks.searches(parsed):
        near = nearest[int(part.query[0][0])][: part.limit]
        found[part] = ([id for id, _ in near], _distances(near))
    ranked = ranks.scores(parsed, found)
    expected, _ = judged(rank, nearest)

    assert {id for id, _ in ranked} == set(expected)
    for id, score in ranked:
        assert score == pytest.approx(expected[id], nan_ok=True)
    numbers = [score for _, score in ranked if not math.isnan(score)]
    assert numbers == sorted(numbers)


def _distances(near: list[tuple[str, float]]) -> Any:
    import numpy as np

    return np.array([distance for _, distance in near], dtype=np.float32)
