"""The records of one collection, in Milvus."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace
from functools import partial
from operator import lt
from typing import Any, Final

import numpy as np

from chroma_plugin import fallback
from chroma_plugin.backend import CollectionStore, Pushdown
from chroma_plugin.errors import InvalidDimensionError
from chroma_plugin.filters import Expr
from chroma_plugin.frozen import frozen
from chroma_plugin.types import CollectionInfo, Field, Hits, Metric, Records, Scan, Search
from chroma_plugin_milvus import expressions, rows, schema, tokens
from chroma_plugin_milvus.needed import Needed
from chroma_plugin_milvus.options import MilvusOptions, is_lite
from chroma_plugin_milvus.table import KEYS_AT_ONCE, WINDOW, Row, Table

READ_BYTES: Final = 16 << 20
"""About as much as is read at once."""
ROWS_AT_ONCE: Final = 1_000
HITS_AT_ONCE: Final = 65_536
"""Queries in one request times k."""
LITE_FILTERED: Final = 2_000
"""What Lite looks at in its graph when there is a filter: it counts what the filter leaves out, too, and finds little
else. A server takes care of that itself.
"""


class MilvusStore(CollectionStore):
    """Reads go to Milvus each time, so that several processes see one collection."""

    def __init__(self, table: Table, info: CollectionInfo, options: MilvusOptions) -> None:
        self._table = table
        self._info = info
        self._options = options
        self._last_place = 0
        self._needed = Needed()

    def takes(self, part: Expr) -> Pushdown:
        return expressions.takes(part)

    def configure(self, info: CollectionInfo) -> None:
        self._info = info

    # -- writing -----------------------------------------------------------------------------------------------------

    def put(self, records: Records) -> None:
        if not len(records):
            return
        known = self._places(records.ids)
        self._write(records, known)

    def insert(self, records: Records) -> Sequence[str]:
        known = self._places(records.ids)
        fresh = [row for row, id in enumerate(records.ids) if id not in known]
        if fresh:
            self._write(records.take(fresh) if known else records, {})
        return [id for id in records.ids if id in known]

    def delete(self, ids: Sequence[str]) -> int:
        known = self._table.of_keys([tokens.key(id) for id in ids], ["place"])
        self._table.delete(list(known))
        return len(known)

    def _write(self, records: Records, known: dict[str, int]) -> None:
        assert records.embeddings is not None
        dimension = records.embeddings.shape[1]
        if dimension > schema.MOST_DIMENSION:
            raise InvalidDimensionError(
                f"Embeddings have {dimension:,} dimensions; Milvus takes {schema.MOST_DIMENSION:,} at most."
            )
        fresh = iter(self._next_places(len(records) - len(known)))
        places = [known[id] if id in known else next(fresh) for id in records.ids]
        columns, fields = rows.written(records, places), schema.records(dimension)
        if not self._table.exists():
            self._table.make(fields, schema.record_index(self._options, self._info))
        self._table.upsert(columns, fields)

    def _places(self, ids: Sequence[str]) -> dict[str, int]:
        """Where in the order of insertion the known ones stand."""
        keys = [tokens.key(id) for id in ids]
        found = self._table.of_keys(keys, ["place"])
        return {id: found[key]["place"] for id, key in zip(ids, keys, strict=True) if key in found}

    def _next_places(self, count: int) -> range:
        # Several processes may write, and nobody hands out numbers: the clock orders what they insert.
        first = max(self._last_place + 1, time.time_ns())
        self._last_place = first + count
        return range(first, first + count)

    # -- reading -----------------------------------------------------------------------------------------------------

    def count(self, where: Expr | None = None) -> int:
        return self._table.count(expressions.expression(where))

    def scan(self, request: Scan) -> Iterator[Records]:
        stop = None if request.limit is None else request.offset + request.limit
        few = self._few(request) if request.ids is None else None
        if few is not None:
            present = few[request.offset : stop]
            if present:
                yield self._read(present, request.fields)
            return
        keys = self._keys(request)[request.offset : stop]
        size = self._rows_at_once(request.fields)
        for start in range(0, len(keys), size):
            part = keys[start : start + size]
            present = self._rows(request.fields, partial(self._of_keys, part))
            if present:
                yield self._read(present, request.fields)

    def _of_keys(self, keys: Sequence[str], names: Sequence[str]) -> list[Row]:
        found = self._table.of_keys(keys, names)
        return [found[key] for key in keys if key in found]

    def _rows(self, fields: frozenset[Field], ask: Callable[[Sequence[str]], list[Row]]) -> list[Row]:
        return self._needed.answer(fields, ask, lambda found: rows.missed(found, fields))

    def _few(self, request: Scan) -> list[Row] | None:
        """All that match, in order, when one request reads them: then they are of one moment."""
        most = self._rows_at_once(request.fields)
        where = expressions.expression(request.where)
        found = self._rows(request.fields, lambda names: self._table.first(where, _with_place(names), most))
        return None if len(found) == most else sorted(found, key=_place)

    def _keys(self, request: Scan) -> list[str]:
        """Of the records that match, in the order of the request."""
        if request.ids is None:
            found = self._table.all(expressions.expression(request.where), ["place"])
            return [row["key"] for row in sorted(found, key=_place)]
        keys = [tokens.key(id) for id in request.ids]
        if request.where is None and request.limit is None and not request.offset:
            return keys  # those that do not exist are left out when they are read
        known: set[str] = set()
        for start in range(0, len(keys), KEYS_AT_ONCE):
            part = request.ids[start : start + KEYS_AT_ONCE]
            known.update(row["key"] for row in self._table.all(_among(part, request.where), []))
        return [key for key in keys if key in known]

    def _read(self, found: Sequence[Row], fields: frozenset[Field]) -> Records:
        return rows.read(found, fields, self._dimension(found, fields))

    def _dimension(self, found: Sequence[Row], fields: frozenset[Field]) -> int:
        if self._info.dimension is not None or "embeddings" not in fields:
            return self._info.dimension or 0
        return len(found[0]["vector"])

    def _rows_at_once(self, fields: frozenset[Field]) -> int:
        row_bytes = (self._info.dimension or 0) * 4 + 4096 if fields else 64
        return max(1, min(ROWS_AT_ONCE if fields else KEYS_AT_ONCE, READ_BYTES // row_bytes))

    # -- searching ---------------------------------------------------------------------------------------------------

    def search(self, request: Search) -> list[Hits]:
        if not self._table.exists() or self._must_sweep(request):
            return fallback.search(self, request)
        size = max(1, HITS_AT_ONCE // request.k)
        answers: list[Hits] = []
        for start in range(0, len(request.embeddings), size):
            answers += self._nearest(request, start, size)
        return answers

    def _must_sweep(self, request: Search) -> bool:
        """Milvus can't be asked this, or answers it only approximately."""
        too_many = not 0 < request.k <= WINDOW or (request.ids is not None and len(request.ids) > KEYS_AT_ONCE)
        return too_many or request.ids == [] or (request.exact and self._options.index_type != "FLAT")

    def _nearest(self, request: Search, start: int, size: int) -> list[Hits]:
        queries = request.embeddings[start : start + size]
        where = _among(request.ids, request.where)
        vectors, params = rows.widened(queries), self._params(request.k, where)
        found = self._needed.answer(
            request.fields,
            lambda names: self._found(self._table.search(vectors, where, request.k, names, params)),
            lambda found: _missed(found, request.fields),
        )
        answers = [self._hits(request, nearest) for nearest in found]
        if min((len(nearest.rows) for nearest in found), default=0) < request.k:
            self._complete(request, where, found, answers, queries)
        return answers

    def _complete(self, request: Search, where: str, found: list[_Nearest], answers: list[Hits], queries: Any) -> None:
        """A graph may find fewer than k; where more match, everything is swept."""
        possible = min(request.k, self._table.count(where))
        for place, nearest in enumerate(found):
            if len(nearest.rows) < possible:
                [answers[place]] = fallback.search(self, _alone(request, queries[place : place + 1]))

    def _found(self, answers: Sequence[tuple[list[Row], list[float]]]) -> list[_Nearest]:
        return [_Nearest(rows, self._distances(given).tolist()) for rows, given in answers]

    def _distances(self, given: Sequence[float]) -> Any:
        """Milvus gives similarities for cosine and ip."""
        numbers = np.array(given, dtype=np.float32)
        return numbers if self._info.metric is Metric.L2 else np.float32(1) - numbers

    def _hits(self, request: Search, nearest: _Nearest) -> Hits:
        found, near = nearest.in_order()
        if request.max_distance is not None:
            count = bisect_right(near, request.max_distance)
            found, near = found[:count], near[:count]
        records = self._read(found, request.fields) if found else rows.read([], request.fields, 0)
        return Hits(records, np.array(near, dtype=np.float32))

    def _params(self, k: int, where: str) -> dict[str, Any]:
        params: dict[str, Any] = {}
        if self._options.index_type == "HNSW":
            least = LITE_FILTERED if where and is_lite(self._options.uri) else k
            params["ef"] = max(k, least, self._info.configuration.get("hnsw", {}).get("ef_search", 100))
        return {**params, **self._options.search_params}

    # -- upkeep ------------------------------------------------------------------------------------------------------

    def optimize(self) -> None:
        self._table.flush()

    def stats(self) -> dict[str, Any]:
        return {
            "milvus_collection": self._table.name,
            "index": self._options.index_type,
            "filters": "equality, membership, presence and the order of numbers in Milvus; the rest in the core",
            "text_search": "in the core",
        }


