"""Who works at a time, who waits, and who is called next."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter

import pytest

from chroma_plugin.toolkit import places as module
from chroma_plugin.toolkit.places import Places

SECONDS = 30


class Room:
    """Threads that stay at their place until they are let go."""

    def __init__(self) -> None:
        self.places = Places()
        self.inside: list[str] = []
        self._pool = ThreadPoolExecutor(40)
        self._leave: dict[str, threading.Event] = {}

    def enter(self, name: str) -> Future[None]:
        self._leave[name] = threading.Event()
        return self._pool.submit(self._stay, name)

    def _stay(self, name: str) -> None:
        with self.places:
            self.inside.append(name)
            assert self._leave[name].wait(SECONDS)

    def leave(self, name: str) -> None:
        self._leave[name].set()

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(SECONDS * 1_000):
            if condition():
                return
            threading.Event().wait(0.001)
        raise TimeoutError

    def with_two_at_work(self) -> None:
        for count, name in enumerate(("first", "second"), start=1):
            self.enter(name)
            self.until(lambda count=count: len(self.inside) == count)

    def wait_for_waiting(self, count: int) -> None:
        self.until(lambda: len(self.places._waiting) == count)


@pytest.fixture
def room() -> Room:
    return Room()


def test_two_are_at_work_and_the_others_come_in_turn(room: Room) -> None:
    room.with_two_at_work()
    names = [f"{number}" for number in range(10)]
    for count, name in enumerate(names, start=1):
        room.enter(name)
        room.wait_for_waiting(count)
    assert room.inside == ["first", "second"]

    for count, name in enumerate(["first", "second", *names], start=3):
        room.leave(name)
        room.until(lambda count=count: len(room.inside) == min(count, 12))
        assert room.inside == ["first", "second", *names][:count]


def test_who_asks_on_keeps_a_place_for_a_while(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """And then leaves it to one who waits."""
    monkeypatch.setattr(module, "_SLICE", 0.2)
    monkeypatch.setattr(module, "_AT_ONCE", 10.0)
    room.enter("first")
    room.until(lambda: room.inside == ["first"])
    for _ in range(2):  # that it asks on is known from the second question on
        with room.places:
            pass
    with room.places:
        start = perf_counter()
        waiting = [room.enter("second"), room.enter("third")]
        room.wait_for_waiting(2)

    while len(room.inside) == 1:
        with room.places:
            pass
    assert perf_counter() - start > 0.1
    room.leave("second")
    room.leave("third")
    assert [future.result(SECONDS) for future in waiting] == [None, None]


def test_a_place_kept_for_nobody_is_given_away(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLICE", 1_000.0)
    monkeypatch.setattr(module, "_AT_ONCE", 0.05)
    monkeypatch.setattr(module, "_PATIENCE", 1_000.0)
    room.enter("first")
    room.until(lambda: room.inside == ["first"])
    with room.places:
        pass
    with room.places:
        room.enter("second")
        room.wait_for_waiting(1)

    room.until(lambda: room.inside == ["first", "second"])


def test_an_error_leaves_the_place(room: Room) -> None:
    for _ in range(5):
        with pytest.raises(ValueError, match="wrong"), room.places:
            raise ValueError("wrong")

    room.with_two_at_work()


def test_who_is_interrupted_while_waiting_keeps_nobody_waiting(room: Room) -> None:
    """By Ctrl-C."""
    room.with_two_at_work()
    room.enter("third")
    room.wait_for_waiting(1)
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        room.wait_for_waiting(2)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt), room.places:
        pytest.fail("there was no place")
    thread.join()

    room.enter("fourth")
    room.leave("first")
    room.leave("third")
    room.until(lambda: room.inside == ["first", "second", "third", "fourth"])


def test_who_has_waited_long_goes_on(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when those at work were interrupted and have left nobody their place."""
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    room.with_two_at_work()

    with room.places:
        assert len(room.places._taken) == 2
