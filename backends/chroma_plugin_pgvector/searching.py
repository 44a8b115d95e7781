"""The nearest records, by the index or by looking at all of them.

Distances are measured on the float32 of the records, whatever found them. A search by the index that comes back with
fewer than k is asked again exactly, so a filter never costs results.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import numpy as np

from chroma_plugin.types import Hits, Matrix, Metric, Search
from chroma_plugin_pgvector import statements
from chroma_plugin_pgvector.binary import Array
from chroma_plugin_pgvector.conditions import condition_of
from chroma_plugin_pgvector.database import Database, Row
from chroma_plugin_pgvector.encoding import vectors_out
from chroma_plugin_pgvector.indexes import IndexKind
from chroma_plugin_pgvector.reading import records_of

_DISTANCES: Final = {
    Metric.L2: "vector_l2_squared_distance(embedding, {query})",
    # The cosine with a zero vector is NaN.
    Metric.COSINE: "coalesce(nullif(embedding <=> {query}, 'NaN'), 1)",
    Metric.IP: "1 + (embedding <#> {query})",
}
_MOST_EF: Final = 1_000
"""Of pgvector."""
_SPARE: Final = 2
"""Times k are taken from an index in half precision, to be measured again."""
_OF_EACH: Final = ("query.vector", "query.place")
"""The vector and the place of a query inside of `_for_each`."""
_OF_ONE: Final = ("(SELECT vector FROM given)", "1")
"""The same where there is no other: PostgreSQL plans that faster."""


class Searcher:
    """Searches in one table."""

    def __init__(self, database: Database, table: str, vector_type: int) -> None:
        self._database = database
        self._table = table
        self._vector_type = vector_type

    def exact(self, request: Search) -> list[Hits]:
        return _hits(self._nearest(request, request.embeddings), request)

    def by_index(self, request: Search, kind: IndexKind, settings: str) -> list[Hits]:
        found = self._approximate(request, kind, settings)
        short = [place for place, rows in enumerate(found) if len(rows) < request.k]
        if short:
            again = self._nearest(request, request.embeddings[short])
            for place, rows in zip(short, again, strict=True):
                found[place] = rows
        return _hits(found, request)

    def _nearest(self, request: Search, queries: Matrix) -> list[list[Row]]:
        condition = condition_of(request.where, request.ids)
        sql = _for_each(f"{self._select(request, *_OF_EACH)} WHERE {condition.sql} ORDER BY distance, seq LIMIT %s")
        rows = self._database.rows(
            f"{sql} ORDER BY place, distance, seq", (self._vectors(queries), *condition.parameters, request.k)
        )
        return _by_query(rows, len(queries))

    def _approximate(self, request: Search, kind: IndexKind, settings: str) -> list[list[Row]]:
        condition = condition_of(request.where, request.ids)
        take = request.k if kind.type == "vector" else _SPARE * request.k
        one = len(request.embeddings) == 1
        vector, place = _OF_ONE if one else _OF_EACH
        search = (
            f"{self._select(request, vector, place)} WHERE (SELECT done FROM given) IS NOT NULL AND {condition.sql} "
            f"ORDER BY {kind.ordering(vector)} LIMIT %s"
        )
        # The settings are for this statement only. The search refers to them, so that they are made first.
        given = f"{settings} AS done" + (", (%s::vector[])[1] AS vector" if one else "")
        sql = f"WITH given AS MATERIALIZED (SELECT {given}) {search if one else _for_each(search)}"
        rows = self._database.rows(sql, (self._vectors(request.embeddings), *condition.parameters, take))
        # Here: PostgreSQL takes longer to plan a sort.
        rows.sort(key=itemgetter(-1, -2, -3))
        return [found[: request.k] for found in _by_query(rows, len(request.embeddings))]

    def _select(self, request: Search, vector: str, place: str) -> str:
        """What is read of a record, and how far it is from the query with that vector and place."""
        names = ", ".join(statements.wanted(request.fields))
        distance = _DISTANCES[request.metric].format(query=vector)
        return f"SELECT {names}, seq, ({distance})::real AS distance, {place} AS place FROM {self._table}"

    def _vectors(self, matrix: Matrix) -> Array:
        return Array(vectors_out(matrix), self._vector_type)


def hnsw_settings(ef_search: int, k: int) -> str:
    """What makes a search go on until k records pass the filter, as SQL."""
    return _settings("hnsw", "ef_search", min(max(ef_search, k), _MOST_EF))


def ivfflat_settings(probes: int) -> str:
    """What makes a search look into further lists until k records pass the filter, as SQL."""
    return _settings("ivfflat", "probes", probes)


def _settings(method: str, name: str, value: int) -> str:
    """No parameters: PostgreSQL plans constants faster, and the one that a user may choose is a whole number."""
    return (
        f"set_config('{method}.{name}', '{int(value)}', TRUE) || "
        f"set_config('{method}.iterative_scan', 'relaxed_order', TRUE)"
    )


def no_hits(request: Search) -> list[Hits]:
    """An answer for each query, with nothing in it."""
    return _hits([[] for _ in request.embeddings], request)


def _for_each(select: str) -> str:
    """What a statement selects, for each vector of an array."""
    return (
        "SELECT record.* FROM unnest(%s::vector[]) WITH ORDINALITY AS query(vector, place) "
        f"CROSS JOIN LATERAL ({select}) AS record"
    )


def _by_query(rows: Sequence[Row], queries: int) -> list[list[Row]]:
    """The rows of each query, which come in order, with its place from 1 in the last column."""
    found: list[list[Row]] = [[] for _ in range(queries)]
    for place, group in groupby(rows, key=itemgetter(-1)):
        found[place - 1] = list(group)
    return found


def _hits(found: Sequence[Sequence[Row]], request: Search) -> list[Hits]:
    return [_hits_of(rows, request) for rows in found]


def _hits_of(rows: Sequence[Row], request: Search) -> Hits:
    if request.max_distance is not None:
        rows = [row for row in rows if row[-2] <= request.max_distance]
    distances: Any = np.array([row[-2] for row in rows], dtype=np.float32)
    return Hits(records_of(rows, request.fields, request.embeddings.shape[1]), distances)
