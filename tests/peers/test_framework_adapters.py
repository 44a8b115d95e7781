"""langchain-chroma and llama-index-vector-stores-chroma over HTTP get from our server what they get from Chroma's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="module")
def answers(both: Callable[..., Any]) -> tuple[Any, Any]:
    ours_and_theirs: tuple[Any, Any] = both("framework_adapters.py")
    return ours_and_theirs


@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_frameworks_get_the_answers_of_chroma(answers: tuple[Any, Any], framework: str) -> None:
    """Adding, searching with filters, MMR, updating and deleting give the same on both servers."""
    ours, theirs = answers

    assert ours[framework] == theirs[framework]
