"""The npm package chromadb gets from our server what it gets from Chroma's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

STEPS: Final = ("handshake", "collections", "records", "queries", "tenants")


@pytest.fixture(scope="module")
def answers(both: Callable[..., Any]) -> tuple[Any, Any]:
    ours_and_theirs: tuple[Any, Any] = both("javascript_client.mjs")
    return ours_and_theirs


@pytest.mark.parametrize("step", STEPS)
def test_javascript_gets_the_answers_of_chroma(answers: tuple[Any, Any], step: str) -> None:
    """Every call of the JavaScript client answers, or raises, the same as on Chroma's own server."""
    ours, theirs = answers

    assert ours[step] == theirs[step]


def test_every_javascript_step_is_compared(answers: tuple[Any, Any]) -> None:
    """The script has no step that is not looked at here."""
    ours, theirs = answers

    assert set(ours) == set(theirs) == set(STEPS)
