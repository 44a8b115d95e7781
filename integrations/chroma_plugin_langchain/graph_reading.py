"""What a LangGraph store reads: items by key, searches, namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from langgraph.store.base import Item, ListNamespacesOp, MatchCondition, SearchItem, SearchOp

import chroma_plugin
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin_langchain.graph_filters import ItemFilter, matches, split
from chroma_plugin_langchain.graph_items import (
    ITEM,
    Namespace,
    Vector,
    checked_namespace,
    in_namespace,
    item_id,
    named_by,
    stored_item,
    vector_ids,
)

_COLUMNS = ("metadatas", "documents")


@dataclass(frozen=True, slots=True)
class ItemReader:
    """Reads of one moment; what has expired by then is not there when ``now`` is given."""

    collection: chroma_plugin.Collection
    now: float | None

    def items(self, ids: Iterable[str]) -> dict[str, Found]:
        """The items whose records have these ids, by id."""
        found = self.collection.get(ids=list(dict.fromkeys(ids)), where=self._alive() or None, include=_COLUMNS)
        return {one.id: one for one in _found(found)}

    def search(self, op: SearchOp, query: Vector | None) -> list[tuple[Found, float | None]]:
        """The items of a page, each with its score if it has one: the most similar first, then those without a vector;
        without a query all in the order of their insertion.
        """
        if op.limit < 0 or op.offset < 0:
            raise InvalidArgumentError(f"limit and offset must not be negative, got {op.limit} and {op.offset}.")
        if not op.limit:
            return []
        wanted = split(op.filter)
        where = {"record": ITEM, **self._within(op.namespace_prefix), **wanted.where}
        matching = self._matching(where, wanted) if wanted.rest else None
        if query is None:
            return [(found, None) for found in self._page(where, matching, op.offset, op.limit)]
        return self._by_similarity(op, query, where, matching)

    def namespaces(self, op: ListNamespacesOp) -> list[Namespace]:
        """The namespaces that hold an item. This reads the ids of all items below the prefixes."""
        conditions = op.match_conditions or ()
        where: dict[str, Any] = {"record": ITEM, **self._alive()}
        for condition in conditions:
            if condition.match_type == "prefix":
                where.update(_labels(condition))
        ids = self.collection.get(where=where, include=[])["ids"]
        all_of_them = {named_by(id)[0] for id in ids}
        chosen = [space for space in all_of_them if all(_fits(condition, space) for condition in conditions)]
        cut = sorted({space[: op.max_depth] for space in chosen})
        return cut[op.offset : op.offset + op.limit]

    def _alive(self) -> dict[str, Any]:
        return {} if self.now is None else {"$not": {"expires_at": {"$lte": self.now}}}

    def _within(self, prefix: Sequence[str]) -> dict[str, Any]:
        return {**in_namespace(checked_namespace(prefix)), **self._alive()}

    def _matching(self, where: Mapping[str, Any], wanted: ItemFilter) -> list[Found]:
        candidates = _found(self.collection.get(where=where, include=_COLUMNS))
        return [found for found in candidates if matches(found.item.value, wanted)]

    def _page(self, where: Mapping[str, Any], matching: list[Found] | None, offset: int, limit: int) -> Iterable[Found]:
        if matching is not None:
            return matching[offset : offset + limit]
        return _found(self.collection.get(where=where, limit=limit, offset=offset, include=_COLUMNS))

    def _by_similarity(
        self, op: SearchOp, query: Vector, where: Mapping[str, Any], matching: list[Found] | None
    ) -> list[tuple[Found, float | None]]:
        among = None if matching is None else [id for found in matching for id in found.record_ids]
        end = op.offset + op.limit
        scores = self._scores(query, {**where, "indexed": True}, among, end)
        items = self.items(islice(scores, op.offset, end))
        page: list[tuple[Found, float | None]] = [(items[id], scores[id]) for id in items]
        if len(scores) < end:
            unscored = None if matching is None else [found for found in matching if not found.metadata["indexed"]]
            skipped = max(0, op.offset - len(scores))
            rest = self._page({**where, "indexed": False}, unscored, skipped, end - max(op.offset, len(scores)))
            page.extend((found, None) for found in rest)
        return page

    def _scores(
        self, query: Vector, where: Mapping[str, Any], among: list[str] | None, enough: int
    ) -> dict[str, float]:
        """The best cosine of each item, best first: ``enough`` items or all that have a vector."""
        wanted = enough
        anywhere = {key: condition for key, condition in where.items() if key != "record"}
        space = self.collection.configuration_json["hnsw"]["space"]
        while True:
            hits = self.collection.query(
                query_embeddings=[query], n_results=wanted, ids=among, where=anywhere, include=["distances"]
            )
            ids, distances = hits["ids"][0], hits["distances"]
            assert distances is not None
            scores: dict[str, float] = {}
            for id, distance in zip(ids, distances[0], strict=True):
                scores.setdefault(item_id(*named_by(id)), _cosine(distance, space))
            if len(scores) >= enough or len(ids) < wanted:
                return dict(islice(scores.items(), enough))
            wanted *= 4  # several vectors of one item were among them


@dataclass(frozen=True, slots=True)
class Found:
    """The record of an item."""

    id: str
    item: Item
    metadata: Mapping[str, Any]

    @property
    def record_ids(self) -> list[str]:
        """The ids of all records of the item."""
        return [self.id, *vector_ids(self.item.namespace, self.item.key, self.metadata["vectors"])]

    def scored(self, score: float | None) -> SearchItem:
        item = self.item
        return SearchItem(item.namespace, item.key, item.value, item.created_at, item.updated_at, score)


def _found(columns: Any) -> list[Found]:
    rows = zip(columns["ids"], columns["metadatas"], columns["documents"], strict=True)
    return [Found(id, stored_item(id, metadata, document), metadata) for id, metadata, document in rows]


def _cosine(distance: float, space: str) -> float:
    """The cosine of two vectors of length 1 that are so far apart."""
    cosine = 1.0 - (distance / 2 if space == "l2" else distance)
    return max(-1.0, min(1.0, float(cosine)))


def _labels(condition: MatchCondition) -> dict[str, Any]:
    return {f"namespace_{depth}": label for depth, label in enumerate(condition.path) if label != "*"}


def _fits(condition: MatchCondition, namespace: Namespace) -> bool:
    labels, wanted = namespace, tuple(condition.path)
    if condition.match_type == "suffix":
        labels, wanted = labels[::-1], wanted[::-1]
    elif condition.match_type != "prefix":
        raise InvalidArgumentError(f"A namespace matches by its prefix or its suffix, not by {condition.match_type!r}.")
    return len(labels) >= len(wanted) and all(map(_same_label, labels, wanted))


def _same_label(label: str, wanted: str) -> bool:
    return wanted in ("*", label)
