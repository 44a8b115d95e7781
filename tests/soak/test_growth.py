"""Nothing grows without end: after fifty cycles of anything, a process holds and a directory keeps what they did after
fifteen.

CHROMA_SOAK_CYCLES makes the long form (``-m soak``) as long as one likes.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from support.server import start_server
from support.usage import Usage
from support.vectors import clustered

import chroma_plugin as chromadb
from chroma_plugin.errors import ChromaError
from chroma_plugin.toolkit import settling, upkeep

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="looks into /proc")

COUNT, DIMENSION = 1_500, 32
IDS = [f"r{n}" for n in range(COUNT)]
ROWS = clustered(COUNT, DIMENSION)
TEXTS = [f"the record {n} of {COUNT}, {'words ' * (n % 20)}" for n in range(COUNT)]
METADATAS = [{"n": n, "tenth": n % 10} for n in range(COUNT)]
LOG = 65 << 20
"""Bytes of log at which it is emptied, and some more."""
LONG = int(os.environ.get("CHROMA_SOAK_CYCLES", "300"))
CYCLES = [
    pytest.param(50, marks=pytest.mark.faults, id="short"),
    pytest.param(LONG, marks=[pytest.mark.soak, pytest.mark.timeout(10 * LONG + 300)], id="long"),
]


@dataclass
class Place:
    """A client that can be opened again, and where to look what it uses."""

    open: Callable[[], chromadb.Client]
    directory: Path
    pid: int | None = None
    memory: int = 12 << 20
    disk: int = 1 << 20
    """Bytes that come and go."""

    def __post_init__(self) -> None:
        self.client = self.open()

    def things(self) -> chromadb.Collection:
        return self.client.get_or_create_collection("things", embedding_function=None)

    def settle_down(self) -> None:
        """Wait for what is done in the background; a server has time enough."""
        if self.pid is None:
            self.client._connection.session.backend._background.wait()  # type: ignore[attr-defined]

    def usage(self) -> Usage:
        return Usage.now(self.directory, self.pid)


@pytest.fixture(autouse=True)
def busy_upkeep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small collections are settled, sketched and put into graphs, too."""
    monkeypatch.setattr(settling, "SETTLE_FROM", 50_000)
    monkeypatch.setattr(upkeep, "_QUIET", 0.01)
    monkeypatch.setattr(upkeep, "_DEAD_FROM", 500)
    monkeypatch.setattr(upkeep, "SKETCH_FROM", 500)
    monkeypatch.setattr(upkeep, "graph_from", lambda: 1_000)


