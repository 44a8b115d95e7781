"""The harness finds faults: each of these, put into the product on purpose, makes a run of it fail."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from faults import disks
from faults.disks import Disk, Model
from faults.judging import allowed, judge, look_beside, what
from faults.nursery import Nursery
from faults.planted import FOUND_BY_KILLS, FOUND_BY_LOOKS, FOUND_BY_LOSS_OF_POWER
from faults.shim import NONE, Fault, Kind, Mode
from faults.sizes import Size

pytestmark = pytest.mark.faults

_SIZE = Size(seed=1, length=8, points=0)
_FINDING = r"Wrong|CorruptionError|StorageError"


@pytest.mark.parametrize("fault", list(FOUND_BY_KILLS))
def test_a_kill_finds_it(nursery: Nursery, tmp_path: Path, fault: str) -> None:
    """Or the work is wrong even when nothing is killed."""
    with pytest.raises(AssertionError, match=_FINDING):
        _kill(nursery, tmp_path / "store", fault)


def _kill(nursery: Nursery, place: Path, fault: str) -> None:
    for point in (10_000, *range(150, 20, -2)):
        kill = Fault(Mode.KILL_AFTER, point).plain()
        outcome = nursery.run("workload:work", directory=str(place), **what(_SIZE), fault=kill, plant=fault)
        judge(nursery, place, _SIZE, allowed(outcome), f"{fault}, killed after change {point}")
        shutil.rmtree(place)


@pytest.mark.parametrize("fault", list(FOUND_BY_LOSS_OF_POWER))
def test_a_loss_of_power_finds_it(nursery: Nursery, tmp_path: Path, fault: str) -> None:
    """When what was not synced is lost, or the last of it comes first."""
    with pytest.raises(AssertionError, match=_FINDING):
        _lose_power(nursery, tmp_path, fault)


def _lose_power(nursery: Nursery, tmp_path: Path, fault: str) -> None:
    place, log, image = tmp_path / "store", tmp_path / "log", tmp_path / "image"
    nursery.run("workload:work", directory=str(place), **what(_SIZE), fault=NONE.plain(), log=str(log), plant=fault)
    disk, done = Disk(place), 0
    for number, change in enumerate(disks.read(log)):
        if change.kind is not Kind.NOTE:
            disk.apply(change)
        elif change.path.startswith("done"):
            done += 1
            for model in (Model.DROP, Model.REORDER):
                disk.write(image, model, number)
                judge(nursery, image, _SIZE, [done], f"{fault}, {model.name} after operation {done}")
                shutil.rmtree(image)


@pytest.mark.parametrize("fault", list(FOUND_BY_LOOKS))
def test_a_look_finds_it(nursery: Nursery, tmp_path: Path, fault: str) -> None:
    """In the one that reads beside a writer."""
    with pytest.raises(AssertionError, match=_FINDING):
        look_beside(nursery, tmp_path / "store", _SIZE, list(range(40, 140)), plant=fault)
