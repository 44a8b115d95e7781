"""Damage anywhere in the directory of a store: the right data, or an error that names the file and says what to do.

The measure: ``CHROMA_WOUNDS``, how many to each file, and ``CHROMA_WOUNDS_SEED``: the same seed chooses the same
places.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice, product
from pathlib import Path

import pytest
from faults.damage.looks import GOOD
from faults.damage.trying import Trial, environment, trial
from faults.damage.wounds import Wound, files, wounds

pytest.importorskip("hnswlib")
pytest.importorskip("numkong")

SEED = int(os.environ.get("CHROMA_WOUNDS_SEED", "1"))
COUNT = int(os.environ.get("CHROMA_WOUNDS", "0"))
STORES = ("closed", "killed")
NEEDED = {".duckdb", ".wal", ".vectors", ".stamps", ".header", ".texts"}
"""Files of which damage is an error; all others are made anew."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stores")
    subprocess.run([sys.executable, "-m", "faults.damage.stores", str(place)], check=True, env=environment())
    return place


def kinds_of(stores: Path, store: str) -> list[str]:
    """One file of each kind."""
    return list({Path(file).suffix: file for file in files(stores / store)}.values())


def bad(trying: Trial, store: str, wound: Wound, *, repair: bool) -> str | None:
    seen = trying.seen(store, wound, repair=repair)
    return None if seen is None or seen[0] in GOOD else f"{store} {wound}: {seen[0]}, {seen[1]}"


def all_bad(stores: Path, chosen: Iterable[tuple[str, Wound]], *, repair: bool = False) -> list[str]:
    with trial(stores) as trying:
        return [found for store, wound in chosen if (found := bad(trying, store, wound, repair=repair))]


def test_unharmed_stores_are_right(stores: Path) -> None:
    """What is compared with the truth is all there, also when all is read from DuckDB."""
    with trial(stores) as trying:
        for store in STORES:
            seen = trying.seen(store, Wound("snapshot.json", "gone"))
            assert seen == ("right", "")


def test_a_wound_to_each_kind_of_file(stores: Path) -> None:
    """Every second one of one store, the others of the other, in ways that the seed chooses; and two are repaired."""
    chooser = random.Random(SEED)
    chosen = [
        (store, chooser.choice(list(islice(wounds(stores / store, file, chooser), 12))))
        for begin, store in enumerate(reversed(STORES))
        for file in kinds_of(stores, store)[begin::2]
    ]

    assert all_bad(stores, chosen) == []
    needed = [each for each in chosen if Path(each[1].file).suffix in NEEDED]
    assert all_bad(stores, chooser.sample(needed, 2), repair=True) == []


def every_wound(stores: Path, count: int, among: int) -> Iterator[tuple[str, Wound]]:
    """So many to each file, chosen from the first ones."""
    for store in STORES:
        for number, file in enumerate(files(stores / store)):
            # Not by the name of the file, which is another one every time.
            chooser = random.Random(f"{SEED} {store} {number}")
            for wound in chooser.sample(list(islice(wounds(stores / store, file, chooser), among)), count):
                yield store, wound


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_wounds_to_every_file(stores: Path) -> None:
    """Of what can happen to a file as a whole, and of flips, cuts, holes and additions."""
    assert all_bad(stores, every_wound(stores, COUNT or 2, 20)) == []


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_repairs_of_every_file(stores: Path) -> None:
    """What was wounded opens again: all that is in it is right, what is not is told, the wounded files are kept."""
    chosen = every_wound(stores, COUNT or 2, 20)
    assert all_bad(stores, (each for each in chosen if Path(each[1].file).suffix in NEEDED), repair=True) == []


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_many_wounds_to_every_file(stores: Path) -> None:
    """The same, with all bits of the first bytes and many places behind them."""
    count = COUNT or 2_200
    chosen = every_wound(stores, count, count)
    outcomes: Counter[str] = Counter()
    found = []
    with trial(stores) as trying:
        for (store, wound), repair in product(chosen, (False, True)):
            seen = trying.seen(store, wound, repair=repair)
            how = "unchanged" if seen is None else seen[0]
            outcomes[f"{store} {Path(wound.file).suffix} {'repaired' if repair else 'opened'} {how}"] += 1
            if seen is not None and seen[0] not in GOOD:
                found.append(f"{store} {wound}, {repair=}: {seen}")
                print(found[-1], flush=True)
    print(dict(outcomes))
    assert found == []
