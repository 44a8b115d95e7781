"""The search of chromadb's client, which its own server has in the cloud only, gets its answers from ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.server import RunningServer, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as server:
        yield server


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_search_expressions_of_the_official_client(server: RunningServer, ask: Callable[..., Any], mode: str) -> None:
    """Filters, ranks, arithmetic, fusion, groups, pages and selected keys, as its classes write them."""
    found = ask("official_search.py", (server.host, server.port), mode)

    assert found["nearest"] == [
        {"id": "a", "document": "aaa", "score": 0.0},
        {"id": "b", "document": "aa o", "score": 2.0},
    ]
    [vector] = found["vector"]
    assert (vector["id"], vector["metadata"], vector["embedding"]) == ("c", {"n": 3, "kind": "y"}, [1.0, 0.0, 0.0, 2.0])
    assert found["filtered"] == [
        {"id": "c", "metadata": {"n": 3}, "score": 1.0},
        {"id": "d", "metadata": {"n": 4}, "score": 1.0},
        {"id": "b", "metadata": {"n": 2}, "score": 5.0},
    ]
    assert found["by id"] == [{"id": "b", "metadata": {"n": 2, "kind": "x"}}, {"id": "d", "metadata": {"n": 4}}]
    assert found["unranked"] == [{"id": "b"}, {"id": "c"}]
    assert [(row["id"], row["score"]) for row in found["arithmetic"]] == [
        ("a", 1.0),
        ("b", 2.0),
        ("c", 3.0),
        ("d", 3.0),
    ]
    assert [row["id"] for row in found["grouped"]] == ["a", "c", "d"]
    assert {row["id"]: round(row["score"], 6) for row in found["fused"]} == {
        "b": round(-1 / 11 - 1 / 12, 6),
        "c": round(-1 / 12 - 1 / 11, 6),
    }
    assert found["together"] == [["a", "b"], ["b", "c"]]
