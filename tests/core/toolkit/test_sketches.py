"""Sketches of vectors: what is found through them is what brute force finds, and they are thrown away in doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from chroma_plugin_duckdb.backend import DuckDBBackend
from chroma_plugin_duckdb.options import DuckDBOptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.vectors import clustered, records

from chroma_plugin.filters.parse import parse_where
from chroma_plugin.toolkit import planner, projection, sketch, upkeep
from chroma_plugin.toolkit.background import Background
from chroma_plugin.toolkit.candidates import NEVER, largest
from chroma_plugin.toolkit.journal import NoJournal
from chroma_plugin.toolkit.local import LocalStore
from chroma_plugin.toolkit.table import View
from chroma_plugin.toolkit.texts import Kind
from chroma_plugin.toolkit.vectors import MemoryVectors
from chroma_plugin.types import CollectionInfo, Metric, Scan, Search

MakeStore = Callable[..., LocalStore]

SPACES = ["l2", "cosine", "ip"]

pytestmark = pytest.mark.skipif(not sketch.available(), reason="numkong is not installed")


@pytest.fixture(autouse=True)
def no_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sketches from a few rows on, and nothing but sketches."""
    monkeypatch.setattr(upkeep, "graph_from", lambda: 10**9)
    monkeypatch.setattr(upkeep, "SKETCH_FROM", 256)
    monkeypatch.setattr(upkeep, "SKETCH_TAIL", 128)


