"""Two places for threads that ask small questions at the same time; who finds none waits.

While one of two searches without Python's lock, the other can do what needs it; a third would only get in their way:
threads hand the lock from one to the other, and each that takes it has to be woken first, which takes as long as a
question. So a thread that asks one question after the other keeps its place for a while, as it would keep a processor,
and only then leaves it to the one who has waited longest.
"""

from __future__ import annotations

import threading
from collections import deque
from time import perf_counter
from typing import Final

_PLACES: Final = 2
_SLICE: Final = 3e-3
"""Seconds for which a thread keeps its place though others wait."""
_AT_ONCE: Final = 2e-4
"""Seconds between two questions of a thread that asks one after the other."""
_LOOK: Final = 2e-2
"""Seconds after which one who waits looks for a place that is kept for somebody who does not come back. Who is at work
looks, too, and more often.
"""
_PATIENCE: Final = 1.0
"""Seconds after which one who waits goes on without a place. Ctrl-C may come at any moment, also between two lines that
hand a place over: then a place may be lost.
"""


class Places:
    """``with places:`` around a question. Not for one question inside of another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[int, _Place] = {}
        self._waiting: deque[_Ticket] = deque()
        self._left = threading.local()
        """When the last question of this thread was answered: ``at``."""

    def __enter__(self) -> None:
        me, now = threading.get_ident(), perf_counter()
        asks_on = now - getattr(self._left, "at", 0.0) < _AT_ONCE
        with self._lock:
            if self._has_place(me, now, asks_on):
                return
            ticket = _Ticket(me, asks_on)
            self._waiting.append(ticket)
        try:
            self._wait(ticket)
        except BaseException:  # Ctrl-C
            self._give_up(ticket)
            raise

    def _has_place(self, me: int, now: float, asks_on: bool) -> bool:
        place = self._taken.get(me)
        if place is not None:
            place.kept_since, place.asks_on = None, asks_on
            return True
        if len(self._taken) >= _PLACES and not self._free_one(now):
            return False
        self._taken[me] = _Place(now, asks_on)
        return True

    def _free_one(self, now: float) -> bool:
        """Take a place from somebody who has not come back to it."""
        for thread, place in self._taken.items():
            if place.kept_since is not None and now - place.kept_since > _AT_ONCE:
                del self._taken[thread]
                return True
        return False

    def _wait(self, ticket: _Ticket) -> None:
        end = perf_counter() + _PATIENCE
        while not ticket.called.acquire(timeout=_LOOK):
            with self._lock:
                next_one = self._next(perf_counter())
            if next_one is not None:
                next_one.called.release()
            elif perf_counter() > end:
                self._give_up(ticket)
                return

    def _give_up(self, ticket: _Ticket) -> None:
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                return
            self._taken.pop(ticket.thread, None)
            next_one = self._next(perf_counter())
        if next_one is not None:
            next_one.called.release()

    def __exit__(self, *exception: object) -> None:
        me, now = threading.get_ident(), perf_counter()
        self._left.at = now
        with self._lock:
            place = self._taken.get(me)
            if place is not None and self._waiting and place.asks_on and now - place.since < _SLICE:
                place.kept_since = now
            else:
                self._taken.pop(me, None)
            next_one = self._next(now)
        if next_one is not None:
            next_one.called.release()

    def _next(self, now: float) -> _Ticket | None:
        """Whom to call: the one who has waited longest, if there is a place, which is taken now."""
        if not self._waiting or (len(self._taken) >= _PLACES and not self._free_one(now)):
            return None
        ticket = self._waiting.popleft()
        self._taken[ticket.thread] = _Place(now, ticket.asks_on)
        return ticket


class _Place:
    """What a thread has."""

    __slots__ = ("asks_on", "kept_since", "since")

    def __init__(self, since: float, asks_on: bool) -> None:
        self.since, self.asks_on = since, asks_on
        self.kept_since: float | None = None
        """Since when it is not used, and kept for the next question; None: it is used."""


class _Ticket:
    """Somebody who waits."""

    __slots__ = ("asks_on", "called", "thread")

    def __init__(self, thread: int, asks_on: bool) -> None:
        self.thread, self.asks_on = thread, asks_on
        self.called = threading.Lock()
        self.called.acquire()
