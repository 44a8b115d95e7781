"""The same backend, doing more itself: it counts, and finds texts in documents."""

from __future__ import annotations

from typing import Any

from chroma_plugin.backend import CollectionStore, Pushdown
from chroma_plugin.filters import DOCUMENT, Contains, Expr, conjuncts
from chroma_plugin.types import CollectionInfo, Scan
from chroma_plugin_sqlite_example.backend import SQLiteBackend, SQLiteStore

COUNT = "SELECT count(*) FROM records WHERE collection = ?"


class FastSQLiteStore(SQLiteStore):
    def takes(self, part: Expr) -> Pushdown:
        is_text_search = isinstance(part, Contains) and part.path == DOCUMENT
        return Pushdown.EXACT if is_text_search else Pushdown.NO

    def count(self, where: Expr | None = None) -> int:
        [(number,)] = super().rows(Scan(), *self.filtered(where, COUNT, (self.collection,)))
        return int(number)

    def rows(self, request: Scan, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return super().rows(request, *self.filtered(request.where, query, values))

    def filtered(self, where: Expr | None, query: str, values: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        texts = [part.value for part in conjuncts(where) if isinstance(part, Contains)]
        return query + " AND instr(document, ?) > 0" * len(texts), (*values, *texts)


class FastSQLiteBackend(SQLiteBackend):
    def open_collection(self, info: CollectionInfo) -> CollectionStore:
        super().open_collection(info)
        return FastSQLiteStore(self, str(info.id))
