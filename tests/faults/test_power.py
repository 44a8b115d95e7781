"""The power goes: of what was written and not synced, anything may be there, or not, or in part."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from faults import disks
from faults.disks import Disk, Model
from faults.judging import judge, what
from faults.nursery import Nursery
from faults.shim import NONE, Kind
from faults.sizes import Size, sized


@sized(few=3, sample=6, seeds=3)
def test_power_is_lost(nursery: Nursery, tmp_path: Path, size: Size, tally: Counter[str]) -> None:
    """After any change of any file."""
    place, log, image = tmp_path / "store", tmp_path / "log", tmp_path / "image"
    outcome = nursery.run("workload:work", directory=str(place), **what(size), fault=NONE.plain(), log=str(log))
    assert not outcome.status, outcome.errors
    changes = disks.read(log)
    disk, points, notes = Disk(place), set(size.some(len(changes))), Counter[str]()
    for number, change in enumerate(changes, 1):
        if change.kind is Kind.NOTE:
            notes[change.path.split(" ")[0]] += 1
        else:
            disk.apply(change)
        for model in Model if number in points else ():
            disk.write(image, model, number)
            numbers = sorted({notes["done"], notes["begin"]})
            judge(nursery, image, size, numbers, f"{model.name} after change {number} of {log}", tally)
            shutil.rmtree(image)
