"""A store that remembers what it was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NoReturn

from chroma_plugin.backend import CollectionStore, Pushdown
from chroma_plugin.errors import InternalError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.operations import pushdown
from chroma_plugin.transactions import answers
from chroma_plugin.types import Count, Hits, Question, Ranked, Read, Records, Scan, Search, TextSearch


class RecordingStore(CollectionStore):
    """Reads of another store, whatever that takes itself; each is kept in ``reads`` with its answer."""

    orders = True

    def __init__(self, store: CollectionStore, reads: list[Read]) -> None:
        self._store = store
        self._reads = reads

    def takes(self, part: Expr) -> Pushdown:
        return Pushdown.EXACT

    def scan(self, request: Scan) -> Iterator[Records]:
        if request.limit == 0 or (request.ids is not None and not request.ids):
            return iter(())
        batches = list(pushdown.scan(self._store, request))
        self._keep(request, answers.of_records(batches))
        return iter(batches)

    def count(self, where: Expr | None = None) -> int:
        count = pushdown.count(self._store, where)
        self._keep(Count(where), answers.of_count(count))
        return count

    def search(self, request: Search) -> list[Hits]:
        # An approximation may come out otherwise the next time, with nothing changed.
        request = replace(request, exact=True)
        found = pushdown.search(self._store, request)
        self._keep(request, answers.of_records(hits.records for hits in found))
        return found

    def search_text(self, request: TextSearch) -> list[Ranked]:
        found = pushdown.search_text(self._store, request)
        self._keep(request, answers.of_records(ranked.records for ranked in found))
        return found

    def put(self, records: Records) -> NoReturn:
        raise InternalError("A transaction writes when it ends.")

    def delete(self, ids: Sequence[str]) -> NoReturn:
        raise InternalError("A transaction writes when it ends.")

    def _keep(self, question: Question, answer: bytes) -> None:
        self._reads.append(Read(question, answer))
