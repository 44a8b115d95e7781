"""Connections to one PostgreSQL: statements and transactions, the same calls in a thread and on an event loop.

Nothing is left in a connection between two transactions (no prepared statements unless asked for, no temporary tables),
so that a transaction pooler may stand between. Where none does, a connection keeps the settings of its last search.
"""

from __future__ import annotations

import asyncio
import select
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from chroma_plugin import waiting
from chroma_plugin.errors import ClosedError
from chroma_plugin_pgvector import failures
from chroma_plugin_pgvector.binary import adaptation
from chroma_plugin_pgvector.options import PgvectorOptions

_T = TypeVar("_T")
Row: TypeAlias = tuple[Any, ...]

_ATTEMPTS: Final = 6
_CLOSE_SECONDS: Final = 5.0


class Statements:
    """What a transaction may do: one connection, in use by one caller."""

    def __init__(self, connection: Any, now: Callable[[Any], Any]) -> None:
        self._connection = connection
        self._now = now
        self.committing = False
        """COMMIT was sent, so that a lost connection leaves open whether it was done."""

    def use(self, settings: str) -> None:
        """Make settings (SQL that makes them for the session), unless the connection has just these."""
        if self._connection.settings != settings:
            self.rows(f"SELECT {settings}")
            self._connection.settings = settings

    def keep_settings(self) -> bool:
        """Whether the connection leads to one server process for as long as it lasts: that which it was made with. A
        pooler tells its clients of none that there is.
        """
        [(process,)] = self.rows("SELECT pg_backend_pid()")
        return bool(process == self._connection.pgconn.backend_pid)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """What the statement returns, columns in binary form where psycopg has one."""
        cursor = self._run(sql, parameters)
        # Asking for the description would make an object for each column.
        found: list[Row] = self._now(cursor.fetchall()) if cursor.pgresult and cursor.pgresult.nfields else []
        return found

    def count(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """How many rows the statement changed."""
        changed: int = self._run(sql, parameters).rowcount
        return changed

    def copy(self, sql: str, pieces: Iterator[bytes]) -> None:
        """Send a stream to a COPY ... FROM STDIN."""
        cursor = self._connection.cursor()
        if waiting.on_loop():
            waiting.wait(_copy_on_loop(cursor, sql, pieces))
        else:
            with cursor.copy(sql) as copy:
                for piece in pieces:
                    copy.write(piece)

    def commit(self) -> None:
        self.committing = True
        self._run("COMMIT", ())

    def roll_back(self) -> None:
        if not self._connection.broken:
            with suppress(psycopg.Error):
                self._run("ROLLBACK", ())

    @property
    def broken(self) -> bool:
        lost: bool = self._connection.broken
        return lost

    def _run(self, sql: str, parameters: Sequence[Any]) -> Any:
        cursor = self._connection.cursor(binary=True)
        self._now(cursor.execute(sql, parameters or None))
        return cursor


class _Connection(psycopg.Connection[Row]):
    settings = ""
    """What a search has set in it, as SQL."""


class _ConnectionOnLoop(psycopg.AsyncConnection[Row]):
    settings = ""


class _LatestFirst(deque[Any]):
    """The idle connections of a pool, which takes from the left and appends what comes back. A server process that has
    just worked has in its caches what the next statement needs; taken in turn, two take half as long again as one.
    """

    def append(self, connection: Any, /) -> None:
        self.appendleft(connection)


class Database:
    """One PostgreSQL. Threads and event loops may share it; it ends with `close`."""

    def __init__(self, options: PgvectorOptions) -> None:
        self.place = failures.place_of(options.url)
        self._options = options
        self._lock = threading.Lock()
        self._blocking: ConnectionPool[Any] | None = None
        self._abandoned: list[Any] = []
        self._on_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopPool] = weakref.WeakKeyDictionary()
        self._closed = False

    @cached_property
    def keeps_settings(self) -> bool:
        """Whether what is set in a connection is there in the next transaction: no pooler stands between."""
        return self._attempts(Statements.keep_settings, repeatable=True)

    def rows(self, sql: str, parameters: Sequence[Any] = (), settings: str = "") -> list[Row]:
        """What one reading statement returns; asked again when the connection is lost meanwhile. ``settings`` are made
        before, where the connection `keeps_settings`.
        """

        def ask(statements: Statements) -> list[Row]:
            if settings:
                statements.use(settings)
            return statements.rows(sql, parameters)

        return self._attempts(ask, repeatable=True)

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """What one changing statement returns: a transaction of its own."""
        return self._attempts(lambda statements: statements.rows(sql, parameters))

    def count(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """How many rows one changing statement changed."""
        return self._attempts(lambda statements: statements.count(sql, parameters))

    def transaction(self, work: Callable[[Statements], _T]) -> _T:
        """What ``work`` returns, all or nothing of it done. It runs again when PostgreSQL undid it for the sake of
        another transaction, or the connection was lost before the end.
        """

        def whole(statements: Statements) -> _T:
            statements.rows("BEGIN")
            try:
                result = work(statements)
                statements.commit()
            except BaseException:
                statements.roll_back()
                raise
            return result

        return self._attempts(whole, transaction=True)

    def connect(self) -> psycopg.Connection[Any]:
        """A connection of its own, outside of the pool, that blocks."""
        try:
            return psycopg.connect(self._options.url, **self._settings())
        except psycopg.Error as error:
            raise failures.translated(error, self.place) from error

    def after_fork(self) -> None:
        """The sockets are the parent's, and what holds them must not be finalized here."""
        self._lock = threading.Lock()
        self._abandoned.append((self._blocking, self._on_loops))
        self._blocking, self._on_loops = None, weakref.WeakKeyDictionary()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            blocking, self._blocking = self._blocking, None
            on_loops = dict(self._on_loops)
            self._on_loops.clear()
        if blocking is not None:
            blocking.close()
        for loop, pool in on_loops.items():
            pool.close(loop)

    # -- one call ----------------------------------------------------------------------------------------------------

    def _attempts(self, work: Callable[[Statements], _T], *, repeatable: bool = False, transaction: bool = False) -> _T:
        now = _now_here()
        for attempt in range(_ATTEMPTS):
            statements: Statements | None = None
            try:
                connection, pool = self._borrowed(now)
                try:
                    statements = Statements(connection, now)
                    return work(statements)
                finally:
                    now(pool.putconn(connection))
            except psycopg.Error as error:
                lost = statements is not None and statements.broken
                undone = transaction and lost and statements is not None and not statements.committing
                again = isinstance(error, failures.CONFLICTS) or undone or (repeatable and lost)
                if not again or attempt == _ATTEMPTS - 1:
                    unsure = lost and not (repeatable or undone)
                    raise failures.translated(error, self.place, perhaps_done=unsure) from error
        raise AssertionError("the last attempt returns or raises")

    def _borrowed(self, now: Callable[[Any], Any]) -> tuple[Any, Any]:
        """A connection that works, and the pool to give it back to."""
        pool: Any = self._pool() if now is _as_it_is else self._pool_on_loop()
        connection = now(pool.getconn())
        while _is_stale(connection):
            now(connection.close())
            # The pool makes another in its place.
            now(pool.putconn(connection))
            connection = now(pool.getconn())
        return connection, pool

    def _pool(self) -> ConnectionPool[Any]:
        with self._lock:
            self._refuse_closed()
            if self._blocking is None:
                self._blocking = ConnectionPool(
                    self._options.url,
                    connection_class=_Connection,
                    kwargs=self._settings(),
                    open=False,
                    **self._sizes(),
                )
                self._blocking._pool = _LatestFirst()
                self._blocking.open()
            return self._blocking

    def _pool_on_loop(self) -> AsyncConnectionPool[Any]:
        loop = asyncio.get_running_loop()
        with self._lock:
            self._refuse_closed()
            known = self._on_loops.get(loop)
            if known is None:
                known = self._on_loops[loop] = _LoopPool(self._options.url, self._settings(), self._sizes())
        return known.opened()

    def _settings(self) -> dict[str, Any]:
        return {
            "autocommit": True,
            "prepare_threshold": self._options.prepare_threshold,
            "context": adaptation(),
            "connect_timeout": self._options.connect_timeout,
            "client_encoding": "UTF8",
            "application_name": "chroma-plugin",
        }

    def _sizes(self) -> dict[str, Any]:
        return {
            "min_size": 0,
            "max_size": self._options.pool_size,
            "timeout": self._options.timeout,
            "reconnect_timeout": self._options.connect_timeout,
        }

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedError("The client was closed.")


class Joined(Database):
    """The database as one of its transactions sees it: whatever is asked or done becomes part of that."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def transaction(self, work: Callable[[Statements], _T]) -> _T:
        return work(self._statements)

    def _attempts(self, work: Callable[[Statements], _T], *, repeatable: bool = False, transaction: bool = False) -> _T:
        return work(self._statements)


class _LoopPool:
    """The pool of one event loop."""

    def __init__(self, url: str, settings: dict[str, Any], sizes: dict[str, Any]) -> None:
        self._connections: weakref.WeakSet[Any] = weakref.WeakSet()
        self._pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            url,
            connection_class=_ConnectionOnLoop,
            kwargs=settings,
            configure=self._remember,
            open=False,
            **sizes,
        )
        self._pool._pool = _LatestFirst()

    def opened(self) -> AsyncConnectionPool[Any]:
        if self._pool.closed:
            waiting.wait(self._pool.open())
        return self._pool

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """From wherever this is. When the loop is gone, the sockets are all that there is to close."""
        if loop.is_closed():
            for connection in list(self._connections):
                connection.pgconn.finish()
        elif _is_running_here(loop):
            loop.create_task(self._pool.close())
        elif loop.is_running():
            asyncio.run_coroutine_threadsafe(self._pool.close(), loop).result(_CLOSE_SECONDS)
        else:
            loop.run_until_complete(self._pool.close())

    async def _remember(self, connection: Any) -> None:
        self._connections.add(connection)


def _now_here() -> Callable[[Any], Any]:
    """What makes a result of what a call of psycopg gives: on an event loop that is an awaitable."""
    return waiting.wait if waiting.on_loop() else _as_it_is


def _as_it_is(result: Any) -> Any:
    return result


async def _copy_on_loop(cursor: Any, sql: str, pieces: Iterator[bytes]) -> None:
    async with cursor.copy(sql) as copy:
        # Encoding takes a while, and the loop goes on meanwhile.
        while piece := await asyncio.to_thread(next, pieces, b""):
            await copy.write(piece)


def _is_stale(connection: Any) -> bool:
    """An idle connection has nothing to read, unless the server has ended it; no question to the server is needed."""
    if connection.closed:
        return True
    socket = connection.pgconn.socket
    if not hasattr(select, "poll"):
        return bool(select.select([socket], [], [], 0)[0])
    poll = select.poll()  # unlike select, it takes sockets of any number
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


def _is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
