"""kill -9, at any change of any file and at any moment: what was acknowledged is there, what was cut is all or none."""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest
from faults.judging import allowed, changes_of, judge, what
from faults.nursery import Nursery
from faults.shim import NONE, Fault, Mode
from faults.sizes import Size, sized

_WAYS = (Mode.KILL_BEFORE, Mode.KILL_HALFWAY, Mode.KILL_AFTER)


@sized(few=6, sample=14, seeds=3)
def test_killed_at_a_change_of_a_file(nursery: Nursery, place: Path, size: Size, tally: Counter[str]) -> None:
    """Before it, in the middle of it, after it, whether DuckDB makes it or Python."""
    chance = size.chance()
    for point in size.some(changes_of(nursery, place, size)):
        way = chance.choice(_WAYS)
        outcome = nursery.run("workload:work", directory=str(place), **what(size), fault=Fault(way, point).plain())
        assert outcome.killed, f"{way.name} {point}: {outcome}"
        judge(nursery, place, size, allowed(outcome), f"{way.name} {point}", tally)
        shutil.rmtree(place)


@sized(sample=14)
def test_killed_at_any_moment(nursery: Nursery, place: Path, size: Size, tally: Counter[str]) -> None:
    """While work goes on in the background."""
    chance, longest = size.chance(), 1.0
    for point in range(size.points or 500):
        seconds = chance.uniform(0.001, longest)
        outcome = nursery.run(
            "workload:work", directory=str(place), **what(size), fault=NONE.plain(), calm=False, seconds=seconds
        )
        if outcome.status:
            assert outcome.status == -signal.SIGALRM, outcome
        else:
            longest = max(seconds, 0.1)
        judge(nursery, place, size, allowed(outcome), f"{point}, after {seconds} s", tally)
        shutil.rmtree(place, ignore_errors=True)


@sized(few=1, sample=3)
def test_killed_while_it_recovers(nursery: Nursery, place: Path, size: Size, tally: Counter[str]) -> None:
    """Opening what a killed process left, and closing it, is killed at each of its changes; again and again."""
    for point in size.some(changes_of(nursery, place, size)):
        outcome = nursery.run(
            "workload:work", directory=str(place), **what(size), fault=Fault(Mode.KILL_HALFWAY, point).plain()
        )
        tally["openings"] += _kill_openings(nursery, place, size)
        judge(nursery, place, size, allowed(outcome), f"point {point}", tally)
        shutil.rmtree(place)


def _kill_openings(nursery: Nursery, place: Path, size: Size) -> int:
    """Each a little later, until one is not killed; how many there were."""
    step = openings = 1
    while True:
        fault = Fault(Mode.KILL_AFTER, step).plain()
        again = nursery.run("workload:reopen", directory=str(place), seed=size.seed, fault=fault)
        assert again.killed or not again.status, f"after opening {openings}, killed at {step}: {again}"
        if not again.killed:
            return openings
        # Some changes are made again by each opening; so the next kill comes later.
        step += 1 + step // 4
        openings += 1


@pytest.mark.faults
def test_a_write_that_was_cut_is_not_taken_for_an_acknowledged_one(nursery: Nursery, place: Path) -> None:
    """The log ends in half a write; then an opening that writes nothing but its receipt is killed, too."""
    size = Size(100, 24, 0)
    cut = Fault(Mode.KILL_HALFWAY, 97)
    outcome = nursery.run("workload:work", directory=str(place), **what(size), fault=cut.plain())
    _kill_openings(nursery, place, size)
    judge(nursery, place, size, allowed(outcome), "cut twice")
