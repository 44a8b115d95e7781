"""Chroma's hybrid search: a filter, a ranking expression, groups, a page, and what to tell of each record. Chroma's own
servers do this in its cloud only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chroma_plugin.backend import CollectionStore
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.frozen import frozen
from chroma_plugin.operations import pushdown, reading
from chroma_plugin.operations.handle import Handle
from chroma_plugin.requests import paging
from chroma_plugin.requests.filter import filter_of
from chroma_plugin.requests.metadata import is_key
from chroma_plugin.requests.shown import kind
from chroma_plugin.server import groups, keys, ranks
from chroma_plugin.server.call import Answer, Call, answer
from chroma_plugin.types import NO_FIELDS, Field, Metadata, Records, Scan, Search, concatenate
from chroma_plugin.wording import shown

_MOST: Final = 1_000
"""Searches in one request."""
_ID, _SCORE, _METADATA = "#id", "#score", "#metadata"
_COLUMNS: Final[Mapping[str, Field]] = {
    "#document": "documents",
    "#embedding": "embeddings",
    _METADATA: "metadatas",
}
_METADATAS: Final[frozenset[Field]] = frozenset(("metadatas",))

Ranked = list[tuple[str, float]]


@frozen
class Payload:
    """One search."""

    where: Expr | None
    rank: ranks.Rank | None
    group_by: groups.GroupBy | None
    offset: int
    limit: int | None
    select: tuple[str, ...]

    @property
    def metadata_keys(self) -> frozenset[str]:
        return frozenset(key for key in self.select if not key.startswith("#"))

    @property
    def fields(self) -> frozenset[Field]:
        named = frozenset(_COLUMNS[key] for key in self.select if key in _COLUMNS)
        return named | _METADATAS if self.metadata_keys else named


def search(call: Call) -> Answer:
    handle = call.served.handle(call.collection())
    given = call.body().data("searches", list)
    if given is None or len(given) > _MOST:
        raise InvalidArgumentError(f"searches must be a list of at most {_MOST} searches, not {kind(given)}.")
    payloads = [_payload(value, number) for number, value in enumerate(given)]
    for payload in payloads:
        keys.check_filter(handle.opened.info, payload.where)
    columns = [_columns(handle, payload) for payload in payloads]
    names = ("ids", "documents", "embeddings", "metadatas", "scores", "select")
    return answer({name: [column[name] for column in columns] for name in names})


# -- reading the question --------------------------------------------------------------------------------------------


def _payload(value: Any, number: int) -> Payload:
    where = f"searches[{number}]"
    if type(value) is not dict:
        raise InvalidArgumentError(f"{where} must be an object, not {kind(value)}.")
    rank, limit = value.get("rank"), _object(value, "limit", where)
    group_by = groups.parse(value.get("group_by"))
    if group_by is not None and rank is None:
        raise InvalidArgumentError(f"{where} has a group_by, which needs a rank.")
    return Payload(
        where=filter_of(value.get("filter", value.get("where"))),
        rank=None if rank is None else ranks.parse(rank),
        group_by=group_by,
        offset=paging.offset(limit.get("offset")),
        limit=paging.limit(limit.get("limit")),
        select=_selected(_object(value, "select", where).get("keys")),
    )


def _object(value: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    part = value.get(name) or {}
    if not isinstance(part, Mapping):
        raise InvalidArgumentError(f"{name} of {where} must be an object, not {kind(part)}.")
    return part


def _selected(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if type(given) is not list:
        raise InvalidArgumentError(f"The keys of select are a list, not {kind(given)}.")
    for key in given:
        if type(key) is not str or not (key in _COLUMNS or key in (_ID, _SCORE) or is_key(key)):
            raise InvalidArgumentError(f"select can't tell the key {shown(key)}.")
    return tuple(dict.fromkeys(given))


# -- finding the answer ----------------------------------------------------------------------------------------------


def _columns(handle: Handle, payload: Payload) -> dict[str, Any]:
    with handle.reading() as store:
        if payload.rank is None:
            records = _scanned(store, payload)
            scored: Sequence[float] = [0.0] * len(records)
        else:
            ranked = _page(_ranked(handle, store, payload, payload.rank), payload)
            records, scored = _told(store, ranked, payload.fields)
    return {
        "ids": records.ids,
        "documents": _told_or_none(records.documents, "documents" in payload.fields),
        "embeddings": _told_or_none(records.embeddings, "embeddings" in payload.fields),
        "metadatas": _shown_metadatas(records, payload),
        "scores": scored if _SCORE in payload.select else None,
        "select": payload.select,
    }


def _scanned(store: CollectionStore, payload: Payload) -> Records:
    """Without a rank: in the order of insertion."""
    request = Scan(where=payload.where, limit=payload.limit, offset=payload.offset, fields=payload.fields)
    return concatenate(list(pushdown.scan(store, request)) or [Records([])]).only(payload.fields)


def _ranked(handle: Handle, store: CollectionStore, payload: Payload, rank: ranks.Rank) -> Ranked:
    found = {knn: _nearest(handle, store, payload, knn) for knn in ranks.searches(rank)}
    ranked = ranks.scores(rank, found)
    if payload.group_by is None or not ranked:
        return ranked
    records = _read(store, [id for id, _ in ranked], _METADATAS)
    metadata_of: dict[str, Metadata] = {
        id: metadata or {} for id, metadata in zip(records.ids, records.metadatas or (), strict=True)
    }
    return payload.group_by.kept([each for each in ranked if each[0] in metadata_of], metadata_of)


def _nearest(handle: Handle, store: CollectionStore, payload: Payload, knn: ranks.Knn) -> Any:
    request = Search(
        embeddings=knn.query,
        k=knn.limit,
        metric=handle.opened.info.metric,
        where=payload.where,
        fields=NO_FIELDS,
    )
    [hits] = reading.search(handle, store, request)
    return hits.records.ids, hits.distances


def _page(ranked: Ranked, payload: Payload) -> Ranked:
    return ranked[payload.offset : None if payload.limit is None else payload.offset + payload.limit]


def _told(store: CollectionStore, ranked: Ranked, fields: frozenset[Field]) -> tuple[Records, list[float]]:
    """The records in that order, without those that were deleted meanwhile, and their scores."""
    if not fields:
        return Records([id for id, _ in ranked]), [score for _, score in ranked]
    records = _read(store, [id for id, _ in ranked], fields)
    there = dict(ranked)
    return records, [there[id] for id in records.ids]


def _read(store: CollectionStore, ids: list[str], fields: frozenset[Field]) -> Records:
    batches = list(store.scan(Scan(ids=ids, fields=fields))) if ids else []
    return concatenate(batches or [_nothing()]).only(fields)


def _nothing() -> Records:
    return Records(ids=[], documents=[], metadatas=[], uris=[])


def _told_or_none(column: Any, wanted: bool) -> Any:
    """A column that was asked for is a list, were it empty."""
    if not wanted:
        return None
    return [] if column is None else column


def _shown_metadatas(records: Records, payload: Payload) -> list[Any] | None:
    """All of the metadata, or the keys that were asked for; None when nothing is left."""
    if "metadatas" not in payload.fields:
        return None
    chosen = payload.metadata_keys
    whole = _METADATA in payload.select
    return [
        ({key: value for key, value in metadata.items() if whole or key in chosen} or None) if metadata else None
        for metadata in records.metadatas or ()
    ]
