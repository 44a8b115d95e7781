"""Where an async client runs its procedures: in threads, or on the event loop when the store can wait there."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from chroma_plugin.errors import ClosedError
from chroma_plugin.frozen import frozen
from chroma_plugin.operations.procedure import Procedure, Room

_T = TypeVar("_T")


@frozen
class _Done(Generic[_T]):
    value: _T


class Rooms:
    """The rooms of one async client. Threads start when they are needed and end with `close`."""

    def __init__(self, workers: int = 4) -> None:
        self.closed = False
        self.native = False
        """The store waits with `chroma_plugin.waiting`, so work with it needs no thread."""
        self._workers = workers
        self._make_pools()

    def _make_pools(self) -> None:
        self._process = os.getpid()
        self._pools = {room: ThreadPoolExecutor(self._workers, f"chroma-{room.value}") for room in Room}

    async def run(self, procedure: Procedure[_T], *, to_its_end: bool = False) -> _T:
        """Run it, each part in its room, without blocking the event loop.

        When the awaiting task is cancelled, a part in a thread comes to its end, and so does a native part with
        ``to_its_end``: a write that was begun. Another native part, a read, is given up. No further part is begun.
        """
        room: Room | _Done[_T] = Room.STORE
        while isinstance(room, Room):
            if room is Room.STORE:
                room = await self.store(_advance, procedure, to_its_end=to_its_end)
            else:
                room = await self.call(_advance, procedure, room=room)
        return room.value

    async def store(self, function: Callable[..., _T], *arguments: Any, to_its_end: bool = False) -> _T:
        """The result of a function that works with records; about cancelling see `run`."""
        if not self.native:
            return await self.call(function, *arguments)
        self._refuse_closed()
        from chroma_plugin import greenlets

        if not to_its_end:
            return await greenlets.run(function, *arguments)
        return await asyncio.shield(asyncio.ensure_future(greenlets.run(function, *arguments)))

    async def call(self, function: Callable[..., _T], *arguments: Any, room: Room = Room.STORE) -> _T:
        """The result of a function that runs in a thread of a room, with the caller's context variables."""
        self._refuse_closed()
        if self._process != os.getpid():
            self._make_pools()  # after a fork the threads are the parent's
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        return await loop.run_in_executor(self._pools[room], lambda: context.run(function, *arguments))

    def _refuse_closed(self) -> None:
        if self.closed:
            raise ClosedError("The client was closed.")

    def close(self) -> None:
        """Let the threads end; what runs is finished first."""
        self.closed = True
        for pool in self._pools.values():
            pool.shutdown(wait=False)


def _advance(procedure: Procedure[_T]) -> Room | _Done[_T]:
    try:
        return next(procedure)
    except StopIteration as finished:
        # StopIteration can't pass through a future.
        return _Done(finished.value)