@pytest.fixture(params=["memory", "duckdb", "rest"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "rest":
        server = start_server(tmp_path / "store")
        # Its vectors are too few to be settled, so that the log grows until it is emptied; what is in it is in memory,
        # too.
        made = Place(lambda: chromadb.HttpClient(*server), tmp_path / "store", server.process.pid, 80 << 20, LOG)
    elif request.param == "duckdb":
        # DuckDB gives back what it needed some seconds later, and a part of it never.
        made = Place(lambda: chromadb.PersistentClient(tmp_path), tmp_path, memory=32 << 20, disk=LOG)
    else:
        made = Place(chromadb.Client, tmp_path)
    yield made
    made.client.close()
    if request.param == "rest":
        server.stop()


def add_and_delete(place: Place) -> None:
    things = place.things()
    things.add(ids=IDS, embeddings=ROWS, documents=TEXTS, metadatas=METADATAS)
    things.delete(ids=IDS)


def replace(place: Place) -> None:
    place.things().upsert(ids=IDS, embeddings=ROWS, documents=TEXTS, metadatas=METADATAS)


def update_texts(place: Place) -> None:
    things = place.things()
    if not things.count():
        replace(place)
    things.update(ids=IDS[:300], documents=TEXTS[:300], metadatas=METADATAS[:300])


def create_and_drop(place: Place) -> None:
    made = place.client.create_collection("passing", embedding_function=None)
    made.add(ids=IDS, embeddings=ROWS, documents=TEXTS, metadatas=METADATAS)
    made.create_index()
    made.query(query_embeddings=ROWS[:5])
    place.client.delete_collection("passing")


def open_and_close(place: Place) -> None:
    replace(place)
    place.client.close()
    place.client = place.open()
    assert place.things().count() in (0, COUNT)  # one in memory begins anew


def search(place: Place) -> None:
    things = place.things()
    if not things.count():
        replace(place)
    for n in range(10):
        things.query(query_embeddings=ROWS[n : n + 8], where={"n": {"$gt": n}}, n_results=20)
        things.get(where={"tenth": n}, where_document={"$contains": "words"}, limit=50)
        things.search_text(f"record {n} words", n_results=5)


def fail(place: Place) -> None:
    things = place.things()
    if not things.count():
        replace(place)
    refused: list[Callable[[], object]] = [
        lambda: things.upsert(ids=IDS, embeddings=ROWS[:, :-1]),
        lambda: things.add(ids=["a"] * COUNT, embeddings=ROWS),
        lambda: things.add(ids=IDS, embeddings=np.full_like(ROWS, np.nan)),
        lambda: things.add(ids=IDS, embeddings=ROWS, on_conflict="error"),
        lambda: things.get(where={"$bad": 1}),
        lambda: place.client.create_collection("things", embedding_function=None),
        lambda: place.client.get_collection("absent"),
    ]
    for call in refused:
        with pytest.raises(ChromaError):
            call()


@pytest.mark.parametrize("cycles", CYCLES)
@pytest.mark.parametrize(
    "cycle", [add_and_delete, replace, update_texts, create_and_drop, open_and_close, search, fail]
)
def test_it_levels_off(place: Place, cycle: Callable[[Place], None], cycles: int) -> None:
    """Memory, disk, files, descriptors, threads and mappings: compared at the same point of a cycle, at its most."""
    for _ in range(15):
        cycle(place)
    place.settle_down()
    before, times = most(place, cycle, 5), []
    for _ in range(cycles - 25):
        start = perf_counter()
        cycle(place)
        times.append(perf_counter() - start)
    after = most(place, cycle, 5)
    half = len(times) // 2
    ratio = np.median(times[half:]) / np.median(times[:half])
    print(f"{cycle.__name__}: {before} -> {after}; the second half took {ratio:.2f} of the first's time")
    # Threads come and go, and what they leave in the allocator with them: a leak would be more than this in each cycle.
    noise = place.memory + cycles * (100 << 10)
    assert not (grown := after.beyond(before, memory=noise, disk=place.disk)), grown


def most(place: Place, cycle: Callable[[Place], None], times: int) -> Usage:
    """The greatest of each, over some cycles: files grow and are written anew."""
    found = []
    for _ in range(times):
        cycle(place)
        found.append(place.usage())
    names = Usage.__dataclass_fields__
    return Usage(**{name: max(getattr(usage, name) for usage in found) for name in names})


@pytest.mark.faults
def test_nothing_of_ours_stays_of_a_closed_store(tmp_path: Path) -> None:
    """No object, and no memory of Python's. What a process has grown by after thousands of openings, some MB in the
    first hundred and none in the rest, is DuckDB's and the allocator's: the same with bare DuckDB.
    """

    def left_after(times: int) -> tuple[int, int]:
        for _ in range(times):
            with chromadb.PersistentClient(tmp_path) as client:
                things = client.get_or_create_collection("things", embedding_function=None)
                things.upsert(ids=IDS[:200], embeddings=ROWS[:200], documents=TEXTS[:200])
                things.query(query_embeddings=ROWS[:2])
        gc.collect()
        return len(gc.get_objects()), sys.getallocatedblocks()

    left_after(10)
    objects, blocks = left_after(5)
    more_objects, more_blocks = left_after(40)
    assert more_objects - objects < 40
    assert more_blocks - blocks < 400


def test_opened_written_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a job does that runs every hour: before anything in the background has begun, the store is closed again. No
    more than a third of what it keeps is dead.
    """
    monkeypatch.setattr(upkeep, "_QUIET", 60.0)
    for _ in range(5):
        with chromadb.PersistentClient(tmp_path) as client:
            things = client.get_or_create_collection("things", embedding_function=None)
            things.upsert(ids=IDS, embeddings=ROWS, documents=TEXTS)
    [vectors] = tmp_path.glob("vectors/*/*.vectors")
    assert vectors.stat().st_size < 1.5 * ROWS.nbytes
    with chromadb.PersistentClient(tmp_path) as client:
        things = client.get_collection("things", embedding_function=None)
        assert things.get(ids="r7", include=["documents"])["documents"] == [TEXTS[7]]
        assert things.count() == COUNT
