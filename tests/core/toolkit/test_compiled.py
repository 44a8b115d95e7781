"""What is compiled answers as numpy does, and refuses arrays that don't fit before it reads beyond them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_plugin import compiled, distances
from chroma_plugin.toolkit import bare_graph, graph
from chroma_plugin.toolkit.bare_graph import Parts
from chroma_plugin.toolkit.point_index import CompiledIndex, HnswlibIndex
from chroma_plugin.toolkit.projection import Projection
from chroma_plugin.toolkit.subspace import Subspace
from chroma_plugin.types import Matrix, Metric

pytestmark = pytest.mark.skipif(not compiled.IS_THERE, reason="nothing was compiled")
if compiled.IS_THERE:
    from chroma_plugin.compiled._native import Links, measure

needs_hnswlib = pytest.mark.skipif(not graph.installed(), reason="hnswlib is not installed")
METRICS = list(Metric)
LENGTHS = [1e-30, 1e-3, 1.0, 1e9, 1e19]


def some(count: int, dimension: int, seed: int, length: float = 1) -> Matrix:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)) * length
    return vectors.astype(np.float32)


@given(
    metric=st.sampled_from(METRICS),
    dimension=st.integers(1, 100),
    queries=st.integers(1, 3),
    length=st.sampled_from(LENGTHS),
    seed=st.integers(0, 1_000),
)
def test_distances_are_those_of_numpy(metric: Metric, dimension: int, queries: int, length: float, seed: int) -> None:
    vectors, asked = some(40, dimension, seed, length), some(queries, dimension, seed + 1, length)
    vectors[7], vectors[8] = 0, vectors[9]
    rows = np.random.default_rng(seed).integers(0, 40, (queries, 15))
    rows[:, :3] = (7, 8, 9)

    found = distances.among(asked, vectors, rows, metric)

    right = distances._in_numpy(asked[:, None], vectors[rows], metric)
    assert np.allclose(
        found, right, rtol=1e-4, atol=1e-5 * max(1.0, float(np.abs(right[np.isfinite(right)]).max(initial=0)))
    )
    assert (found[:, 1] == found[:, 2]).all(), "equal rows are equally far"
    alone = np.stack([distances.one(query, vectors, metric)[own] for query, own in zip(asked, rows, strict=True)])
    assert np.array_equal(alone, found) or length == LENGTHS[-1], "the longest ones may be computed in float64"


@pytest.mark.parametrize("metric", METRICS)
def test_distances_in_a_file_are_those_in_memory(tmp_path: Path, metric: Metric) -> None:
    vectors, query = some(50, 30, 0), some(1, 30, 1)[0]
    path, rows, found = tmp_path / "vectors", np.array([49, 0, 7, 7]), np.empty(4, np.float32)
    path.write_bytes(vectors.tobytes())
    file = os.open(path, os.O_RDONLY)

    measure(metric.value[0], query, 30, file, rows, found)

    assert np.array_equal(found, distances.among(query, vectors, rows, metric))
    with pytest.raises(ValueError, match="not there"):
        measure(metric.value[0], query, 30, file, np.array([0, 1, 2, 50]), found)
    os.close(file)
    with pytest.raises(ValueError, match="not there"):
        measure(metric.value[0], query, 30, file, rows, found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": np.array([0, 50])},
        {"rows": np.array([-1, 0])},
        {"rows": np.array([0])},
        {"rows": None},
        {"distances": np.zeros(3, np.float32)},
        {"dimension": 0},
        {"dimension": 7},
        {"queries": np.empty(0, np.float32)},
        {"vectors": np.empty((0, 30), np.float32)},
        {"vectors": -1},
        {"vectors": 10**6},
    ],
    ids=str,
)
def test_what_does_not_fit_is_not_measured(wrong: dict[str, Any]) -> None:
    fitting: dict[str, Any] = {
        "metric": "c",
        "queries": some(1, 30, 1),
        "dimension": 30,
        "vectors": some(50, 30, 0),
        "rows": np.array([3, 4]),
        "distances": np.empty(2, np.float32),
    }
    measure(*fitting.values())

    with pytest.raises(ValueError, match=r"not there|at least one"):
        measure(*(fitting | wrong).values())


@pytest.fixture(scope="module")
def parts() -> tuple[Parts, Matrix, Subspace]:
    """Of a graph with several levels, among 24 coordinates."""
    space = Subspace(Metric.L2, Projection(np.eye(24, dtype=np.float32)), 1.0)
    index = HnswlibIndex(space)
    points = space.points(some(800, 24, 0))
    index.reserve(800, 4, 40)
    index.add(points, np.arange(800), 1)
    found = bare_graph.stripped(index._index)
    assert found is not None
    return found[0], np.ascontiguousarray(found[1]), space


def links_of(parts: Parts, **wrong: Any) -> Links:
    """Of those parts, but for what is wrong."""
    values: dict[str, Any] = {
        "nodes": parts.nodes,
        "higher": parts.rest,
        "count": parts.count,
        "entry": parts.entry,
        "most": parts.most[0],
        "most_above": parts.most[1],
        "levels": parts.levels,
        "metric": "l",
        "basis": np.eye(24, dtype=np.float32),
        "dimension": 24,
        "alike": 0.6,
    }
    return Links(*(values | wrong).values())


def first_link(value: int) -> Callable[[Parts], dict[str, Any]]:
    def changed(parts: Parts) -> dict[str, Any]:
        nodes = parts.nodes.copy()
        nodes.view("<u4")[5, 1] = value
        return {"nodes": nodes}

    return changed


def higher(at: int, value: int) -> Callable[[Parts], dict[str, Any]]:
    def changed(parts: Parts) -> dict[str, Any]:
        rest = parts.rest.copy()
        numbers = rest.view("<u4")
        start = int(np.flatnonzero(numbers)[0])  # the first node that is on a higher level
        numbers[start + at] = value
        return {"higher": rest}

    return changed


@needs_hnswlib
@pytest.mark.parametrize(
    "wrong",
    [
        first_link(800),
        first_link(2**32 - 1),
        higher(0, 7),
        higher(0, 2**31),
        higher(1, 60_000),
        higher(2, 800),
        lambda parts: {"nodes": parts.nodes[:-1]},
        lambda parts: {"higher": parts.rest[:-4]},
        lambda parts: {"higher": parts.rest[:0]},
        lambda parts: {"entry": 800},
        lambda parts: {"levels": parts.levels + 1},
        lambda parts: {"levels": -1},
        lambda parts: {"count": 0},
        lambda parts: {"most": 9},
        lambda parts: {"most_above": 3},
        lambda parts: {"dimension": 0},
        lambda parts: {"dimension": 23},
        lambda parts: {"basis": np.empty(0, np.float32)},
    ],
)
def test_links_that_lead_nowhere_are_refused(
    parts: tuple[Parts, Matrix, Subspace], wrong: Callable[[Parts], dict[str, Any]]
) -> None:
    links_of(parts[0])

    with pytest.raises(ValueError, match=r"not the links of a graph|no matrix"):
        links_of(parts[0], **wrong(parts[0]))


@needs_hnswlib
@settings(max_examples=300)
@given(
    changes=st.lists(st.tuples(st.integers(0, 2**32), st.integers(0, 255)), min_size=1, max_size=4), above=st.booleans()
)
def test_whatever_links_are_taken_can_be_searched(
    parts: tuple[Parts, Matrix, Subspace], changes: list[tuple[int, int]], above: bool
) -> None:
    nodes, rest = parts[0].nodes.copy(), parts[0].rest.copy()
    changed = rest if above else nodes.reshape(-1)
    for place, value in changes:
        changed[place % changed.size] = value
    try:
        links = links_of(parts[0], nodes=nodes, higher=rest)
    except ValueError:
        return
    links.place(0, parts[1])
    queries = some(5, 24, 3)
    links.near(queries, 10, 50, np.empty((5, 10), np.intp), np.empty((5, 10), np.float32))


@needs_hnswlib
@pytest.mark.parametrize(
    "call",
    [
        lambda links: links.place(799, np.zeros((2, 24), np.float32)),
        lambda links: links.place(-1, np.zeros((1, 24), np.float32)),
        lambda links: links.place(0, np.zeros(23, np.float32)),
        lambda links: links.near(np.zeros((2, 24), np.float32), 3, 10, np.empty(3, np.intp), np.empty(6, np.float32)),
        lambda links: links.near(np.zeros((2, 24), np.float32), 3, 10, np.empty(6, np.intp), np.empty(3, np.float32)),
        lambda links: links.near(np.zeros(25, np.float32), 1, 10, np.empty(1, np.intp), np.empty(1, np.float32)),
        lambda links: links.near(np.zeros(24, np.float32), 3, 2, np.empty(3, np.intp), np.empty(3, np.float32)),
        lambda links: links.near(np.zeros(24, np.float32), 0, 2, np.empty(0, np.intp), np.empty(0, np.float32)),
        lambda links: measured(links, rows=np.arange(799)),
        lambda links: measured(links, rows=np.arange(1, 801)),
        lambda links: measured(links, query=np.zeros(23, np.float32)),
        lambda links: measured(links, k=21),
        lambda links: measured(links, ef=19),
        lambda links: measured(links, vectors=np.zeros((799, 24), np.float32)),
        lambda links: measured(links, vectors=10**6),
        lambda links: measured(links, vectors=-1),
    ],
)
def test_what_does_not_fit_is_not_searched(
    parts: tuple[Parts, Matrix, Subspace], call: Callable[[Links], object]
) -> None:
    links = links_of(parts[0])
    links.place(0, parts[1])
    assert measured(links) is not None

    with pytest.raises(ValueError, match=r"no such nodes|no number of candidates|don't fit|not there"):
        call(links)


def measured(links: Links, **wrong: Any) -> int | None:
    """The last label is the nearest one."""
    values: dict[str, Any] = {
        "query": some(800, 24, 0)[-1],
        "k": 10,
        "ef": 100,
        "rows": np.arange(800),
        "vectors": np.zeros((800, 24), np.float32),
        "labels": np.empty(20, np.intp),
        "found": np.empty(20, np.intp),
        "distances": np.empty(20, np.float32),
    }
    return links.measured(*(values | wrong).values())


@needs_hnswlib
def test_links_that_lead_to_few_say_so(parts: tuple[Parts, Matrix, Subspace]) -> None:
    nodes = parts[0].nodes.copy()
    nodes.view("<u4")[:, 0] = 0  # no node leads anywhere
    bare = Parts(parts[0].head, nodes, parts[0].rest)
    index = CompiledIndex(bare, lambda piece: parts[1][piece], parts[2])

    assert index.near(some(1, 24, 1), 1, 10) is not None
    assert index.near(some(1, 24, 1), 5, 10) is None
    assert index.measured(some(1, 24, 1)[0], 5, 5, 10, np.arange(800), some(800, 24, 0)) is None
