"""The threads in which an async client runs its procedures."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chroma_plugin.errors import ClosedError
from chroma_plugin.operations.procedure import Procedure, Room

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Done(Generic[_T]):
    value: _T


class Rooms:
    """The thread pools of one async client. Threads start when they are needed and end with `close`."""

    def __init__(self, workers: int = 4) -> None:
        self.closed = False
        self._pools = {room: ThreadPoolExecutor(workers, f"chroma-{room.value}") for room in Room}

    async def run(self, procedure: Procedure[_T]) -> _T:
        """Run it, each part in its room, without blocking the event loop.

        When the awaiting task is cancelled the part that is running comes to its end; no further part is begun.
        """
        room: Room | _Done[_T] = Room.STORE
        while isinstance(room, Room):
            room = await self.call(_advance, procedure, room=room)
        return room.value

    async def call(self, function: Callable[..., _T], *arguments: Any, room: Room = Room.STORE) -> _T:
        """The result of a function that runs in a room, with the caller's context variables."""
        if self.closed:
            raise ClosedError("The client was closed.")
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        return await loop.run_in_executor(self._pools[room], lambda: context.run(function, *arguments))

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
