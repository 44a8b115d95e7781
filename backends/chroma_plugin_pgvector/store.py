"""One collection: a table of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final, TypeVar

from psycopg import errors as sql

from chroma_plugin import waiting
from chroma_plugin.backend import CollectionStore, Pushdown
from chroma_plugin.errors import InvalidDimensionError, NotFoundError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.types import CollectionInfo, Hits, Ranked, Records, Scan, Search, TextSearch
from chroma_plugin_pgvector import binary, searching, statements, texts
from chroma_plugin_pgvector.conditions import Condition, condition_of, is_exact
from chroma_plugin_pgvector.database import Database, Joined, Statements
from chroma_plugin_pgvector.encoding import Columns, columns_of
from chroma_plugin_pgvector.escaping import key_of
from chroma_plugin_pgvector.indexes import IndexKind, VectorIndex
from chroma_plugin_pgvector.options import PgvectorOptions
from chroma_plugin_pgvector.reading import records_of
from chroma_plugin_pgvector.schema import quoted, records_table
from chroma_plugin_pgvector.statements import Statement

_T = TypeVar("_T")
_Store = TypeVar("_Store", bound="PgvectorStore")

_PAGE: Final = 2_000
"""Records that a scan reads at once."""
_COPIED_FROM: Final = 100
"""So many new records are faster through COPY."""
_PIECE: Final = 50
"""Records that are sent to COPY at once."""
_AT_ONCE: Final = 5_000
"""Records in one INSERT."""


class PgvectorStore(CollectionStore):
    """The records of one collection. It keeps nothing of them: other processes write them too."""

    _lock: ClassVar[str] = ""
    """What becomes of records that are read by id."""

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
        if not len(records) or (self._is_for_copy(records) and not self._known(records) and self._copied(records)):
            return
        self._run(records, statements.put)

    def insert(self, records: Records) -> Sequence[str]:
        # COPY stops at a known record, so those are left out before.
        known = self._known(records) if self._is_for_copy(records) else set()
        new = records.take([row for row, id in enumerate(records.ids) if id not in known]) if known else records
        if len(new) and not (self._is_for_copy(new) and self._copied(new)):
            added = {key for (key,) in self._run(new, statements.insert)}
            known |= {id for id in new.ids if key_of(id) not in added}
        return [id for id in records.ids if id in known]

    def update(self, records: Records) -> None:
        if len(records) and any(
            column is not None for column in (records.embeddings, records.documents, records.metadatas, records.uris)
        ):
            self._run(records, statements.update)

    def delete(self, ids: Sequence[str]) -> int:
        return self._delete(condition_of(None, ids)) if ids else 0

    def delete_where(self, where: Expr) -> int:
        return self._delete(condition_of(where))

    def _delete(self, condition: Condition) -> int:
        return self._database.count(f"DELETE FROM {self._table} WHERE {condition.sql}", condition.parameters)

    def _run(self, records: Records, statement: Callable[[str, Columns, int], Statement]) -> list[Any]:
        """Write the records by INSERT or UPDATE, and return what the statement returned."""
        parts = waiting.aside(lambda: list(self._encoded(records, _AT_ONCE)))

        def work(run: Statements) -> list[Any]:
            self._fix_dimension(run, records)
            answers = [run.rows(*statement(self._table, part, self._vector_type)) for part in parts]
            return [row for rows in answers for row in rows]

        if len(parts) == 1 and self._dimension is not None:
            rows: list[Any] = self._database.write(*statement(self._table, parts[0], self._vector_type))
        else:
            rows = self._database.transaction(work)
        self.written(records)
        return rows

    def _is_for_copy(self, records: Records) -> bool:
        return len(records) >= _COPIED_FROM

    def _known(self, records: Records) -> set[str]:
        """Which of the ids are there."""
        keys = {key_of(id): id for id in records.ids}
        asked = statements.texts([*keys])
        found = self._database.rows(f"SELECT id FROM {self._table} WHERE id = ANY(%s::text[])", (asked,))
        return {keys[key] for (key,) in found}

    def _copied(self, records: Records) -> bool:
        """Whether COPY has taken the records: False, and none is written, when another process was first with one."""
        try:
            self._database.transaction(lambda run: self._copy(run, records))
        except _KnownError:
            return False
        self.written(records)
        return True

    def _copy(self, run: Statements, records: Records) -> None:
        self._fix_dimension(run, records)
        try:
            run.copy(statements.copy(self._table, self._names(records)), self._stream(records))
        except sql.UniqueViolation as error:
            raise _KnownError from error

    def _stream(self, records: Records) -> Iterator[bytes]:
        """Encoded while PostgreSQL works on what it has got already."""
        yield binary.COPY_HEAD
        for part in self._encoded(records, _PIECE):
            yield binary.copied(part.values())
        yield binary.COPY_END

    def _encoded(self, records: Records, most: int) -> Iterator[Columns]:
        for start in range(0, len(records), most):
            yield columns_of(records.part(start, start + most), words=self._full_text)

    def _names(self, records: Records) -> list[str]:
        return list(columns_of(records.take([]), words=self._full_text))

    def _fix_dimension(self, run: Statements, records: Records) -> None:
        """The first record decides, also when several processes write their first at once."""
        if self._dimension is not None or records.embeddings is None:
            return
        dimension = records.embeddings.shape[1]
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

    def written(self, records: Records) -> None:
        """To be told when these have been written."""
        if records.embeddings is not None:
            if self._dimension is None:
                self._index.info = replace(self._index.info, dimension=records.embeddings.shape[1])
            self._index.written(len(records))

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
            f"ORDER BY asked.place LIMIT %s OFFSET %s {self._lock}",
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
        return self._searcher.by_index(request, kind, self._search_settings(kind, request.k))

    def _search_settings(self, kind: IndexKind, k: int) -> searching.Settings:
        if kind.method == "ivfflat":
            return searching.ivfflat_settings(self._options.probes)
        ef_search = self._index.info.configuration.get("hnsw", {}).get("ef_search", 100)
        return searching.hnsw_settings(int(ef_search), k)

    def search_text(self, request: TextSearch) -> list[Ranked]:
        if not self._full_text:
            return super().search_text(request)
        return texts.search(self._database, self._table, request)

    # -- transactions ------------------------------------------------------------------------------------------------

    def within(self, statements: Statements) -> PgvectorStore:
        """The same collection, seen from inside a transaction; nobody else writes to it until that ends."""
        statements.rows(f"LOCK TABLE {self._table} IN SHARE ROW EXCLUSIVE MODE")
        return self._joined(statements, PgvectorStore)

    def revise(self, work: Callable[[CollectionStore], _T]) -> _T:
        def whole(statements: Statements) -> tuple[_T, list[Records]]:
            inner = self._joined(statements, _Revision)
            return work(inner), inner.done

        result, done = self._database.transaction(whole)
        for records in done:
            self.written(records)
        return result

    def _joined(self, statements: Statements, kind: type[_Store]) -> _Store:
        return kind(
            Joined(statements),
            replace(self._options, index="none"),
            self._index.info,
            self._number,
            full_text=self._full_text,
            vector_type=self._vector_type,
        )

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


class _Revision(PgvectorStore):
    """The collection inside of a transaction that keeps what it has read by id as it was."""

    _lock = "FOR UPDATE OF record"

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._seen: set[str] = set()
        self.done: list[Records] = []

    def scan(self, request: Scan) -> Iterator[Records]:
        for batch in super().scan(request):
            self._seen.update(batch.ids)
            yield batch

    def put(self, records: Records) -> None:
        old = [row for row, id in enumerate(records.ids) if id in self._seen]
        new = [row for row, id in enumerate(records.ids) if id not in self._seen]
        if old:
            self._run(records.take(old), statements.put)
        if new:
            self._add(records.take(new) if old else records)

    def _add(self, records: Records) -> None:
        """Records that were not there. If they are now, all is done again, and then they are seen."""
        if self._is_for_copy(records):
            added = self._copied(records)
        else:
            added = len(self._run(records, statements.insert)) == len(records)
        if not added:
            raise sql.SerializationFailure("another process added one of these records")

    def written(self, records: Records) -> None:
        self.done.append(records)


class _KnownError(Exception):
    """A record that was to be new is there."""
