"""What a store is asked over HTTP: scans, counts and searches."""

from __future__ import annotations

from typing import Any, cast

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.filters.wire import from_wire, path_from_wire
from chroma_plugin.requests import paging
from chroma_plugin.requests.documents import query_texts
from chroma_plugin.requests.ids import wanted_ids
from chroma_plugin.requests.shown import kind
from chroma_plugin.server.bodies import Body, packed
from chroma_plugin.types import FIELDS, NO_FIELDS, Field, Metric, Order, Scan, Search, TextSearch


def scan_in(body: Body) -> Scan:
    return Scan(
        ids=_ids(body),
        where=where_in(body),
        limit=paging.limit(body.any("limit")),
        offset=paging.offset(body.any("offset")),
        fields=_fields(body, FIELDS),
        order=tuple(_order(item) for item in body.given("order", list) or ()),
    )


def search_in(body: Body, metric: Metric) -> Search:
    """A search of a collection with that metric."""
    return Search(
        embeddings=packed(body.needed("embeddings", str), body.needed("dimension", int)),
        k=paging.n_results(body.any("k")),
        metric=_metric(body.any("metric"), metric),
        ids=_ids(body),
        where=where_in(body),
        max_distance=paging.max_distance(body.any("max_distance")),
        fields=_fields(body, NO_FIELDS),
        exact=paging.flag(body.any("exact", False), "exact"),
    )


def text_search_in(body: Body) -> TextSearch:
    return TextSearch(
        queries=query_texts(body.needed("queries", list), "queries") or [],
        k=paging.n_results(body.any("k")),
        ids=_ids(body),
        where=where_in(body),
        fields=_fields(body, NO_FIELDS),
    )


def where_in(body: Body) -> Expr | None:
    where = body.data("where", dict)
    return None if where is None else from_wire(where)


def _ids(body: Body) -> list[str] | None:
    ids = body.given("ids", list)
    return None if ids is None else wanted_ids(ids)


def _fields(body: Body, default: frozenset[Field]) -> frozenset[Field]:
    names = body.given("fields", list)
    if names is None:
        return default
    for name in names:
        if type(name) is not str or name not in FIELDS:
            raise InvalidArgumentError(f"fields holds {kind(name)}; it may hold {', '.join(sorted(FIELDS))}.")
    return cast("frozenset[Field]", frozenset(names))


def _order(item: Any) -> Order:
    if type(item) is not dict:
        raise InvalidArgumentError(f"order holds {kind(item)}, which is no object with path and descending.")
    return Order(path_from_wire(item.get("path")), paging.flag(item.get("descending", False), "descending"))


def _metric(value: Any, own: Metric) -> Metric:
    """The collection's own; asking for another is a mistake of the client."""
    if value not in (None, own.value):
        raise InvalidArgumentError(f"This collection measures distances as {own.value!r}, not {kind(value)}.")
    return own
