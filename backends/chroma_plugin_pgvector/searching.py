"""The nearest records, by the index or by looking at all of them.

Distances are measured on the float32 of the records, whatever found them. A search by the index that comes back with
fewer than k is asked again exactly, so a filter never costs results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import isnan
from operator import itemgetter
from typing import Any, Final

import numpy as np

from chroma_plugin.frozen import frozen
from chroma_plugin.types import Hits, Matrix, Metric, Search
from chroma_plugin_pgvector import statements
from chroma_plugin_pgvector.binary import Binary, array
from chroma_plugin_pgvector.conditions import condition_of
from chroma_plugin_pgvector.database import Database, Row
from chroma_plugin_pgvector.encoding import vectors_out
from chroma_plugin_pgvector.indexes import IndexKind
from chroma_plugin_pgvector.reading import records_of

_DISTANCES: Final = {
    Metric.L2: "vector_l2_squared_distance(embedding, query.vector)",
    # The cosine with a zero vector is NaN.
    Metric.COSINE: "coalesce(nullif(embedding <=> query.vector, 'NaN'), 1)",
    Metric.IP: "1 + (embedding <#> query.vector)",
}
_OF_NEARNESS: Final[dict[Metric, Callable[[float], float]]] = {
    Metric.L2: lambda nearness: nearness * nearness,
    Metric.COSINE: lambda nearness: 1.0 if isnan(nearness) else nearness,
    Metric.IP: lambda nearness: 1 + nearness,
}
"""The same, of what the operator of an index gives: equal once they are rounded to float32, as all distances are."""
_MOST_EF: Final = 1_000
"""Of pgvector."""
_SPARE: Final = 2
"""Times k are taken from an index in half precision, to be measured again."""
_by_distance: Final = itemgetter(-1, -2)
"""The key that sorts rows, which end with ``seq`` and the distance."""


class Searcher:
    """Searches in one table."""

    def __init__(self, database: Database, table: str, vector_type: int) -> None:
        self._database = database
        self._table = table
        self._vector_type = vector_type

    def exact(self, request: Search) -> list[Hits]:
        return _hits(self._nearest(request, request.embeddings), request)

    def by_index(self, request: Search, kind: IndexKind, settings: Settings) -> list[Hits]:
        found = self._approximate(request, kind, settings)
        short = [place for place, rows in enumerate(found) if len(rows) < request.k]
        if short:
            again = self._nearest(request, request.embeddings[short])
            for place, rows in zip(short, again, strict=True):
                found[place] = rows
        return _hits(found, request)

    def _nearest(self, request: Search, queries: Matrix) -> list[list[Row]]:
        condition = condition_of(request.where, request.ids)
        select = (
            f"SELECT {_names(request)}, ({_DISTANCES[request.metric]})::real AS distance FROM {self._table} "
            f"WHERE {condition.sql} ORDER BY distance, seq LIMIT %s"
        )
        found = self._for_each(queries, select, (*condition.parameters, request.k))
        return [sorted(rows, key=_by_distance) for rows in found]

    def _approximate(self, request: Search, kind: IndexKind, settings: Settings) -> list[list[Row]]:
        """By a short statement that has each thing once: PostgreSQL parses and plans one in half of the time."""
        condition = condition_of(request.where, request.ids)
        full = kind.full
        is_full = kind is full
        one = len(request.embeddings) == 1 and is_full
        query = "%s" if one else "query.vector"
        # Behind a pooler the settings are for this statement only, and made before it looks for the first record.
        local = "" if self._database.keeps_settings else f"(SELECT {settings.local}) IS NOT NULL AND "
        select = (
            f"SELECT {_names(request)}, {full.nearness(query)} AS nearness FROM {self._table} "
            f"WHERE {local}{condition.sql} ORDER BY {'nearness' if is_full else kind.nearness(query)} LIMIT %s"
        )
        parameters = (*condition.parameters, request.k if is_full else _SPARE * request.k)
        kept = "" if local else settings.lasting
        if one:
            [vector] = vectors_out(request.embeddings)
            found = [self._database.rows(select, (Binary(vector), *parameters), kept)]
        else:
            found = self._for_each(request.embeddings, select, parameters, kept)
        return [_measured(rows, request)[: request.k] for rows in found]

    def _for_each(self, queries: Matrix, select: str, parameters: Sequence[Any], settings: str = "") -> list[list[Row]]:
        """What is selected for each query, which is called ``query.vector``; in any order."""
        sql = (
            "SELECT record.*, query.place FROM unnest(%s::vector[]) WITH ORDINALITY AS query(vector, place) "
            f"CROSS JOIN LATERAL ({select}) AS record"
        )
        found: list[list[Row]] = [[] for _ in queries]
        for row in self._database.rows(sql, (array(vectors_out(queries), self._vector_type), *parameters), settings):
            found[row[-1] - 1].append(row[:-1])
        return found


def _names(request: Search) -> str:
    return ", ".join((*statements.wanted(request.fields), "seq"))


def _measured(rows: Sequence[Row], request: Search) -> list[Row]:
    """The rows with their distance in the place of the nearness, nearest first."""
    distance = _OF_NEARNESS[request.metric]
    return sorted(((*row[:-1], distance(row[-1])) for row in rows), key=_by_distance)


@frozen
class Settings:
    """How far an index is searched, and that it is searched on until k records pass the filter: SQL that sets this, for
    one transaction or for all that follow in the connection.
    """

    local: str
    lasting: str


def hnsw_settings(ef_search: int, k: int) -> Settings:
    return _settings("hnsw", "ef_search", min(max(ef_search, k), _MOST_EF))


def ivfflat_settings(probes: int) -> Settings:
    return _settings("ivfflat", "probes", probes)


@lru_cache
def _settings(method: str, name: str, value: int) -> Settings:
    """No parameters: PostgreSQL plans constants faster, and the one that a user may choose is a whole number."""
    local, lasting = (
        f"set_config('{method}.{name}', '{int(value)}', {is_local}) || "
        f"set_config('{method}.iterative_scan', 'relaxed_order', {is_local})"
        for is_local in (True, False)
    )
    return Settings(local, lasting)


def no_hits(request: Search) -> list[Hits]:
    """An answer for each query, with nothing in it."""
    return _hits([[] for _ in request.embeddings], request)


def _hits(found: Sequence[Sequence[Row]], request: Search) -> list[Hits]:
    return [_hits_of(rows, request) for rows in found]


def _hits_of(rows: Sequence[Row], request: Search) -> Hits:
    distances: Any = np.array([row[-1] for row in rows], dtype=np.float32)
    if request.max_distance is not None:
        # They are in order. As float64, because a limit that is not a float32 must not be rounded.
        count = int(np.count_nonzero(distances.astype(np.float64) <= request.max_distance))
        rows, distances = rows[:count], distances[:count]
    return Hits(records_of(rows, request.fields, request.embeddings.shape[1]), distances)
