"""Full disk, exceeded quota, disk errors, no free descriptors, a disk that has become read-only: a clear error, the old
data, no half batch, and writes again as soon as that is possible; in the same process and for the next one.
"""

from __future__ import annotations

import errno
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from faults.judging import judge, what
from faults.nursery import Nursery
from faults.shim import CHANGES, GROWTH, OPENINGS, Fault, Kind, Mode
from faults.sizes import Size, sized

SPELLS = {
    "full disk": Fault(Mode.FAIL_HALFWAY, times=-1, kinds=GROWTH, error=errno.ENOSPC),
    "full disk for a moment": Fault(Mode.FAIL_HALFWAY, times=2, kinds=GROWTH, error=errno.ENOSPC),
    "quota": Fault(Mode.FAIL, times=-1, kinds=GROWTH, error=errno.EDQUOT),
    "disk error": Fault(Mode.FAIL, kinds=Kind.WRITE | Kind.RESIZE | Kind.ALLOCATE, error=errno.EIO),
    "disk error at sync": Fault(Mode.FAIL, kinds=Kind.SYNC, error=errno.EIO),
    "no sync": Fault(Mode.FAIL, times=-1, kinds=Kind.SYNC, error=errno.EIO),
    "disk errors at sync": Fault(Mode.FAIL, times=-1, kinds=Kind.SYNC | Kind.RESIZE, error=errno.EIO),
    "dead disk": Fault(Mode.FAIL, times=-1, kinds=CHANGES, error=errno.EIO),
    "no descriptors": Fault(Mode.FAIL, times=3, kinds=OPENINGS, error=errno.EMFILE),
    "read-only": Fault(Mode.FAIL, times=-1, kinds=CHANGES & ~Kind.SYNC, error=errno.EROFS),
}

FINAL = ("disk errors at sync", "dead disk")
"""Those in which nobody can take back what was written before: a log can't be shortened."""


@pytest.mark.parametrize("spell", list(SPELLS))
@sized(sample=5, seeds=1)
def test_calls_fail(nursery: Nursery, place: Path, size: Size, spell: str, tally: Counter[str]) -> None:
    """From any call on, for a while."""
    _fail(nursery, place, size, spell, size.some(_calls(nursery, place, size, SPELLS[spell])), tally)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("spell", "seed", "length", "points"),
    [
        ("disk errors at sync", 2, 2, range(1, 11)),
        ("no sync", 2, 2, range(1, 11)),
        ("full disk for a moment", 2002, 24, range(150, 154)),
    ],
    ids=["a commit that can't be taken back", "one that is, by half", "half of the frame that begins a checkpoint"],
)
def test_what_failed_is_not_in_the_log(
    nursery: Nursery, place: Path, spell: str, seed: int, length: int, points: range, tally: Counter[str]
) -> None:
    """DuckDB leaves it there; when the disk is well again, neither this process nor the next one takes it for a write,
    or for damage.
    """
    _fail(nursery, place, Size(seed, length, 0), spell, points, tally)


def _fail(nursery: Nursery, place: Path, size: Size, spell: str, points: Iterable[int], tally: Counter[str]) -> None:
    fault = SPELLS[spell]
    chance = size.chance()
    for point in points:
        leave = chance.random() < 0.4
        spelled = Fault(fault.mode, point, fault.times, fault.kinds, fault.error)
        outcome = nursery.run("striving:strive", directory=str(place), **what(size), fault=spelled.plain(), leave=leave)
        where = f"{spell} from call {point} on, {leave=}"
        assert not outcome.late, f"{where}: it hangs\n{outcome.errors}"
        assert not outcome.status, f"{where}: {outcome.errors}"
        shown = [int(number) for number in outcome.told("shown")]
        numbers = [shown[-1]] if leave and shown else [size.length]
        if spell in FINAL and numbers[0] < size.length:
            numbers.append(numbers[0] + 1)
        judge(nursery, place, size, numbers, f"{where}: {outcome.told('refused')}", tally)
        tally["refusals"] += len(outcome.told("refused"))
        shutil.rmtree(place)


def _calls(nursery: Nursery, place: Path, size: Size, fault: Fault) -> int:
    """How many calls of those kinds there are when none fails."""
    count = Fault(kinds=fault.kinds)
    outcome = nursery.run("striving:strive", directory=str(place), **what(size), fault=count.plain())
    assert not outcome.status, outcome.errors
    shutil.rmtree(place)
    return int(outcome.told("closed")[0])
