"""The records whose documents fit words best, ranked by PostgreSQL.

`chroma_plugin.ranking.words` has split the documents when they were written; a GIN index finds the records that have a
word, and how many have it. PostgreSQL's own parsers and ts_rank would split and count otherwise than other engines.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np

from chroma_plugin.ranking.bm25 import K1, B
from chroma_plugin.ranking.words import words_of
from chroma_plugin.types import Ranked, TextSearch
from chroma_plugin_pgvector import statements
from chroma_plugin_pgvector.conditions import condition_of
from chroma_plugin_pgvector.database import Database
from chroma_plugin_pgvector.reading import records_of

_SCORE: Final = (
    "times * ln(1 + (documents - having_it + 0.5) / (having_it + 0.5)) "
    "* (frequency / (frequency + %s * (1 - %s + %s * length / average)))"
)
_DIGITS: Final = 9
"""Scores that are equal to so many decimals are equal, and come in the order of insertion."""


def search(database: Database, table: str, request: TextSearch) -> list[Ranked]:
    return [_search(database, table, request, query) for query in request.queries]


def _search(database: Database, table: str, request: TextSearch, query: str) -> Ranked:
    words = Counter(words_of(query))
    if not words or request.k == 0 or request.ids == []:
        return Ranked(records_of([], request.fields, None), np.zeros(0))
    condition = condition_of(request.where, request.ids)
    names = ", ".join(statements.wanted(request.fields))
    sql = f"""
        WITH asked AS MATERIALIZED (
            SELECT word, times, place, (SELECT count(*) FROM {table} WHERE terms ? word)::float8 AS having_it
            FROM unnest(%s::text[], %s::float8[]) WITH ORDINALITY AS given(word, times, place)
        ), whole AS MATERIALIZED (
            SELECT count(*)::float8 AS documents, sum(length)::float8 / nullif(count(*), 0) AS average
            FROM {table} WHERE length IS NOT NULL
        ), found AS (
            SELECT seq, length, terms FROM {table} WHERE terms ?| %s::text[] AND {condition.sql}
        ), scored AS (
            SELECT seq, sum({_SCORE} ORDER BY place) AS score
            FROM found CROSS JOIN asked CROSS JOIN whole
            CROSS JOIN LATERAL (SELECT (terms ->> word)::float8 AS frequency) AS here
            WHERE frequency IS NOT NULL GROUP BY seq
        ), best AS (
            SELECT seq, score, round(score::numeric, {_DIGITS}) AS rounded FROM scored
            ORDER BY rounded DESC, seq LIMIT %s
        )
        SELECT {names}, best.score FROM best JOIN {table} AS record USING (seq) ORDER BY best.rounded DESC, best.seq
    """
    asked = list(words)
    rows = database.rows(
        sql, (asked, [float(count) for count in words.values()], asked, *condition.parameters, K1, B, B, request.k)
    )
    return Ranked(records_of(rows, request.fields, None), np.array([row[-1] for row in rows], dtype=np.float64))
