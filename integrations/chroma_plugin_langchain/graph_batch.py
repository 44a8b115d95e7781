"""The operations of one call of a LangGraph store, checked before anything is read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from langgraph.store.base import GetOp, ListNamespacesOp, Op, PutOp, SearchOp

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin_langchain.graph_index import SearchIndex
from chroma_plugin_langchain.graph_items import item_id, plain_value


@dataclass(frozen=True, slots=True)
class Batch:
    """Operations with all that must be embedded for them; checked before anything is read."""

    ops: list[Op]
    puts: list[tuple[PutOp, dict[str, Any] | None, list[str]]] = field(default_factory=list)
    """The last put of each item, its value (None deletes) and its texts."""
    texts: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)

    @staticmethod
    def of(ops: Iterable[Op], index: SearchIndex | None) -> Batch:
        batch = Batch(list(ops))
        last: dict[str, PutOp] = {}
        for op in batch.ops:
            if isinstance(op, PutOp):
                last[item_id(op.namespace, op.key)] = op
            elif not isinstance(op, (GetOp, SearchOp, ListNamespacesOp)):
                raise InvalidArgumentError(f"A store has no operation {op!r}.")
        for put in last.values():
            _check_ttl(put.ttl)
            value = None if put.value is None else plain_value(put.value)
            texts = [] if value is None or index is None else index.texts(put, value)
            batch.puts.append((put, value, texts))
        if index is None:
            return batch
        all_texts = dict.fromkeys(text for _, _, texts in batch.puts for text in texts)
        queries = dict.fromkeys(op.query for op in batch.ops if isinstance(op, SearchOp) and op.query)
        return replace(batch, texts=list(all_texts), queries=list(queries))


def _check_ttl(ttl: Any) -> None:
    if ttl is not None and (isinstance(ttl, (bool, str)) or not math.isfinite(ttl)):
        raise InvalidArgumentError(f"ttl must be a number of minutes, or None for no end, got {ttl!r}.")
