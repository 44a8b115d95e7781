"""DuckDB by itself: a table with FLOAT[n] vectors, searched exactly in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.protocol import FIELDS, Engine, Records, Where, sql

TYPES = {str: "VARCHAR", int: "INTEGER", bool: "BOOLEAN"}
COLUMNS = ", ".join(["id", "document", *FIELDS])


class DuckDBSQL(Engine):
    packages = ("duckdb", "pyarrow")
    module = "duckdb"
    durability = "one transaction with fsync a call"
    durable = True
    connection: Any

    def open(self) -> None:
        import duckdb

        self.path.mkdir(exist_ok=True)
        self.connection = duckdb.connect(str(self.path / "records.duckdb"))
        fields = ", ".join(f"{name} {TYPES[kind]}" for name, kind in FIELDS.items())
        self.connection.execute(
            f"CREATE TABLE IF NOT EXISTS records "
            f"(id INTEGER PRIMARY KEY, document VARCHAR, {fields}, vector FLOAT[{self.dimension}])"
        )

    def close(self) -> None:
        self.connection.close()

    def ingest(self, records: Records) -> None:
        """From Arrow columns, which it reads in place."""
        self._write("INSERT INTO records", records)

    def _write(self, command: str, records: Records) -> None:
        import pyarrow

        flat = pyarrow.array(np.ascontiguousarray(records.vectors).reshape(-1))
        columns = {key: [row[key] for row in records.metadatas] for key in FIELDS}
        vectors = pyarrow.FixedSizeListArray.from_arrays(flat, self.dimension)
        rows = {"id": list(records.numbers), "document": list(records.documents), **columns, "vector": vectors}
        self.connection.register("given", pyarrow.table(rows))
        self.connection.execute(f"{command} SELECT {COLUMNS}, vector FROM given")
        self.connection.unregister("given")

    def query(self, vector: np.ndarray, k: int) -> list[int]:
        return self._search(vector, k, "true")

    def query_exact(self, vector: np.ndarray, k: int) -> list[int]:
        return self.query(vector, k)

    def query_where(self, vector: np.ndarray, k: int, where: Where) -> list[int]:
        return self._search(vector, k, sql(where))

    def query_contains(self, vector: np.ndarray, k: int, text: str, where: Where | None) -> list[int]:
        condition = "contains(document, ?)" + (f" and {sql(where)}" if where else "")
        return self._search(vector, k, condition, text)

    def _search(self, vector: np.ndarray, k: int, condition: str, *values: Any) -> list[int]:
        distance = f"array_cosine_distance(vector, ?::FLOAT[{self.dimension}])"
        command = f"SELECT {COLUMNS}, {distance} AS distance FROM records WHERE {condition} ORDER BY distance LIMIT {k}"
        return [row[0] for row in self.connection.execute(command, [vector, *values]).fetchall()]

    def _rows(self, condition: str, *values: Any) -> int:
        return len(self.connection.execute(f"SELECT {COLUMNS} FROM records WHERE {condition}", values).fetchall())

    def get(self, ids: list[str]) -> int:
        return self._rows(f"id IN ({', '.join(ids)})")

    def get_where(self, where: Where, limit: int) -> int:
        return self._rows(f"{sql(where)} LIMIT {limit}")

    def count_where(self, where: Where) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM records WHERE {sql(where)}").fetchone()[0])

    def contains(self, text: str, where: Where | None) -> int:
        return self._rows(f"contains(document, ?){f' and {sql(where)}' if where else ''}", text)

    def regex(self, pattern: str, where: Where | None) -> int:
        return self._rows(f"regexp_matches(document, ?){f' and {sql(where)}' if where else ''}", pattern)

    def update_metadata(self, ids: list[str], metadatas: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow

        columns = {key: [row[key] for row in metadatas] for key in metadatas[0]}
        self.connection.register("given", pyarrow.table({"id": [int(id) for id in ids], **columns}))
        changes = ", ".join(f"{key} = given.{key}" for key in columns)
        self.connection.execute(f"UPDATE records SET {changes} FROM given WHERE records.id = given.id")
        self.connection.unregister("given")

    def update_vectors(self, records: Records) -> None:
        self.upsert(records)

    def upsert(self, records: Records) -> None:
        self._write("INSERT OR REPLACE INTO records", records)

    def delete(self, ids: list[str]) -> None:
        self.connection.execute(f"DELETE FROM records WHERE id IN ({', '.join(ids)})")

    def compact(self) -> None:
        self.connection.execute("CHECKPOINT")
