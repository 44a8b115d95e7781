"""Every plan of a search finds what brute force finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from support.vectors import clustered, records

from chroma_plugin.filters.parse import parse_where
from chroma_plugin.toolkit import graph, graph_building, sketch, upkeep
from chroma_plugin.toolkit.local import LocalStore
from chroma_plugin.toolkit.planner import Plan, Task
from chroma_plugin.toolkit.searching import Nearest
from chroma_plugin.types import Metric, Scan, Search

MakeStore = Callable[..., LocalStore]

SPACES = ["l2", "cosine", "ip"]


def brute_force(store: LocalStore, query: np.ndarray, k: int, space: str, where: object = None) -> list[str]:
    [batch] = store.scan(Scan(where=parse_where(where)))
    vectors, query = batch.embeddings.astype(np.float64), query.astype(np.float64)
    if space == "l2":
        distances = ((vectors - query) ** 2).sum(axis=1)
    else:
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query) if space == "cosine" else 1.0
        distances = 1 - vectors @ query / lengths
    return [batch.ids[row] for row in np.argsort(distances, kind="stable")[:k]]


def found(
    store: LocalStore, queries: np.ndarray, k: int, space: str, where: object = None, **more: object
) -> list[list[str]]:
    request = Search(queries, k, Metric(space), where=parse_where(where), **more)
    return [list(hits.records.ids) for hits in store.search(request)]


WHERES = [None, {"tenth": 3}, {"tenth": {"$ne": 3}}, {"number": {"$lt": 5}}, {"number": {"$gte": 400}}]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("where", WHERES)
def test_without_a_graph_every_search_is_exact(make_store: MakeStore, space: str, where: object) -> None:
    """Gathered or swept, the answer is that of brute force in float64."""
    store = make_store(space)
    store.put(records(clustered(900)))
    queries = clustered(80, seed=1)  # in several blocks, by several threads

    assert store.stats()["indexed"] == 0
    assert found(store, queries, 10, space, where) == [brute_force(store, query, 10, space, where) for query in queries]


@pytest.mark.skipif(not (graph.installed() and sketch.available()), reason="hnswlib or numkong is not installed")
@pytest.mark.parametrize("space", SPACES)
def test_a_graph_that_finds_little_is_not_asked(
    make_store: MakeStore, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan answers where a graph has not the links, or the vectors no neighbourhoods, that it takes."""
    monkeypatch.setattr(graph_building, "_USUAL", 10)
    random = np.random.default_rng(5)
    store = make_store(space, max_neighbors=2, ef_construction=4, ef_search=10)
    store.put(records(random.standard_normal((6_000, 128), dtype=np.float32)))
    store.optimize()
    queries = random.standard_normal((20, 128), dtype=np.float32)

    answers = [found(store, query[None], 10, space)[0] for query in queries]
    missed = [set(brute_force(store, query, 10, space)) - set(own) for query, own in zip(queries, answers, strict=True)]
    assert store.stats()["indexed"] == 6_000
    assert store.explain(Search(queries[:1], 10, Metric(space)))["plan"] == "scan"
    assert sum(map(len, missed)) <= 2


@pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("where", WHERES)
def test_with_a_graph_recall_is_high_and_no_hit_is_missing(make_store: MakeStore, space: str, where: object) -> None:
    """After index building, deletes and new rows: k hits whenever k match, nearly all of them the true ones."""
    store = make_store(space)
    store.put(records(clustered(3000)))
    store.optimize()
    assert store.stats()["indexed"] == 3000
    store.delete([f"id{number}" for number in range(0, 400, 2)])
    store.put(records(clustered(200, seed=2), start=3000))
    queries = clustered(20, seed=3)

    expected = [brute_force(store, query, 10, space, where) for query in queries]
    answers = found(store, queries, 10, space, where)

    assert [len(answer) for answer in answers] == [len(answer) for answer in expected]
    hits = sum(len(set(answer) & set(truth)) for answer, truth in zip(answers, expected, strict=True))
    assert hits >= 0.97 * sum(len(truth) for truth in expected)
    assert found(store, queries, 10, space, where, exact=True) == expected


@pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
@pytest.mark.parametrize(
    ("space", "length"),
    [("l2", 1), ("ip", 1e-3), ("ip", 1), ("ip", 1e9), ("cosine", 1e-9), ("cosine", 1), ("cosine", 1e9)],
)
def test_one_query_is_answered_as_among_many(
    make_store: MakeStore, space: str, length: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it is; many are asked in another order than given. For one query fewer candidates are measured: only
    those that are likely to be among the nearest.
    """
    monkeypatch.setattr(Task, "plan", lambda task: Plan.GRAPH)
    store = make_store(space)
    store.put(records(clustered(3_000)))
    store.optimize()
    queries = np.float32(length) * clustered(300, seed=1)

    together = found(store, queries, 10, space)
    alone = [found(store, query[None], 10, space)[0] for query in queries]
    right = [brute_force(store, query, 10, space) for query in queries]
    assert sum(len(set(one) & set(other)) for one, other in zip(together, alone, strict=True)) >= 2_950
    for answers in (together, alone):
        assert sum(len(set(own) & set(best)) for own, best in zip(answers, right, strict=True)) >= 2_800


@pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("count", [1, 3, 200])
def test_hidden_points_are_found_by_any_number_of_queries(
    make_store: MakeStore, space: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that are among the nearest; a graph gives no row for them."""
    monkeypatch.setattr(Task, "plan", lambda task: Plan.GRAPH)
    store = make_store(space)
    vectors = clustered(3_000)
    store.put(records(vectors))
    store.optimize()
    [whole], hidden = store.view.graphs, np.arange(0, 3_000, 5)
    led = graph_building.led(replace(whole, hidden=hidden), store.view.table.vectors, store.settings)
    store.publish(replace(store.view, graphs=(led,)))

    hits = 0
    for start in range(0, 200, count):
        queries = vectors[5 * start : 5 * min(start + count, 200) : 5]
        for query, own in zip(queries, found(store, queries, 10, space), strict=True):
            assert len(set(own)) == 10
            hits += len(set(own) & set(brute_force(store, query, 10, space)))
    assert hits >= 0.85 * 2_000


@pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("k", [1, 300])
def test_a_graph_gives_one_query_as_many_as_it_asks_for(
    make_store: MakeStore, space: str, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Task, "plan", lambda task: Plan.GRAPH)
    store = make_store(space)
    store.put(records(clustered(3_000)))
    store.optimize()

    hits = 0
    for query in clustered(60, seed=1):
        [own] = found(store, query[None], k, space)
        assert len(set(own)) == k
        hits += len(set(own) & set(brute_force(store, query, k, space)))
    assert hits >= 0.85 * 60 * k


@pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("loose", [3, 250])
def test_rows_behind_the_graph_are_found_by_one_query(
    make_store: MakeStore, space: str, loose: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that came after it was built; equal ones in the order of insertion."""
    monkeypatch.setattr(upkeep, "TAIL_FROM", 1_000)
    monkeypatch.setattr(Task, "plan", lambda task: Plan.GRAPH)
    store = make_store(space)
    vectors = clustered(3_000 + loose, seed=2)
    vectors[3_100:3_160] = vectors[3_100:3_101]
    store.put(records(vectors[:3_000]))
    store.optimize()
    store.put(records(vectors[3_000:], start=3_000))
    queries = np.concatenate([vectors[2_990:], vectors[:40]])

    view = store.view
    assert (view.covered, view.length, len(view.graphs)) == (3_000, 3_000 + loose, 1)
    alone = [found(store, query[None], 10, space)[0] for query in queries]
    right = [brute_force(store, query, 10, space) for query in queries]
    late = {f"id{row}" for row in range(3_000, 3_000 + loose)}
    for own, best in zip(alone, right, strict=True):
        assert late & set(best) <= set(own)
    assert sum(len(set(own) & set(best)) for own, best in zip(alone, right, strict=True)) >= 9.3 * len(queries)
    if loose > 160:
        assert alone[110] == [f"id{row}" for row in range(3_100, 3_110)] or space == "ip"

    gone = [f"id{row}" for row in range(3_000, 3_000 + loose, 2)]
    store.delete(gone)
    for answer in (*found(store, queries, 10, space), *(found(store, query[None], 10, space)[0] for query in queries)):
        assert not set(gone) & set(answer)


@pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
@pytest.mark.parametrize("space", SPACES)
def test_neighbours_lead_to_what_no_link_leads_to(make_store: MakeStore, space: str) -> None:
    """To each hidden point, once, whoever asks; and to nothing else."""
    store = make_store(space)
    vectors = clustered(3_000)
    store.put(records(vectors))
    store.optimize()
    [whole], hidden = store.view.graphs, np.arange(0, 3_000, 100)

    led = graph_building.led(replace(whole, hidden=hidden), store.view.table.vectors, store.settings)
    for label, leaders in zip(hidden.tolist(), led.leaders, strict=True):
        others = leaders[leaders != label]
        assert len(others) >= 4
        assert led.rows[label] in led._beside(others)
        assert set(led._beside(others).tolist()) <= set(led.rows[hidden].tolist())
    assert len(led._beside(np.setdiff1d(np.arange(3_000), np.append(led.leaders, hidden)))) == 0
    for label in hidden.tolist():
        alone = led.measured(vectors[led.rows[label]], 100, 100, store.view.table.vectors, store.settings)[0].tolist()
        rows, _, beside = led.search(vectors[led.rows[label]][None], 100, store.settings)
        assert alone.count(led.rows[label]) == 1 or space == "ip"
        assert led.rows[label] not in rows
        assert sorted(alone) == sorted([*rows[rows >= 0].tolist(), *beside.tolist()])


@pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
def test_what_a_graph_knows_and_does_not_cover_comes_once(make_store: MakeStore) -> None:
    """As when the file of a graph over earlier rows is lost."""
    store = make_store()
    store.put(records(clustered(3000)))
    store.optimize()
    store.publish(replace(store.view, covered=2900))
    plan = Nearest(store.view, store.settings, 20, store.view.alive, 3000)

    for rows, _ in plan.by(Plan.GRAPH, plan.task(100)).answer(clustered(3000)[2900:]):
        assert len(set(rows.tolist())) == 20


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("where", WHERES)
def test_vectors_beyond_float32_squares_are_hits_as_well(make_store: MakeStore, space: str, where: object) -> None:
    """Distances may be infinite; as many come back as match. Directions are those of shorter vectors."""
    store = make_store(space)
    vectors = clustered(500)
    vectors[250:] *= np.float32(1e19)
    store.put(records(vectors))
    [matching] = store.scan(Scan(where=parse_where(where)))

    for query in (vectors[0], vectors[400]):
        [hits] = found(store, query[None], 500, space, where)
        assert sorted(hits) == sorted(matching.ids)
        if space == "cosine":
            assert hits[:10] == brute_force(store, query, 10, space, where)


@pytest.mark.parametrize("queries", [1, 200])
def test_a_store_that_never_held_a_record(make_store: MakeStore, queries: int) -> None:
    """It doesn't even know a dimension."""
    answers = make_store().search(Search(clustered(queries), 3, Metric.L2))

    assert [len(hits.records) for hits in answers] == [0] * queries


@pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
def test_own_vectors_are_found_after_churn(make_store: MakeStore) -> None:
    """Five rounds of replacing half the vectors, with index and compaction: each record is nearest to itself."""
    store = make_store()
    store.put(records(clustered(2000)))
    for turn in range(5):
        store.optimize()
        half = records(clustered(2000, seed=10 + turn)).take(list(range(turn % 2, 2000, 2)))
        store.put(half)
        if turn == 3:
            store.compact()
    store.optimize()
    [batch] = store.scan(Scan())

    answers = found(store, batch.embeddings, 1, "l2")

    assert sum(answer == [id] for answer, id in zip(answers, batch.ids, strict=True)) >= 0.998 * 2000


@pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
@pytest.mark.parametrize("space", SPACES)
def test_equal_vectors_do_not_hide_each_other(make_store: MakeStore, space: str) -> None:
    """Thousands of copies of few vectors make a graph of separate parts; k hits come back all the same."""
    store = make_store(space)
    store.put(records(np.repeat(clustered(4), 800, axis=0)))
    store.optimize()
    assert store.stats()["index"] == "hnsw"

    for hits in found(store, clustered(4), 300, space):
        assert len(hits) == 300


def test_ties_come_in_the_order_of_insertion(make_store: MakeStore) -> None:
    """Equal distances are ordered by when the records were first inserted, replaced ones included."""
    store = make_store("cosine")
    same = np.tile(clustered(1), (300, 1))
    store.put(records(same))
    store.put(records(same[:5], start=100))

    assert found(store, same[:1], 7, "cosine") == [[f"id{number}" for number in range(7)]]


def test_large_vectors_do_not_lose_near_neighbours_to_rounding(make_store: MakeStore) -> None:
    """Vectors far from the origin differ in digits that |x|^2 - 2xq loses; the ranking does not."""
    store = make_store("l2")
    offsets = np.random.default_rng(0).permutation(500).astype(np.float32)
    vectors = np.full((500, 8), 3000.0, dtype=np.float32)
    vectors[:, 0] += offsets / 8
    store.put(records(vectors))
    query = np.full(8, 3000.0, dtype=np.float32)

    assert found(store, query[None], 10, "l2") == [[f"id{row}" for row in np.argsort(offsets)[:10]]]


def test_the_nearest_are_cut_at_a_distance(make_store: MakeStore) -> None:
    """What is farther than max_distance is left out."""
    store = make_store()
    store.put(records(np.arange(10, dtype=np.float32)[:, None]))

    assert found(store, np.zeros((1, 1), np.float32), 10, "l2", max_distance=4.0) == [["id0", "id1", "id2"]]
