"""A write of so many rows that DuckDB puts them into its file at once, beside its log: all or nothing as any other."""

from __future__ import annotations

import errno
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

from faults import disks
from faults.cuts import cuts
from faults.disks import Disk, Model
from faults.large import STEPS
from faults.nursery import Nursery, Outcome
from faults.shim import GROWTH, NONE, Fault, Kind, Mode
from faults.sizes import Size, sized


@sized(sample=12, seeds=1)
def test_a_large_write_is_cut(nursery: Nursery, tmp_path: Path, size: Size, tally: Counter[str]) -> None:
    """By a kill or by a loss of power."""
    place, log, image = tmp_path / "store", tmp_path / "log", tmp_path / "image"
    disk, chance = Disk(place), size.chance()
    _well(nursery.run("large:write", directory=str(place), fault=NONE.plain(), log=str(log)), "undisturbed")
    changes = disks.read(log)
    assert _is_beside_the_log(changes)
    for cut in cuts(changes, set(size.some(len(changes))), disk):
        model = chance.choice(list(Model))
        cut.disk.write(image, model, cut.number)
        _judge(nursery, image, [STEPS[number] for number in cut.allowed], f"{model.name} after {cut.number}", tally)


def _is_beside_the_log(changes: list[disks.Change]) -> bool:
    """Whether the second write went into the file before it was acknowledged."""
    told = [change.path.partition(" ")[0] for change in changes]
    begin, done = ([at for at, word in enumerate(told) if word == wanted][1] for wanted in ("begin", "done"))
    return any(change.kind is Kind.WRITE and change.path.endswith(".duckdb") for change in changes[begin:done])


@sized(sample=5, seeds=1)
def test_a_large_write_is_refused(nursery: Nursery, place: Path, size: Size, tally: Counter[str]) -> None:
    """By a full disk; and done as soon as there is room."""
    full = Fault(Mode.FAIL_HALFWAY, times=-1, kinds=GROWTH, error=errno.ENOSPC)
    count = _well(nursery.run("large:write", directory=str(place), fault=Fault(kinds=GROWTH).plain()), "undisturbed")
    shutil.rmtree(place)
    for point in size.some(int(count.told("closed")[0])):
        fault = replace(full, at=point).plain()
        outcome = _well(nursery.run("large:write", directory=str(place), fault=fault), f"full from {point} on")
        tally["refusals"] += len(outcome.told("refused"))
        _judge(nursery, place, [STEPS[-1]], f"full from {point} on", tally)


def _judge(nursery: Nursery, place: Path, counts: list[int], where: str, tally: Counter[str]) -> None:
    _well(nursery.run("large:check", directory=str(place), allowed=counts), where)
    shutil.rmtree(place)
    tally["points"] += 1


def _well(outcome: Outcome, where: str) -> Outcome:
    assert not outcome.late, f"{where}: it takes too long\n{outcome.errors}"
    assert not outcome.status, f"{where}: {outcome.errors}"
    return outcome
