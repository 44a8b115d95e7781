"""From what a child said of itself to what its store may hold, and whether it holds that."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from faults import shim
from faults.nursery import Look, Nursery, Outcome
from faults.shim import Fault, Mode
from faults.sizes import Size


def changes_of(nursery: Nursery, place: Path, size: Size) -> int:
    """How many changes the operations make to files when nothing goes wrong."""
    outcome = nursery.run("workload:work", directory=str(place), **what(size), fault=shim.NONE.plain())
    assert not outcome.status, outcome.errors
    judge(nursery, place, size, [size.length], "undisturbed")
    shutil.rmtree(place)
    return int(outcome.told("closed")[0])


def what(size: Size) -> dict[str, int]:
    """The operations, for a child."""
    return {"seed": size.seed, "length": size.length}


def allowed(outcome: Outcome) -> list[int]:
    """After how many operations the store may be: all that were done, with or without the one that was cut."""
    return sorted({len(outcome.told("done")), len(outcome.told("begin"))})


def judge(
    nursery: Nursery, place: Path, size: Size, numbers: list[int], where: str, tally: Counter[str] | None = None
) -> None:
    """Open the store in another child, which looks through every door, writes, and opens it again."""
    outcome = nursery.run("checking:check", directory=str(place), **what(size), allowed=numbers)
    assert not outcome.late, f"{where}: opening and looking took too long\n{outcome.errors}"
    assert not outcome.status, f"{where}: {outcome.errors}"
    if tally is not None:
        tally["points"] += 1
        tally["operations"] += numbers[-1]


def look_beside(nursery: Nursery, place: Path, size: Size, stops: list[int], plant: str | None = None) -> int:
    """Have another child look whenever the one that works has stopped so often; how often that was. ``plant``: a fault
    in the one that looks.
    """
    look = Look("checking:look", {"directory": str(place), **what(size), "plant": plant}, stops)
    fault = Fault(Mode.STOP, 1, times=-1).plain()
    outcome = nursery.run("workload:work", look, directory=str(place), **what(size), fault=fault)
    assert not outcome.status, outcome.errors
    assert outcome.stops == int(outcome.told("closed")[0]), "it did not stop at each change"
    for number, seen in outcome.looks.items():
        assert not seen.late, f"looking took too long, stopped after change {number}: {seen.errors}"
        assert not seen.status, f"stopped after change {number}: {seen.errors}"
    return len(outcome.looks)
