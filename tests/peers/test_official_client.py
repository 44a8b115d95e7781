"""chromadb's HttpClient and AsyncHttpClient get from our server what they get from Chroma's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

STEPS: Final = (
    "handshake",
    "collections",
    "records",
    "queries",
    "filters",
    "configuration",
    "tenants",
    "wrong",
    "sizes",
)

TAKEN: Final = {"raises": "UniqueConstraintError"}
OTHER_DIMENSION: Final = {"raises": "InvalidDimensionException"}
BETTER: Final[dict[str, dict[str, Any]]] = {
    # Their server says ChromaError, or InternalError with the text of the SQL error.
    "collections": {"twice": TAKEN, "name taken": TAKEN},
    "tenants": {"tenant twice": TAKEN, "database twice": TAKEN},
    # Theirs is an InvalidArgumentError; the client has a class for it.
    "queries": {"wrong dimension": OTHER_DIMENSION},
    "wrong": {"other dimension": OTHER_DIMENSION, "other dimension in update": OTHER_DIMENSION},
    # Theirs is a ChromaError.
    "configuration": {"unknown space": {"raises": "InvalidArgumentError"}},
    # Their graph misses one now and then.
    "sizes": {"each is its own nearest": True},
}
"""Where our answer is another one on purpose: by step, what was asked and what we answer."""


@pytest.fixture(scope="module", params=["sync", "async"])
def answers(request: pytest.FixtureRequest, both: Callable[..., Any]) -> tuple[Any, Any]:
    ours_and_theirs: tuple[Any, Any] = both("official_client.py", request.param)
    return ours_and_theirs


@pytest.mark.parametrize("step", STEPS)
def test_the_answers_are_those_of_chroma(answers: tuple[Any, Any], step: str) -> None:
    """Every call answers, or raises, the same as on Chroma's own server, but for the differences that we list."""
    ours, theirs = (each[step] for each in answers)

    assert ours == theirs | BETTER.get(step, {})


def test_every_step_is_compared(answers: tuple[Any, Any]) -> None:
    """The script has no step that is not looked at here, and no difference is listed for what is not asked."""
    ours, theirs = answers

    assert set(ours) == set(theirs) == set(STEPS)
    assert all(set(listed) <= set(theirs[step]) for step, listed in BETTER.items())
