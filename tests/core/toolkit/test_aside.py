"""Work in the background gives way to whoever uses the store; what somebody waits for doesn't."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from support.vectors import clustered, records

from chroma_plugin.toolkit import aside, upkeep
from chroma_plugin.toolkit.aside import LAST, Aside
from chroma_plugin.toolkit.local import LocalStore

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all threads are alike")


def _priority(thread: int = 0) -> int:
    return os.getpriority(os.PRIO_PROCESS, thread)


def _priorities() -> dict[int, int]:
    """That of each thread of this process."""
    found = {}
    for thread in map(int, os.listdir("/proc/self/task")):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            found[thread] = _priority(thread)
    return found


@linux
def test_what_builds_gives_way_and_nobody_else(make_store: Callable[..., LocalStore]) -> None:
    """While a graph is built in the background, those threads give way that build it, hnswlib's own too."""
    before = _priorities()
    store = make_store(num_threads=2)
    store.put(records(clustered(4_000)))
    looks: list[dict[int, int]] = []
    deadline = time.monotonic() + 60
    while not store.view.graphs and time.monotonic() < deadline:
        looks.append(_priorities())

    assert store.view.graphs
    assert max(list(look.values()).count(LAST) for look in looks) > 1
    for look in looks:
        assert all(look.get(thread, priority) == priority for thread, priority in before.items())


@linux
def test_a_thread_keeps_its_own_place() -> None:
    """A piece that gives way is done in another thread, and one that somebody waits for in that of who runs it."""
    here = threading.get_native_id(), _priority()
    done: list[tuple[int, int]] = []

    def piece() -> None:
        done.append((threading.get_native_id(), _priority()))

    Aside(awaited=lambda: False).run(piece)
    Aside(awaited=lambda: True).run(piece)

    assert done[0][0] != here[0]
    assert done[0][1] == LAST
    assert done[1] == here
    assert _priority() == here[1]


@linux
def test_where_others_leave_nothing_it_goes_on_like_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that took too long is the last that gave way."""
    monkeypatch.setattr(aside, "_STARVED", 0.0)
    priorities: list[int] = []
    starved = Aside(awaited=lambda: False)

    for _ in range(2):
        starved.run(lambda: priorities.append(_priority()))

    assert priorities == [LAST, _priority()]


@pytest.mark.parametrize("awaited", [False, True])
def test_what_a_piece_raises_is_raised(awaited: bool) -> None:
    def piece() -> None:
        raise MemoryError("there is none")

    with pytest.raises(MemoryError, match="there is none"):
        Aside(lambda: awaited).run(piece)


def test_what_is_waited_for_is_done_here(
    make_store: Callable[..., LocalStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`create_index` starts none of the threads that give way."""
    monkeypatch.setattr(upkeep, "_QUIET", 60)  # the background comes later
    gave_way: list[object] = []
    monkeypatch.setattr(aside, "_run_last", gave_way.append)
    store = make_store()
    store.put(records(clustered(2_000)))
    store.optimize()

    assert store.view.graphs
    assert not gave_way
