"""sqlite-vec: a vec0 table with metadata columns, searched exactly; documents in an auxiliary column."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.protocol import FIELDS, Engine, Records, Where, literal, sql

TYPES = {str: "text", int: "integer", bool: "boolean"}
COLUMNS = ", ".join(["document", *FIELDS])


class SQLiteVec(Engine):
    packages = ("sqlite-vec",)
    module = "sqlite_vec"
    durability = "one transaction with fsync a call (journal_mode=WAL, synchronous=FULL)"
    durable = True
    connection: sqlite3.Connection

    def open(self) -> None:
        import sqlite_vec

        self.path.mkdir(exist_ok=True)
        self.connection = sqlite3.connect(self.path / "records.sqlite3", check_same_thread=False)
        self.connection.enable_load_extension(True)
        sqlite_vec.load(self.connection)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        fields = ", ".join(f"{name} {TYPES[kind]}" for name, kind in FIELDS.items())
        self.connection.execute(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS records USING vec0(id integer primary key, "
            f"vector float[{self.dimension}] distance_metric=cosine, {fields}, +document text)"
        )

    def close(self) -> None:
        self.connection.close()

    def ingest(self, records: Records) -> None:
        rows = zip(records.numbers, records.vectors, records.documents, records.metadatas, strict=True)
        marks = ", ".join("?" * (3 + len(FIELDS)))
        with self.connection:
            self.connection.executemany(
                f"INSERT INTO records(id, vector, {COLUMNS}) VALUES ({marks})",
                [(number, vector, text, *(each[key] for key in FIELDS)) for number, vector, text, each in rows],
            )

    def query(self, vector: np.ndarray, k: int) -> list[int]:
        return self._search(vector, k, "")

    def query_exact(self, vector: np.ndarray, k: int) -> list[int]:
        return self.query(vector, k)

    def query_where(self, vector: np.ndarray, k: int, where: Where) -> list[int]:
        if "$or" in where:  # vec0 has no OR beside a search, but takes the ids that another query finds
            return self._search(vector, k, _among(sql(where)))
        parts = where.get("$and", [where])
        return self._search(vector, k, "".join(f" and {sql(part)}" for part in parts))

    def query_contains(self, vector: np.ndarray, k: int, text: str, where: Where | None) -> list[int]:
        return self._search(vector, k, _among(f"instr(document, {literal(text)}) > 0{_and(where)}"))

    def _search(self, vector: np.ndarray, k: int, condition: str) -> list[int]:
        command = f"SELECT id, distance, {COLUMNS} FROM records WHERE vector MATCH ? AND k = ?{condition}"
        return [row[0] for row in self.connection.execute(command, (vector, k))]

    def _rows(self, condition: str, *values: Any) -> int:
        return len(self.connection.execute(f"SELECT id, {COLUMNS} FROM records WHERE {condition}", values).fetchall())

    def get(self, ids: list[str]) -> int:
        """One by one: vec0 finds a single key quickly, and reads the whole table for a list of them."""
        return sum(self._rows("id = ?", int(id)) for id in ids)

    def get_where(self, where: Where, limit: int) -> int:
        return self._rows(f"{sql(where)} LIMIT ?", limit)

    def count_where(self, where: Where) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM records WHERE {sql(where)}").fetchone()[0])

    def contains(self, text: str, where: Where | None) -> int:
        return self._rows(f"instr(document, ?) > 0{_and(where)}", text)

    def regex(self, pattern: str, where: Where | None) -> int:
        """SQLite has the operator and leaves the function to its user."""
        self.connection.create_function("regexp", 2, lambda wanted, text: bool(re.search(wanted, text)))
        return self._rows(f"document REGEXP ?{_and(where)}", pattern)

    def update_metadata(self, ids: list[str], metadatas: Sequence[Mapping[str, Any]]) -> None:
        changes = ", ".join(f"{key} = ?" for key in metadatas[0])
        rows = [(*metadata.values(), int(id)) for id, metadata in zip(ids, metadatas, strict=True)]
        with self.connection:
            self.connection.executemany(f"UPDATE records SET {changes} WHERE id = ?", rows)

    def update_vectors(self, records: Records) -> None:
        with self.connection:
            self.connection.executemany(
                "UPDATE records SET vector = ? WHERE id = ?", zip(records.vectors, records.numbers, strict=True)
            )

    def upsert(self, records: Records) -> None:
        """vec0 has no ON CONFLICT."""
        self.delete(records.ids)
        self.ingest(records)

    def delete(self, ids: list[str]) -> None:
        with self.connection:
            self.connection.executemany("DELETE FROM records WHERE id = ?", [(int(id),) for id in ids])

    def compact(self) -> None:
        self.connection.execute("VACUUM")


def _among(condition: str) -> str:
    return f" and id in (SELECT id FROM records WHERE {condition})"


def _and(where: Where | None) -> str:
    return f" and {sql(where)}" if where else ""
