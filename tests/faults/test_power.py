"""The power goes: of what was written and not synced, anything may be there, or not, or in part."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from faults import disks
from faults.cuts import cuts
from faults.disks import Change, Disk, Model
from faults.judging import judge, what
from faults.nursery import Nursery
from faults.shim import NONE
from faults.sizes import Size, sized


@sized(few=3, sample=6, seeds=3)
def test_power_is_lost(nursery: Nursery, tmp_path: Path, size: Size, tally: Counter[str]) -> None:
    """After any change of any file."""
    log, image, disk = tmp_path / "log", tmp_path / "image", Disk(tmp_path / "store")
    changes = _worked(nursery, tmp_path / "store", log, size)
    for cut in cuts(changes, set(size.some(len(changes))), disk):
        for model in Model:
            cut.disk.write(image, model, cut.number)
            judge(nursery, image, size, cut.allowed, f"{model.name} after change {cut.number} of {log}", tally)
            shutil.rmtree(image)


@sized(few=1, sample=3)
def test_power_is_lost_again(nursery: Nursery, tmp_path: Path, size: Size, tally: Counter[str]) -> None:
    """While the store recovers from a loss of power, or goes on after it: what the recovery has shown stays."""
    chance, place = size.chance(), tmp_path / "store"
    log, image, later, again = (tmp_path / name for name in ("log", "image", "later", "again"))
    disk = Disk(place)
    changes = _worked(nursery, place, log, size)
    for cut in cuts(changes, set(size.some(len(changes))), disk):
        model = chance.choice(list(Model))
        cut.disk.write(image, model, cut.number)
        found, longer = Disk(image), replace(size, length=cut.allowed[-1] + 1)
        outcome = nursery.run(
            "resuming:resume", directory=str(image), **what(longer), allowed=cut.allowed, log=str(later)
        )
        where = f"{model.name} after change {cut.number} of {log}"
        assert not outcome.status, f"{where}: {outcome.errors}"
        more, shown = disks.read(later), int(outcome.told("shown")[0])
        for second in cuts(more, _again(more, chance), found, shown):
            model = chance.choice(list(Model))
            second.disk.write(again, model, second.number)
            judge(nursery, again, longer, second.allowed, f"{where}, {model.name} after {second.number}", tally)
            shutil.rmtree(again)
        shutil.rmtree(image)


def _again(changes: Sequence[Change], chance: random.Random) -> set[int]:
    """Most of the moments of the recovery, and a few of what comes then."""
    recovery = next(number for number, change in enumerate(changes) if change.path.startswith(("begin ", "closed ")))
    during, then = range(1, recovery + 1), range(recovery + 1, len(changes) + 1)
    return {*chance.sample(during, min(6, len(during))), *chance.sample(then, min(3, len(then)))}


def _worked(nursery: Nursery, place: Path, log: Path, size: Size) -> list[Change]:
    """What the operations did to the disk."""
    outcome = nursery.run("workload:work", directory=str(place), **what(size), fault=NONE.plain(), log=str(log))
    assert not outcome.status, outcome.errors
    return disks.read(log)