def subspace(count: int, dimension: int = 160, rank: int = 24, seed: int = 0) -> np.ndarray:
    """Vectors that lie near a subspace, of lengths from 0.1 to 10, as embeddings that were not normalised."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(99).standard_normal((rank, dimension))
    noise = 0.05 * random.standard_normal((count, dimension))
    vectors = random.standard_normal((count, rank)) @ directions / rank**0.5 + noise
    return (vectors * random.uniform(0.1, 10, (count, 1))).astype(np.float32)


DATA: dict[str, Callable[[int, int], np.ndarray]] = {
    "near a subspace": lambda count, seed: subspace(count, seed=seed),
    "in all directions": lambda count, seed: np.random.default_rng(seed).standard_normal((count, 96), dtype=np.float32),
    "far from the origin": lambda count, seed: subspace(count, seed=seed) + np.float32(40),
    "few directions": lambda count, seed: clustered(count, 96, seed=seed),
}


def truth(view: View, query: np.ndarray, k: int, space: str, among: np.ndarray) -> np.ndarray:
    """Sorted distances of the k nearest, in float64."""
    vectors = view.table.vectors.block(0, view.length)[among].astype(np.float64)
    query = query.astype(np.float64)
    if space == "l2":
        away = ((vectors - query) ** 2).sum(axis=1)
    else:
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query) if space == "cosine" else 1.0
        away = 1 - vectors @ query / lengths
    return np.sort(away)[:k]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(
    ("where", "plan"), [(None, "scan"), ({"tenth": {"$ne": 3}}, "scan"), ({"tenth": {"$lt": 3}}, "pick")]
)
def test_what_is_found_is_what_brute_force_finds(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch, space: str, data: str, where: object, plan: str
) -> None:
    """Asked to be exact, all of the nearest; else nearly all of them. Deleted and late rows included."""
    if plan == "pick":
        monkeypatch.setattr(planner, "_PICK", 0.0)  # as if there were so many rows that it pays
    store = make_store(space)
    store.put(records(DATA[data](3_000, 1)))
    store.optimize()
    store.delete([f"id{number}" for number in range(0, 400, 2)])
    store.put(records(DATA[data](100, 2), start=3_000))
    queries = DATA[data](20, 3)
    view = store.view
    assert (view.sketched, view.length) == (3_000, 3_100)
    [matching] = store.scan(Scan(where=parse_where(where)))
    among = np.isin(view.table.texts.late[Kind.ID], matching.ids) & view.alive
    assert store.explain(Search(queries[:1], 10, Metric(space), where=parse_where(where)))["plan"] == plan

    right = 0
    for query in queries:
        expected = truth(view, query, 10, space, among)
        slack = 1e-5 * max(1.0, float(np.abs(expected).max())) + 1e-6 * float(query @ query)
        [exact] = store.search(Search(query[None], 10, Metric(space), where=parse_where(where), exact=True))
        np.testing.assert_allclose(exact.distances, expected, rtol=1e-4, atol=slack)
        [hits] = store.search(Search(query[None], 10, Metric(space), where=parse_where(where)))
        right += int((hits.distances <= expected[-1] + slack).sum())
    assert right >= 0.99 * 10 * len(queries)


@pytest.mark.parametrize("space", SPACES)
def test_many_queries_at_once_find_what_each_finds(make_store: MakeStore, space: str) -> None:
    """A call with so many queries that it uses threads gives the answers of single calls."""
    store = make_store(space)
    store.put(records(subspace(2_000)))
    store.optimize()
    queries = subspace(130, seed=5)

    together = store.search(Search(queries, 7, Metric(space)))

    for query, hits in zip(queries, together, strict=True):
        [alone] = store.search(Search(query[None], 7, Metric(space)))
        assert hits.records.ids == alone.records.ids
        assert np.array_equal(hits.distances, alone.distances)


def test_equal_vectors_come_in_the_order_of_insertion(make_store: MakeStore) -> None:
    """Among a thousand copies of one vector, rounding decides nothing."""
    store = make_store("cosine")
    store.put(records(np.repeat(clustered(4), 500, axis=0)))
    store.optimize()

    assert store.view.sketched == 2_000
    for hits in store.search(Search(clustered(4), 12, Metric.COSINE)):
        first = int(hits.records.ids[0][2:])
        assert first % 500 == 0
        assert hits.records.ids == [f"id{first + number}" for number in range(12)]


def test_rows_are_sketched_again_only_when_they_are_doubled(make_store: MakeStore) -> None:
    """Fifty small writes make a few sketches, which cover all rows one behind the other."""
    store = make_store()
    for turn in range(50):
        store.put(records(subspace(150, seed=turn), start=150 * turn))
        store.optimize()
    sketches = store.view.sketches

    assert [each.first for each in sketches] == [0, *(each.last for each in sketches[:-1])]
    assert sketches[-1].last == 7_500
    assert len(sketches) <= 6
    assert len({id(each.projection) for each in sketches}) <= 2


def test_zero_vectors_and_zero_queries_have_answers(make_store: MakeStore) -> None:
    """A vector without a direction is as far from everything as its definition says."""
    store = make_store("cosine")
    vectors = subspace(600)
    vectors[::3] = 0
    store.put(records(vectors))
    store.optimize()

    [hits] = store.search(Search(np.zeros((1, 160), np.float32), 5, Metric.COSINE))
    assert hits.distances.tolist() == [1.0] * 5
    [hits] = store.search(Search(-vectors[1:2], 600, Metric.COSINE))
    assert int((hits.distances == 1.0).sum()) >= 200


def test_vectors_beyond_float32_squares_are_swept(make_store: MakeStore) -> None:
    """No sketch is made of what it could not bound."""
    store = make_store("l2")
    store.put(records(np.full((400, 8), 1e19, dtype=np.float32)))
    store.optimize()

    assert store.view.sketches == ()


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 90), st.floats(0, 1), st.sampled_from([1, 3]))
@settings(deadline=None, max_examples=100)
def test_the_largest_scores_are_found(seed: int, count: int, columns: int, share: float, queries: int) -> None:
    """As many as are wanted, whatever the ties, and no others unless there is but one query."""
    random = np.random.default_rng(seed)
    scores = random.integers(0, 1 + int(1000 * share), (queries, 64 * columns)).astype(np.float32)
    scores[random.random(scores.shape) < share / 2] = NEVER

    places = largest(scores, count)

    wanted = min(count, 64 * columns)
    assert len(places) == queries
    assert wanted <= places.shape[1] <= (2 * wanted if queries == 1 else wanted)
    for each, best in zip(scores, places, strict=True):
        assert len(set(best.tolist())) == len(best)
        assert np.sort(each[best])[::-1][:wanted].tolist() == np.sort(each)[::-1][:wanted].tolist()


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(DATA)))
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_product_is_off_by_more_than_its_bound(seed: int, data: str) -> None:
    """What rules out rows in an exact search is true of every row and query."""
    vectors = DATA[data](300, seed)
    held = MemoryVectors(vectors.shape[1])
    held.stage(vectors)
    held.publish(len(vectors))
    made = sketch.build(held, 0, len(vectors), None, "name")
    assert made is not None
    queries = DATA[data](5, seed + 1)
    asked = made.asked(queries)
    directions = projection.unit(vectors.astype(np.float64))[0]
    some = np.arange(0, len(vectors), 7)
    picked = made.picked(some, 0)

    for number, query in enumerate(queries.astype(np.float64)):
        seen = made.products(asked)[number] * float(asked.widths[number]) * made.step
        assert (np.abs(seen - directions @ query) <= made.errors(asked, number)).all()
        assert (picked.products(asked)[number] == made.products(asked)[number][some]).all()
        assert (picked.errors(asked, number) == made.errors(asked, number)[some]).all()


class TestFiles:
    """Sketches are kept between two openings, and never believed when anything is doubtful."""

    INFO = CollectionInfo(uuid4(), "sketched", configuration={"hnsw": {"space": "l2"}}, dimension=160)

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        backend = DuckDBBackend(DuckDBOptions(persist_directory=str(tmp_path)))
        backend.create_collection(self.INFO)
        store = backend.open_collection(self.INFO)
        store.put(records(subspace(3_000)))
        store.optimize()
        backend.close()
        return tmp_path

    @pytest.fixture
    def reopened(self, place: Path) -> Iterator[Callable[[], LocalStore]]:
        opened = []

        def reopen() -> LocalStore:
            opened.append(DuckDBBackend(DuckDBOptions(persist_directory=str(place))))
            store = opened[-1].open_collection(self.INFO)
            assert isinstance(store, LocalStore)
            return store

        yield reopen
        for backend in opened:
            backend.close()

    def files(self, place: Path) -> list[Path]:
        return list(place.rglob("*.sketch"))

    def test_the_first_search_uses_what_was_saved(self, place: Path, reopened: Callable[[], LocalStore]) -> None:
        """It is loaded, not made again."""
        [before] = self.files(place)
        store = reopened()

        told = store.explain(Search(subspace(1, seed=3), 10, Metric.L2))

        assert told["plan"] == "scan"
        assert self.files(place) == [before]

    @pytest.mark.parametrize("damage", ["flip the head", "flip", "cut", "empty", "foreign"])
    def test_damage_costs_the_sketch_never_the_answer(
        self, place: Path, reopened: Callable[[], LocalStore], damage: str
    ) -> None:
        """A damaged file is dropped without a word, and made anew."""
        [file] = self.files(place)
        data = bytearray(file.read_bytes())
        if damage.startswith("flip"):
            data[20 if damage.endswith("head") else len(data) // 2] ^= 4
        file.write_bytes({"cut": bytes(data[:-7]), "empty": b"", "foreign": b"12 {}\n"}.get(damage, bytes(data)))
        store = reopened()

        [hits] = store.search(Search(subspace(1, seed=3), 10, Metric.L2))

        np.testing.assert_allclose(
            hits.distances, truth(store.view, subspace(1, seed=3)[0], 10, "l2", store.view.alive), rtol=1e-4
        )
        assert file not in self.files(place)

    def test_a_stamp_that_was_sketched_is_not_given_again(
        self, place: Path, reopened: Callable[[], LocalStore]
    ) -> None:
        """A record added after the last ones were deleted and the store reopened is found where it is."""
        first = DuckDBBackend(DuckDBOptions(persist_directory=str(place)))
        first.open_collection(self.INFO).delete([f"id{number}" for number in range(2_990, 3_000)])
        first.close()
        second = DuckDBBackend(DuckDBOptions(persist_directory=str(place)))
        fresh = 100 * subspace(10, seed=77)
        second.open_collection(self.INFO).put(records(fresh, start=5_000))
        second.close()

        for number, hits in enumerate(reopened().search(Search(fresh, 1, Metric.L2))):
            assert hits.records.ids == [f"id{5_000 + number}"]


def test_without_numkong_nothing_is_sketched(background: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches are swept, and exact."""
    monkeypatch.setattr(sketch, "available", lambda: False)
    info = CollectionInfo(uuid4(), "test", configuration={"hnsw": {"space": "l2"}})
    store = LocalStore(info, NoJournal(), background)
    store.put(records(subspace(600)))
    store.optimize()

    assert store.explain(Search(subspace(1, seed=3), 10, Metric.L2))["plan"] == "sweep"
