"""Where requests wait for their turn: bounded threads, one writer per collection, bounded bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from chroma_plugin.server.call import Answer, Call
from chroma_plugin.server.config import ServerConfig
from chroma_plugin.server.line import Line
from chroma_plugin.server.refusals import Busy, TooSlow
from chroma_plugin.server.routes import Access, Route, Together
from chroma_plugin.server.served import Served

_A = TypeVar("_A")
_T = TypeVar("_T")
_SMALL: Final = 256 * 1024
"""Bytes of a body; writes of more gain nothing from company."""


class Pool:
    """Some threads, and how many wait for one."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self._threads = threads
        self._given = 0
        self._executor = ThreadPoolExecutor(threads, f"chroma-server-{name}")

    @property
    def waiting(self) -> int:
        return max(0, self._given - self._threads)

    async def run(self, function: Callable[[_A], _T], argument: _A) -> _T:
        self._given += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, function, argument)
        finally:
            self._given -= 1

    def close(self) -> None:
        """Finish what runs and what waits."""
        self._executor.shutdown(wait=True)


class Desk:
    """Everything that the requests of one application share."""

    def __init__(self, served: Served, config: ServerConfig) -> None:
        self.served = served
        self.config = config
        self.in_flight = 0
        self.buffered = 0
        """Bytes of request bodies in memory."""
        self.draining = False
        """The server is about to end: clients should not send another request on their connection."""
        self._working = 0
        # Reads and writes have threads of their own: writers that wait for the disk do not keep readers waiting.
        self._readers = Pool("read", config.limits.threads)
        self._writers = Pool("write", config.limits.threads)
        self._watchers = Pool("watch", 2)
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._lines: WeakValueDictionary[tuple[Together, str], Line] = WeakValueDictionary()

    @property
    def pools(self) -> tuple[Pool, ...]:
        return self._readers, self._writers, self._watchers

    async def serve(self, route: Route, call: Call) -> Answer:
        """Run the handler. Raises Busy when too many wait already, TooSlow when it takes too long."""
        if route.quick:
            return route.handler(call)
        if route.watch:
            return await self._watchers.run(route.handler, call)
        if self._working >= self.config.limits.concurrent:
            raise Busy(f"{self._working} requests are being worked on; try again in a second.")
        self._working += 1
        try:
            async with asyncio.timeout(self.config.limits.seconds):
                return await self._run(route, call)
        except TimeoutError as error:
            raise TooSlow(
                f"This takes longer than {self.config.limits.seconds:g} s. A write may still come to its end."
            ) from error
        finally:
            self._working -= 1

    async def _run(self, route: Route, call: Call) -> Answer:
        if route.together is not None and len(call.raw) <= _SMALL:
            return await self._line(route.together, call.path["collection"]).answer(call)
        if route.writes_records:
            async with self._turn(call.path["collection"]):
                return await self._writers.run(route.handler, call)
        pool = self._readers if route.access in (Access.OPEN, Access.READ) else self._writers
        return await pool.run(route.handler, call)

    def _line(self, together: Together, collection: str) -> Line:
        """Where requests of one kind for one collection wait for each other, to be one write."""
        key = (together, collection)
        line = self._lines.get(key)
        if line is None:

            async def serve(calls: Sequence[Call]) -> Sequence[Answer | Exception]:
                async with self._turn(collection):
                    return await self._writers.run(together, calls)

            line = self._lines[key] = Line(serve)
        return line

    def _turn(self, collection: str) -> asyncio.Semaphore:
        """Two at a time: one is checked while the other is written. More threads would only wait for the lock."""
        turn = self._turns.get(collection)
        if turn is None:
            turn = self._turns[collection] = asyncio.Semaphore(2)
        return turn

    def close(self) -> None:
        """Finish what runs, then give up the database."""
        for pool in self.pools:
            pool.close()
        self.served.close()