@frozen
class _Nearest:
    """What was found for one query."""

    rows: list[Row]
    distances: list[float]

    @property
    def is_ascending(self) -> bool:
        """Whether each is farther than the one before, as nearly always."""
        return all(map(lt, self.distances, self.distances[1:]))

    def in_order(self) -> tuple[list[Row], list[float]]:
        """Nearest first; those that are equally near in the order of insertion."""
        if self.is_ascending:
            return self.rows, self.distances
        order = sorted(range(len(self.rows)), key=lambda i: (self.distances[i], self.rows[i]["place"]))
        return [self.rows[i] for i in order], [self.distances[i] for i in order]


def _missed(found: Sequence[_Nearest], fields: frozenset[Field]) -> Set[str]:
    """What has to be known of these hits besides the columns that were read."""
    missed = rows.missed([row for nearest in found for row in nearest.rows], fields)
    return missed if all(nearest.is_ascending for nearest in found) else missed | {"place"}


def _place(row: Row) -> int:
    place: int = row["place"]
    return place


def _with_place(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(("place", *names)))


def _among(ids: Sequence[str] | None, where: Expr | None) -> str:
    parts = [] if ids is None else [expressions.keys_in(ids)]
    if where is not None:
        parts.append(expressions.expression(where))
    return " and ".join(f"({part})" for part in parts)


def _alone(request: Search, query: Any) -> Search:
    return replace(request, embeddings=query)
