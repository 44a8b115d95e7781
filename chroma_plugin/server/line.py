"""A line in front of a collection: who comes while another is served waits, and those who wait are served together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from chroma_plugin.server.call import Answer, Call

MOST: Final = 64
"""Requests that are served together."""

Serve = Callable[[Sequence[Call]], Awaitable[Sequence[Answer | Exception]]]


class Line:
    """In the order of coming. One request alone is served at once, as if there were no line."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._waiting: deque[tuple[Call, asyncio.Future[Answer]]] = deque()
        self._busy = False
        # A task that nobody holds may be collected while it runs.
        self._next: asyncio.Task[None] | None = None

    async def answer(self, call: Call) -> Answer:
        if self._busy:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((call, future))
            answer: Answer = await future
            return answer
        self._busy = True
        try:
            [outcome] = await self._serve([call])
        finally:
            self._go_on()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _go_on(self) -> None:
        self._busy = bool(self._waiting)
        if self._busy:
            self._next = asyncio.get_running_loop().create_task(self._serve_some())

    async def _serve_some(self) -> None:
        """Those who have not given up meanwhile."""
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))]
        present = [(call, future) for call, future in taken if not future.done()]
        try:
            for (_, future), outcome in zip(present, await self._outcomes(present), strict=True):
                _tell(future, outcome)
        finally:
            self._go_on()

    async def _outcomes(self, present: Sequence[tuple[Call, asyncio.Future[Answer]]]) -> Sequence[Answer | Exception]:
        if not present:
            return ()
        try:
            return await self._serve([call for call, _ in present])
        except Exception as error:
            return [error] * len(present)


def _tell(future: asyncio.Future[Answer], outcome: Answer | Exception) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
