"""get, count and query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chroma_plugin.backend import CollectionStore
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.operations import pushdown
from chroma_plugin.operations.handle import Handle
from chroma_plugin.operations.procedure import Procedure, Room
from chroma_plugin.operations.results import GetResult, QueryResult, get_result, no_hits, query_result
from chroma_plugin.requests.reads import GetRequest, QueryRequest
from chroma_plugin.types import Hits, Matrix, Search, concatenate


def get(handle: Handle, request: GetRequest) -> GetResult:
    refuse_data_without_loader(handle, request.include)
    with handle.reading() as store:
        batches = list(pushdown.scan(store, request.scan))
    return get_result(concatenate(batches), request.include, handle.loader)


def count(handle: Handle, where: Expr | None) -> int:
    with handle.reading() as store:
        return pushdown.count(store, where)


def query(handle: Handle, prepare: Callable[[], QueryRequest]) -> Procedure[QueryResult]:
    request = prepare()
    refuse_data_without_loader(handle, request.include)
    embeddings = request.questions.embeddings
    if embeddings is None:
        yield Room.MODEL
        embeddings = _asked(handle, request)
        yield Room.STORE
    with handle.reading() as store:
        hits = search(handle, store, request.search(embeddings, handle.opened.info.metric))
    return query_result(hits, request.include, handle.loader)


def explain(handle: Handle, prepare: Callable[[], QueryRequest]) -> Procedure[dict[str, Any]]:
    request = prepare()
    embeddings = request.questions.embeddings
    if embeddings is None:
        yield Room.MODEL
        embeddings = _asked(handle, request)
        yield Room.STORE
    with handle.reading() as store:
        asked = request.search(embeddings, handle.opened.info.metric)
        if handle.opened.check_dimension(store, embeddings) is None or asked.ids == []:
            return {"plan": "nothing to search"}
        return pushdown.explain(store, asked)


def _asked(handle: Handle, request: QueryRequest) -> Matrix:
    asked = request.questions
    if asked.uris is not None:
        return handle.embed(handle.load(asked.uris), query=True)
    return handle.embed(asked.texts or asked.images or [], query=True)


def search(handle: Handle, store: CollectionStore, request: Search) -> list[Hits]:
    """The nearest of what matches. Raises InvalidDimensionError for queries of another dimension."""
    dimension = handle.opened.check_dimension(store, request.embeddings)
    if dimension is None or request.ids == []:
        return no_hits(len(request.embeddings), dimension)
    return pushdown.search(store, request)


def refuse_data_without_loader(handle: Handle, include: tuple[str, ...]) -> None:
    if "data" in include and handle.loader is None:
        raise InvalidArgumentError(
            "include=['data'] needs a data_loader: get the collection with get_collection(name, data_loader=...)."
        )
