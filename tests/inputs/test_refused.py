"""Every wrong argument of every method is its documented error, says what was wrong and what was seen, and changes
nothing: in memory, in a file and through a server, called and awaited.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from inputs.methods import CLIENT, COLLECTION, Case, cases
from inputs.places import EVERYTHING, SOME, Place

LONGEST = 700
"""Characters of a message."""
_EMBEDDED = ("memory", "duckdb")
_whole = [
    pytest.param(
        place,
        1,
        id=str(place),
        marks=[pytest.mark.faults if place in _EMBEDDED else pytest.mark.soak, pytest.mark.timeout(1800)],
    )
    for place in EVERYTHING
]
_sample = [pytest.param(place, step, id=f"{place}-every-{step}") for place, step in SOME.items()]
everywhere = pytest.mark.parametrize(("place", "step"), [*_sample, *_whole], indirect=["place"])


def fault(case: Case, error: Exception | None) -> str:
    """What is wrong with how a call was refused; empty when nothing is."""
    if error is None:
        return "was accepted"
    if not isinstance(error, case.error):
        return f"{type(error).__name__} instead of {case.error.__name__}: {error!s:.200}"
    if not re.search(case.words, str(error), re.DOTALL):
        return f"does not say {case.words!r}: {error!s:.300}"
    return f"says it in {len(str(error))} characters" if len(str(error)) > LONGEST else ""


def faults(refused: list[Case], call: Callable[..., Any], look: Callable[[], str]) -> Iterator[str]:
    """What is wrong with the refusals."""
    before = look()
    for case in refused:
        error: Exception | None = None
        try:
            call(**case.made())
        except Exception as raised:
            error = raised
        if found := fault(case, error):
            yield f"{case.what}: {found}"
        now = look()
        if now != before:
            yield f"{case.what}: changed something"
        before = now


@everywhere
def test_refused(place: Place, step: int) -> None:
    """By `Collection` and `Client`, and by their async twins."""
    wrong = [
        f"{name}: {found}"
        for target, methods in ((place.things, COLLECTION), (place.client, CLIENT))
        for name, method in methods.items()
        for found in faults(cases(method)[::step], place.call(target, name), place.contents)
    ]
    assert not wrong
