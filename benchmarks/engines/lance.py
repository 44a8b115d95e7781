"""lancedb: a table of Arrow columns, without an index and with an HNSW one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.protocol import FIELDS, Engine, Records, Where, literal, sql


class Lance(Engine):
    module = "lancedb"
    durability = "files written, not synced"
    table: Any

    @classmethod
    def version(cls) -> str:
        import lancedb

        return f"lancedb {lancedb.__version__}"

    def open(self) -> None:
        import lancedb

        self.database = lancedb.connect(str(self.path))
        self.table = self.database.open_table("records") if (self.path / "records.lance").exists() else None

    def ingest(self, records: Records) -> None:
        rows = _arrow(records)
        if self.table is None:
            self.table = self.database.create_table("records", rows)
        else:
            self.table.add(rows)

    def _search(self, vector: np.ndarray, k: int) -> Any:
        return self.table.search(vector).metric("cosine").limit(k)

    def query(self, vector: np.ndarray, k: int) -> list[int]:
        return _numbers(self._search(vector, k))

    def query_exact(self, vector: np.ndarray, k: int) -> list[int]:
        return _numbers(self._search(vector, k).bypass_vector_index())

    def query_where(self, vector: np.ndarray, k: int, where: Where) -> list[int]:
        return _numbers(self._search(vector, k).where(sql(where), prefilter=True))

    def query_contains(self, vector: np.ndarray, k: int, text: str, where: Where | None) -> list[int]:
        return _numbers(self._search(vector, k).where(_contains(text, where), prefilter=True))

    def get(self, ids: list[str]) -> int:
        return self._rows(f"id in ({', '.join(map(literal, ids))})", len(ids))

    def get_where(self, where: Where, limit: int) -> int:
        return self._rows(sql(where), limit)

    def _rows(self, condition: str, limit: int | None = None) -> int:
        search = self.table.search().where(condition)
        return len((search if limit is None else search.limit(limit)).to_list())

    def count_where(self, where: Where) -> int:
        return int(self.table.count_rows(sql(where)))

    def contains(self, text: str, where: Where | None) -> int:
        return self._rows(_contains(text, where), 1_000_000)

    def regex(self, pattern: str, where: Where | None) -> int:
        matches = f"regexp_like(document, {literal(pattern)})"
        return self._rows(matches if where is None else f"{sql(where)} and {matches}", 1_000_000)

    def update_metadata(self, ids: list[str], metadatas: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow

        rows = pyarrow.table({"id": ids, **{key: [row[key] for row in metadatas] for key in metadatas[0]}})
        self.table.merge_insert("id").when_matched_update_all().execute(rows)

    def update_vectors(self, records: Records) -> None:
        self.upsert(records)

    def upsert(self, records: Records) -> None:
        merge = self.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        merge.execute(_arrow(records))

    def delete(self, ids: list[str]) -> None:
        self.table.delete(f"id in ({', '.join(map(literal, ids))})")

    def compact(self) -> None:
        from datetime import timedelta

        self.table.optimize(cleanup_older_than=timedelta(0))


class LanceHNSW(Lance):
    efs = (20, 40, 80, 150, 300)
    ef = 100

    def settle(self) -> None:
        """Also the scalar indexes that its documentation advises for filters."""
        for key in ("id", *FIELDS):
            self.table.create_scalar_index(key, index_type="BITMAP" if FIELDS.get(key) is bool else "BTREE")
        self.table.create_index(metric="cosine", index_type="IVF_HNSW_SQ", vector_column_name="vector")

    def set_ef(self, ef: int) -> None:
        self.ef = ef

    def _search(self, vector: np.ndarray, k: int) -> Any:
        return super()._search(vector, k).ef(self.ef).refine_factor(4)


def _arrow(records: Records) -> Any:
    import pyarrow

    flat = pyarrow.array(np.ascontiguousarray(records.vectors).reshape(-1))
    columns = {key: [row[key] for row in records.metadatas] for key in records.metadatas[0]}
    return pyarrow.table(
        {
            "id": records.ids,
            "vector": pyarrow.FixedSizeListArray.from_arrays(flat, records.vectors.shape[1]),
            "document": list(records.documents),
            **columns,
        }
    )


def _contains(text: str, where: Where | None) -> str:
    found = f"contains(document, {literal(text)})"
    return found if where is None else f"{sql(where)} and {found}"


def _numbers(search: Any) -> list[int]:
    return [int(row["id"]) for row in search.to_list()]
