"""One collection: a table of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from psycopg import errors as sql

from chroma_plugin import waiting
from chroma_plugin.backend import CollectionStore, Pushdown
from chroma_plugin.errors import InvalidDimensionError, NotFoundError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.types import CollectionInfo, Hits, Ranked, Records, Scan, Search, TextSearch
from chroma_plugin_pgvector import binary, searching, statements, texts
from chroma_plugin_pgvector.conditions import condition_of, is_exact
from chroma_plugin_pgvector.database import Database, Statements
from chroma_plugin_pgvector.encoding import Columns, columns_of
from chroma_plugin_pgvector.escaping import key_of
from chroma_plugin_pgvector.indexes import VectorIndex
from chroma_plugin_pgvector.options import PgvectorOptions
from chroma_plugin_pgvector.reading import records_of
from chroma_plugin_pgvector.schema import quoted, records_table

_T = TypeVar("_T")

_PAGE: Final = 2_000
"""Records that a scan reads at once."""
_COPIED_FROM: Final = 100
"""So many new records are faster through COPY."""
_AT_ONCE: Final = 5_000
"""Records in one INSERT."""
_IN_BINARY: Final[dict[str, Callable[[Any], bytes | None]]] = {
    "id": binary.text,
    "long_id": binary.text,
    "embedding": bytes,
    "document": binary.text,
    "metadata": binary.text,
    "fields": binary.jsonb,
    "uri": binary.text,
    "terms": binary.jsonb,
    "length": binary.integer,
}


class PgvectorStore(CollectionStore):
    """The records of one collection. It keeps nothing of them: other processes write them too."""

    def __init__(
        self,
        database: Database,
        options: PgvectorOptions,
        info: CollectionInfo,
        number: int,
        *,
        full_text: bool,
        vector_type: int,
    ) -> None:
        self._database = database
        self._options = options
        self._number = number
        self._table = records_table(options.schema, number)
        self._full_text = full_text
        self._vector_type = vector_type
        self._searcher = searching.Searcher(database, self._table, vector_type)
        self._index = VectorIndex(database, number, info, options)

    @property
    def _dimension(self) -> int | None:
        return self._index.info.dimension

    def takes(self, part: Expr) -> Pushdown:
        return Pushdown.EXACT if is_exact(part) else Pushdown.NO

    # -- writing -----------------------------------------------------------------------------------------------------

    def put(self, records: Records) -> None:
        if len(records):
            self._write(self._columns(records), self._put_many, lambda part: statements.put(self._table, part))

    def insert(self, records: Records) -> Sequence[str]:
        if not len(records):
            return []
        columns = self._columns(records)
        rows = self._write(columns, self._copy_new, lambda part: statements.insert(self._table, part))
        if rows is None:
            return []
        new = {key for (key,) in rows}
        return [id for id in records.ids if key_of(id) not in new]

    def update(self, records: Records) -> None:
        columns = self._columns(records)
        if len(records) and columns.keys() - statements.KEY:
            self._write(columns, None, lambda part: statements.update(self._table, part))

    def delete(self, ids: Sequence[str]) -> int:
        return self._delete(condition_ids=ids) if ids else 0

    def delete_where(self, where: Expr) -> int:
        return self._delete(where)

    def _delete(self, where: Expr | None = None, condition_ids: Sequence[str] | None = None) -> int:
        condition = condition_of(where, condition_ids)
        return self._database.count(f"DELETE FROM {self._table} WHERE {condition.sql}", condition.parameters)

    def _columns(self, records: Records) -> Columns:
        if len(records) < _COPIED_FROM:
            return columns_of(records, words=self._full_text)
        return waiting.aside(lambda: columns_of(records, words=self._full_text))

    def _write(
        self,
        columns: Columns,
        in_bulk: Callable[[Statements, Columns], bool] | None,
        statement: Callable[[Columns], str],
    ) -> list[Any] | None:
        """Write the columns, and return what the statement returned; None when all were new and COPY took them."""
        parts = list(_parts(columns))

        def work(run: Statements) -> list[Any]:
            self._fix_dimension(run, columns)
            return [
                row
                for part in parts
                for row in run.rows(statement(part), statements.parameters(part, self._vector_type))
            ]

        def copy(run: Statements) -> bool:
            self._fix_dimension(run, columns)
            return in_bulk is not None and in_bulk(run, columns)

        count = len(columns["id"])
        if in_bulk is not None and count >= _COPIED_FROM:
            try:
                if self._database.transaction(copy):
                    self._written(columns)
                    return None
            except _KnownError:
                pass
        if len(parts) == 1 and self._dimension is not None:
            rows = self._database.write(statement(columns), statements.parameters(columns, self._vector_type))
        else:
            rows = self._database.transaction(work)
        self._written(columns)
        return rows

    def _put_many(self, run: Statements, columns: Columns) -> bool:
        """Only what is new goes through COPY."""
        known = run.rows(f"SELECT 1 FROM {self._table} WHERE id = ANY(%s::text[]) LIMIT 1", (columns["id"],))
        return not known and self._copy_new(run, columns)

    def _copy_new(self, run: Statements, columns: Columns) -> bool:
        encoded = [[_IN_BINARY[name](value) for value in values] for name, values in columns.items()]
        try:
            run.copy(statements.copy(self._table, columns), binary.copy_stream(encoded))
        except sql.UniqueViolation as error:
            raise _KnownError from error
        return True

    def _fix_dimension(self, run: Statements, columns: Columns) -> None:
        """The first record decides, also when several processes write their first at once."""
        if self._dimension is not None or "embedding" not in columns:
            return
        dimension = (len(columns["embedding"][0]) - 4) // 4
        fixed = run.rows(
            f"UPDATE {quoted(self._options.schema)}.collections SET dimension = coalesce(dimension, %s) "
            "WHERE number = %s RETURNING dimension",
            (dimension, self._number),
        )
        if not fixed:
            raise NotFoundError(f"Collection {self._index.info.name!r} does not exist any more: it was deleted.")
        if fixed[0][0] != dimension:
            raise InvalidDimensionError(
                f"Collection {self._index.info.name!r} has embeddings of dimension {fixed[0][0]}, "
                f"but these have dimension {dimension}."
            )

    def _written(self, columns: Columns) -> None:
        if "embedding" in columns:
            if self._dimension is None:
                self._index.info = replace(self._index.info, dimension=(len(columns["embedding"][0]) - 4) // 4)
            self._index.written(len(columns["id"]))

    # -- reading -----------------------------------------------------------------------------------------------------

    def scan(self, request: Scan) -> Iterator[Records]:
        if request.limit == 0 or request.ids == []:
            return iter(())
        return self._scan_all(request) if request.ids is None else self._scan_ids(request)

    def _scan_ids(self, request: Scan) -> Iterator[Records]:
        condition = condition_of(request.where)
        names = ", ".join(statements.wanted(request.fields))
        rows = self._database.rows(
            f"SELECT {names} FROM unnest(%s::text[]) WITH ORDINALITY AS asked(key, place) "
            f"JOIN {self._table} AS record ON record.id = asked.key WHERE {condition.sql} "
            "ORDER BY asked.place LIMIT %s OFFSET %s",
            ([key_of(id) for id in request.ids or ()], *condition.parameters, request.limit, request.offset),
        )
        yield records_of(rows, request.fields, self._dimension)

    def _scan_all(self, request: Scan) -> Iterator[Records]:
        """Page by page, each from where the last one ended: nothing is held in between."""
        condition = condition_of(request.where)
        names = ", ".join(statements.wanted(request.fields))
        left, offset, after = request.limit, request.offset, -1
        while left is None or left > 0:
            most = _PAGE if left is None else min(_PAGE, left)
            rows = self._database.rows(
                f"SELECT {names}, seq FROM {self._table} WHERE seq > %s AND {condition.sql} "
                "ORDER BY seq LIMIT %s OFFSET %s",
                (after, *condition.parameters, most, offset),
            )
            if rows:
                yield records_of(rows, request.fields, self._dimension)
            if len(rows) < most:
                return
            left, offset, after = None if left is None else left - len(rows), 0, rows[-1][-1]

    def count(self, where: Expr | None = None) -> int:
        condition = condition_of(where)
        [(count,)] = self._database.rows(
            f"SELECT count(*) FROM {self._table} WHERE {condition.sql}", condition.parameters
        )
        return int(count)

    def search(self, request: Search) -> list[Hits]:
        if request.k == 0 or request.ids == []:
            return searching.no_hits(request)
        kind = None if request.exact else self._index.usable(request.metric)
        if kind is None:
            return self._searcher.exact(request)
        return self._searcher.by_index(request, kind, self._search_settings(request.k))

    def _search_settings(self, k: int) -> dict[str, str]:
        if self._options.index == "ivfflat":
            return searching.ivfflat_settings(self._options.probes)
        ef_search = self._index.info.configuration.get("hnsw", {}).get("ef_search", 100)
        return searching.hnsw_settings(int(ef_search), k)

    def search_text(self, request: TextSearch) -> list[Ranked]:
        if not self._full_text:
            return super().search_text(request)
        return texts.search(self._database, self._table, request)

    # -- upkeep ------------------------------------------------------------------------------------------------------

    def optimize(self) -> None:
        self._index.build()

    def configure(self, info: CollectionInfo) -> None:
        self._index.info = replace(info, dimension=info.dimension or self._dimension)

    def stats(self) -> dict[str, Any]:
        [(size,)] = self._database.rows("SELECT pg_total_relation_size(to_regclass(%s))", (self._table,))
        return {"table": self._table, "bytes_on_disk": size, "full_text": self._full_text, **self._index.stats()}

    def close(self) -> None:
        self._index.close()


class _KnownError(Exception):
    """A record that was to be new is there."""


def _parts(columns: Columns) -> Iterator[Columns]:
    for start in range(0, len(columns["id"]), _AT_ONCE):
        yield {name: values[start : start + _AT_ONCE] for name, values in columns.items()}
