"""Sixteen threads and two hundred tasks do everything at once, for a while, and see nothing that can't be.

``pytest -m faults tests/soak`` is some 20 seconds for each; ``pytest -m soak tests/soak`` as long as
CHROMA_SOAK_SECONDS says, by default three minutes. CHROMA_SOAK_SEED repeats what the workers chose.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partialmethod
from pathlib import Path

import pytest
from support.places import PLACES, open_place
from support.storm import EVERYTHING, Storm, Worker, check_end, run_through

import chroma_plugin as chromadb
from chroma_plugin.toolkit import settling, upkeep
from chroma_plugin.toolkit.local import LocalStore
from chroma_plugin.types import Records

Put = Callable[[LocalStore, Records], None]

THREADS, TASKS = 16, 200
LONG = float(os.environ.get("CHROMA_SOAK_SECONDS", "180"))
LENGTHS = [
    pytest.param(5.0, marks=pytest.mark.faults, id="short"),
    pytest.param(LONG, marks=[pytest.mark.soak, pytest.mark.timeout(2 * LONG + 300)], id="long"),
]


@pytest.fixture(autouse=True)
def busy_upkeep(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few hundred records are settled, sketched, put into graphs and compacted all the time."""
    monkeypatch.setattr(settling, "SETTLE_FROM", 2_000)
    monkeypatch.setattr(upkeep, "_QUIET", 0.01)
    monkeypatch.setattr(upkeep, "_DEAD_FROM", 50)
    monkeypatch.setattr(upkeep, "SKETCH_FROM", 64)
    monkeypatch.setattr(upkeep, "SKETCH_TAIL", 32)
    monkeypatch.setattr(upkeep, "graph_from", lambda: 64)
    monkeypatch.setattr(upkeep, "TAIL_FROM", 64)


@pytest.fixture(autouse=True)
def restless_threads() -> Iterator[None]:
    """Python changes threads a hundred times as often: what can come between two lines does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 100)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get("CHROMA_SOAK_SEED", random.randrange(10**6)))
    print(f"CHROMA_SOAK_SEED={chosen}")
    return chosen


@pytest.fixture(params=PLACES)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[chromadb.Client]:
    with open_place(request.param, tmp_path) as client:
        yield client


@pytest.mark.parametrize("seconds", LENGTHS)
def test_threads(client: chromadb.Client, seconds: float, seed: int) -> None:
    """Sixteen threads over one collection object."""
    things = client.create_collection("things", embedding_function=None)
    storm = Storm(client, things, seconds, seed)
    workers = storm.workers(THREADS)
    run_in_threads(workers, patience=seconds + 60)
    check_end(things.get(include=EVERYTHING), workers)
    print(f"{THREADS} threads, {sum(storm.done.values())} operations in {seconds:.0f} s: {dict(storm.done)}")


def run_in_threads(workers: list[Worker], patience: float) -> None:
    """Raises what the first of them raises; says where all of them stand when one hangs."""
    errors: list[BaseException] = []

    def work(worker: Worker) -> None:
        try:
            run_through(worker.run())
        except BaseException as error:
            errors.append(error)
            worker.storm.seconds = 0

    threads = [threading.Thread(target=work, args=[worker], daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience)
        if thread.is_alive():
            faulthandler.dump_traceback(all_threads=True)
            pytest.fail("a thread hangs; see standard error")
    if errors:
        raise errors[0]


def torn(store: LocalStore, put: Put, records: Records) -> None:
    """A batch that becomes visible in two halves."""
    half = len(records) // 2
    put(store, records.take(range(half)))
    put(store, records.take(range(half, len(records))))


def lost(store: LocalStore, put: Put, records: Records) -> None:
    """A write in fifty that is acknowledged and not made."""
    if random.random() > 0.02:
        put(store, records)


def mixed(store: LocalStore, put: Put, records: Records) -> None:
    """Now and then the documents of two records change places."""
    if len(records) > 1 and records.documents is not None and random.random() < 0.1:
        first, second, *rest = records.documents
        records = replace(records, documents=[second, first, *rest])
    put(store, records)


@pytest.mark.faults
@pytest.mark.parametrize("fault", [torn, lost, mixed])
def test_the_storm_notices(fault: Callable[[LocalStore, Put, Records], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with a fault does not come through."""
    monkeypatch.setattr(LocalStore, "put", partialmethod(fault, LocalStore.put))
    with chromadb.Client() as client:
        things = client.create_collection("things", embedding_function=None)
        workers = Storm(client, things, 10.0, 1).workers(THREADS)
        with pytest.raises(AssertionError):
            run_in_threads(workers, patience=60)


@pytest.fixture(params=PLACES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> chromadb.Settings:
    with open_place(request.param, tmp_path) as client:
        return client.get_settings()


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_tasks(settings: chromadb.Settings, seconds: float, seed: int) -> None:
    """Two hundred tasks on one event loop."""
    async with chromadb.AsyncClient(settings) as client:
        things = await client.create_collection("things", embedding_function=None)
        storm = Storm(client, things, seconds, seed, own_ids=4)
        workers = storm.workers(TASKS)
        async with asyncio.timeout(seconds + 120), asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker.run())
        check_end(await things.get(include=EVERYTHING), workers)
        print(f"{TASKS} tasks, {sum(storm.done.values())} operations in {seconds:.0f} s: {dict(storm.done)}")
