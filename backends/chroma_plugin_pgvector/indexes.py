"""The index over the vectors of one collection: when it is made, and whether searches may use it.

PostgreSQL builds it by itself, CONCURRENTLY: reads and writes go on, and so does the building when the client that
asked for it has gone. Until it is ready searches are exact. It serves any number of processes, each of which looks now
and then whether there is one, and asks for one that is missing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import replace
from typing import Any, Final, Literal

import psycopg

from chroma_plugin import waiting
from chroma_plugin.errors import ChromaError, StorageError
from chroma_plugin.frozen import frozen
from chroma_plugin.types import CollectionInfo, Metric
from chroma_plugin_pgvector.database import Database
from chroma_plugin_pgvector.options import PgvectorOptions
from chroma_plugin_pgvector.schema import quoted, records_table

logger = logging.getLogger("chroma_plugin")

_LOOK_SECONDS: Final = 5.0
"""So often is a missing index looked for."""
_AGAIN_SECONDS: Final = 300.0
"""After a failure, so long is none asked for."""
_MOST: Final = {"vector": 2_000, "halfvec": 4_000}
"""Dimensions that an index over each type takes."""
_OPERATORS: Final = {Metric.L2: "<->", Metric.COSINE: "<=>", Metric.IP: "<#>"}


@frozen
class IndexKind:
    """What an index is over, and what a search has to order by to use it."""

    method: str
    """``hnsw`` or ``ivfflat``."""
    type: Literal["vector", "halfvec"]
    dimension: int
    metric: Metric

    @property
    def full(self) -> IndexKind:
        """The same in full precision."""
        return self if self.type == "vector" else replace(self, type="vector")

    @property
    def expression(self) -> str:
        return f"embedding::{self.type}({int(self.dimension)})"

    def nearness(self, query: str) -> str:
        """How far a record is from the query, by the operator of the index."""
        return f"{self.expression} {_OPERATORS[self.metric]} {query}::{self.type}"


def kind_for(dimension: int | None, metric: Metric, options: PgvectorOptions) -> IndexKind | None:
    """None when there can be no index over these vectors."""
    if dimension is None or options.index == "none" or dimension > _MOST["halfvec"]:
        return None
    half = options.halfvec or dimension > _MOST["vector"]
    return IndexKind(options.index, "halfvec" if half else "vector", dimension, metric)


class VectorIndex:
    """The index of one collection, as this process knows it. Any thread or greenlet may ask."""

    def __init__(self, database: Database, number: int, info: CollectionInfo, options: PgvectorOptions) -> None:
        self._database = database
        self._table = records_table(options.schema, number)
        self._name = f"records_{int(number)}_nearest"
        self._qualified = f"{quoted(options.schema)}.{self._name}"
        self._options = options
        self.info = info
        self._ready: IndexKind | None = None
        self._unseen = 0
        self._next_look = 0.0
        self._looking = threading.Lock()
        self._building: _Building | None = None
        self._failure: str | None = None

    @property
    def kind(self) -> IndexKind | None:
        return kind_for(self.info.dimension, self.info.metric, self._options)

    def usable(self, metric: Metric) -> IndexKind | None:
        """What a search may use now; None when it has to be exact."""
        if self._ready is None and self.kind is not None and time.monotonic() >= self._next_look:
            self._glance()
        ready = self._ready
        return ready if ready is not None and metric is ready.metric else None

    def written(self, count: int) -> None:
        """So many records came in: perhaps it is time for an index."""
        self._unseen += count
        if self._unseen >= self._options.index_from and self._ready is None and self.kind is not None:
            self._glance()

    def build(self) -> None:
        """Have one now, if there are records enough, and wait until it is ready.

        Raises StorageError when PostgreSQL can't build it.
        """
        self._failure = None
        pause = 0.01
        while self.kind is not None and self._ready is None and self._has_enough():
            self._look()
            if self._failure is not None:
                raise StorageError(f"PostgreSQL could not build an index of {self.info.name!r}: {self._failure}.")
            _pause(pause)
            pause = min(1.5 * pause, 0.5)
        self._database.write(f"ANALYZE {self._table}")

    def stats(self) -> dict[str, Any]:
        state = self._state()
        built = self._existing() if state == "ready" else None
        progress = self._database.rows(
            "SELECT phase, blocks_done, blocks_total FROM pg_stat_progress_create_index WHERE relid = to_regclass(%s)",
            (self._table,),
        )
        return {
            "index": built.method if built is not None else "exact",
            "index_state": state,
            "index_progress": None if not progress else dict(zip(("phase", "done", "total"), progress[0], strict=True)),
        }

    def close(self) -> None:
        """PostgreSQL goes on building."""
        building, self._building = self._building, None
        if building is not None:
            building.close()

    # -- looking -----------------------------------------------------------------------------------------------------

    def _glance(self) -> None:
        """Look, beside a call that must not fail for it: what it wrote is written."""
        try:
            self._look()
        except ChromaError as error:
            logger.warning("The index of the collection %r can't be looked after now: %s", self.info.name, error)

    def _look(self) -> None:
        if not self._looking.acquire(blocking=False):
            return  # somebody does
        try:
            self._next_look = time.monotonic() + _LOOK_SECONDS
            self._unseen = 0
            state = self._state()
            if state == "ready":
                self._found()
            elif state != "building" and self._is_free() and self._has_enough():
                self._ask(drop=state == "broken")
        finally:
            self._looking.release()

    def _found(self) -> None:
        self._ready = self._existing()
        if self._building is not None:
            logger.info("The index of the collection %r is ready.", self.info.name)
            self.close()

    def _existing(self) -> IndexKind | None:
        """What the index is, which a client with other options may have built."""
        kind = self.kind
        [(definition,)] = self._database.rows("SELECT pg_get_indexdef(to_regclass(%s))", (self._qualified,))
        if kind is None or definition is None:
            return None
        method = "ivfflat" if " USING ivfflat " in definition else "hnsw"
        return replace(kind, method=method, type="halfvec" if "halfvec" in definition else "vector")

    def _is_free(self) -> bool:
        """Whether nothing that we asked for is going on, or has just failed."""
        if self._building is None:
            return True
        if self._building.is_working():
            return False
        self._failure = self._building.failure
        self.close()
        if self._failure is None:
            return True  # another process was first, and did not come to an end
        logger.warning(
            "PostgreSQL could not build an index of the collection %r, and searches stay exact: %s",
            self.info.name,
            self._failure,
        )
        self._next_look = time.monotonic() + _AGAIN_SECONDS
        return False

    def _has_enough(self) -> bool:
        enough = self._options.index_from
        [(count,)] = self._database.rows(
            f"SELECT count(*) FROM (SELECT 1 FROM {self._table} LIMIT %s) AS first", (enough,)
        )
        return int(count) >= enough

    def _ask(self, *, drop: bool) -> None:
        logger.info(
            "PostgreSQL builds an index of the collection %r; until it is ready, searches are exact.", self.info.name
        )
        self._building = waiting.aside(self._begin, drop)

    def _begin(self, drop: bool) -> _Building:
        connection = self._database.connect()
        try:
            if drop:  # what is left of a building that was cut short
                connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {self._qualified}")
            return _Building(connection, self._definition())
        except BaseException:
            connection.close()
            raise

    def _definition(self) -> str:
        kind, options = self.kind, self._options
        assert kind is not None
        if options.index == "ivfflat":
            lists = options.lists or self._default_lists()
            parameters = f"lists = {int(lists)}"
        else:
            hnsw = self.info.configuration.get("hnsw", {})
            neighbors = min(max(int(hnsw.get("max_neighbors", 16)), 2), 100)
            construction = min(max(int(hnsw.get("ef_construction", 100)), 2 * neighbors), 1_000)
            parameters = f"m = {neighbors}, ef_construction = {construction}"
        return (
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {self._name} ON {self._table} USING {options.index} "
            f"(({kind.expression}) {kind.type}_{kind.metric.value}_ops) WITH ({parameters})"
        )

    def _default_lists(self) -> int:
        [(count,)] = self._database.rows(f"SELECT count(*) FROM {self._table}")
        return max(10, int(count) // 1_000)

    def _state(self) -> Literal["none", "building", "broken", "ready"]:
        found = self._database.rows(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", (self._qualified,)
        )
        if not found:
            return "none"
        if found[0][0]:
            return "ready"
        return "building" if self._under_way() else "broken"

    def _under_way(self) -> bool:
        """Whether somebody builds one: that takes a lock which nothing but maintenance takes."""
        found = self._database.rows(
            "SELECT 1 FROM pg_locks WHERE relation = to_regclass(%s) AND mode = 'ShareUpdateExclusiveLock'",
            (self._table,),
        )
        return bool(found)


class _Building:
    """A connection whose server works on one statement; nobody waits for it."""

    def __init__(self, connection: psycopg.Connection[Any], definition: str) -> None:
        self._connection = connection
        self.failure: str | None = None
        pgconn = connection.pgconn
        pgconn.send_query(definition.encode())
        while pgconn.flush():
            time.sleep(0.001)

    def is_working(self) -> bool:
        """Whether there is no answer yet; after that, `failure` says what went wrong, if anything."""
        pgconn = self._connection.pgconn
        try:
            pgconn.consume_input()
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    return False
                if result.error_message:
                    self.failure = " ".join(result.error_message.decode(errors="replace").split())
        except psycopg.OperationalError as error:
            self.failure = str(error)
            return False
        return True

    def close(self) -> None:
        self._connection.close()


def _pause(seconds: float) -> None:
    if waiting.on_loop():
        waiting.wait(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)
