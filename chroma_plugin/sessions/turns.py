"""A lock for threads and for code on an event loop alike: one at a time, in the order of asking."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from chroma_plugin import waiting


@dataclass(slots=True, eq=False)
class _Ticket:
    """Somebody who waits; ``called`` is done when it is his turn."""

    holder: object
    called: Future[None] = field(default_factory=Future)


class Turns:
    """``with turns:`` is for one at a time; whoever has the turn may ask for it again.

    A thread blocks until then. Code on an event loop does not block the loop: other tasks go on.
    """

    def __init__(self) -> None:
        # Held for moments only, so that the loop may take it.
        self._lock = threading.Lock()
        self._holder: object = None
        self._depth = 0
        self._queue: deque[_Ticket] = deque()

    def __enter__(self) -> None:
        me = _me()
        with self._lock:
            if self._holder is None or self._holder == me:
                self._holder = me
                self._depth += 1
                return
            ticket = _Ticket(me)
            self._queue.append(ticket)
        try:
            _wait(ticket)
        except BaseException:
            self._give_up(ticket)
            raise

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                self._call_next()

    def _give_up(self, ticket: _Ticket) -> None:
        """The one who waited was cancelled or interrupted, perhaps just after he was called."""
        with self._lock:
            if ticket in self._queue:
                self._queue.remove(ticket)
            elif self._holder == ticket.holder:
                self._depth = 0
                self._call_next()

    def _call_next(self) -> None:
        self._holder = None
        if self._queue:
            ticket = self._queue.popleft()
            self._holder, self._depth = ticket.holder, 1
            ticket.called.set_result(None)


def _me() -> object:
    """The thread, or the code on the event loop, that asks."""
    here = waiting.current()
    return threading.get_ident() if here is None else here


def _wait(ticket: _Ticket) -> None:
    if not waiting.on_loop():
        ticket.called.result()
        return
    import asyncio  # not with the package: it takes long

    # Shielded: cancelling the task must not cancel the future, which the other side completes.
    waiting.wait(asyncio.shield(asyncio.wrap_future(ticket.called)))
