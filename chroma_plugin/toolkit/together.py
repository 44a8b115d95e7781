"""Questions of many threads, few at work at a time: those who wait meanwhile are answered together.

Threads that each ask one small question hand Python's lock from one to the other at every step, and lose more by that
than a second core gives them. Ten questions in one call take three times as long as one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Final, Generic, TypeVar

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")

_AT_WORK: Final = 2
"""While one computes without Python's lock, another can do what needs it; a third would only get in their way."""
_PATIENCE: Final = 1.0
"""Seconds after which a question is answered without the others. Ctrl-C may come at any moment, also between two lines
that hand a place over: then somebody waits so long, and nobody for ever."""


class Together(Generic[_Asked, _Answer]):
    """``answer`` takes questions of one kind, and gives an answer to each."""

    def __init__(self, answer: Callable[[Sequence[_Asked]], Sequence[_Answer]]) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        # By thread, so that one which is interrupted before it says that it is done loses no place for good.
        self._at_work: set[int] = set()
        self._waiting: list[_Ticket[_Asked, _Answer]] = []

    def ask(self, question: _Asked, kind: Hashable) -> _Answer:
        """The answer, as if nobody else had asked."""
        me = threading.get_ident()
        with self._lock:
            if busy := len(self._at_work - {me}) >= _AT_WORK:
                ticket = _Ticket[_Asked, _Answer](question, kind)
                self._waiting.append(ticket)
            else:
                self._at_work.add(me)
        if busy:
            return self._served(ticket)
        try:
            return self._answer([question])[0]
        finally:
            self._call_next()

    def _served(self, ticket: _Ticket[_Asked, _Answer]) -> _Answer:
        try:
            called = ticket.called.acquire(timeout=_PATIENCE)
        except BaseException:  # Ctrl-C
            self._leave(ticket)
            raise
        if not called:
            with self._lock:  # whoever has been at work for so long was interrupted
                self._at_work.clear()
            self._leave(ticket)
        elif ticket.party:
            self._serve(ticket.party)
        if ticket.answer:
            return ticket.answer[0]
        return self._answer([ticket.question])[0]

    def _serve(self, party: list[_Ticket[_Asked, _Answer]]) -> None:
        try:
            for ticket, answer in zip(party, self._answer([ticket.question for ticket in party]), strict=True):
                ticket.answer = (answer,)
        except Exception:
            # Whose question is at fault is not known: each of several asks his own again, and meets his own error.
            if len(party) == 1:
                raise
        finally:
            self._call_next()
            for ticket in party[1:]:
                ticket.called.release()

    def _call_next(self) -> None:
        """Leave the place to the one who has waited longest, and to all who ask for the same."""
        with self._lock:
            self._at_work.discard(threading.get_ident())
            if not self._waiting:
                return
            first = self._waiting[0]
            self._at_work.add(first.thread)
            first.party = [ticket for ticket in self._waiting if ticket.kind == first.kind]
            self._waiting = [ticket for ticket in self._waiting if ticket.kind != first.kind]
        first.called.release()

    def _leave(self, ticket: _Ticket[_Asked, _Answer]) -> None:
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
        if ticket.party:
            self._serve(ticket.party)


class _Ticket(Generic[_Asked, _Answer]):
    """Somebody who waits."""

    __slots__ = ("answer", "called", "kind", "party", "question", "thread")

    def __init__(self, question: _Asked, kind: Hashable) -> None:
        self.question, self.kind, self.thread = question, kind, threading.get_ident()
        self.answer: tuple[_Answer] | tuple[()] = ()
        self.party: list[_Ticket[_Asked, _Answer]] = []
        """Whom to serve, the first of them this one; empty until it's this one's turn to serve."""
        self.called = threading.Lock()
        self.called.acquire()
