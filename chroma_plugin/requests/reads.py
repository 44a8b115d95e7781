"""What `get`, `count` and `query` are asked for, checked and frozen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.ast import Expr
from chroma_plugin.frozen import frozen
from chroma_plugin.requests import paging
from chroma_plugin.requests.documents import image_column, query_texts
from chroma_plugin.requests.embeddings import matrix
from chroma_plugin.requests.filter import filter_of
from chroma_plugin.requests.ids import wanted_ids
from chroma_plugin.requests.include import Included, fields, get_include, query_include
from chroma_plugin.requests.ordering import orders
from chroma_plugin.types import Matrix, Metric, Scan, Search


@frozen(eq=False)
class GetRequest:
    scan: Scan
    include: tuple[Included, ...]


@frozen(eq=False)
class Questions:
    """What to search for: exactly one of the four is there."""

    embeddings: Matrix | None = None
    texts: list[str] | None = None
    images: Sequence[Any] | None = None
    uris: list[str] | None = None


@frozen(eq=False)
class QueryRequest:
    questions: Questions
    ids: list[str] | None
    where: Expr | None
    n_results: int
    max_distance: float | None
    exact: bool
    include: tuple[Included, ...]

    def search(self, embeddings: Matrix, metric: Metric) -> Search:
        """The same for a store, once every question is an embedding."""
        return Search(
            embeddings=embeddings,
            k=self.n_results,
            metric=metric,
            ids=self.ids,
            where=self.where,
            max_distance=self.max_distance,
            fields=fields(self.include),
            exact=self.exact,
        )


def get(ids: Any, where: Any, limit: Any, offset: Any, where_document: Any, include: Any, order_by: Any) -> GetRequest:
    included = get_include(include)
    scan = Scan(
        ids=None if ids is None else wanted_ids(ids),
        where=filter_of(where, where_document),
        limit=paging.limit(limit),
        offset=paging.offset(offset),
        fields=fields(included),
        order=orders(order_by),
    )
    return GetRequest(scan, included)


def query(
    query_embeddings: Any,
    query_texts: Any,
    query_images: Any,
    query_uris: Any,
    ids: Any,
    n_results: Any,
    where: Any,
    where_document: Any,
    include: Any,
    max_distance: Any,
    exact: Any,
) -> QueryRequest:
    return QueryRequest(
        questions=_questions(query_embeddings, query_texts, query_images, query_uris),
        ids=None if ids is None else wanted_ids(ids),
        where=filter_of(where, where_document),
        n_results=paging.n_results(n_results),
        max_distance=paging.max_distance(max_distance),
        exact=paging.flag(exact, "exact"),
        include=query_include(include),
    )


_WAYS_TO_ASK: Final = ("query_embeddings", "query_texts", "query_images", "query_uris")


def _questions(embeddings: Any, texts: Any, images: Any, uris: Any) -> Questions:
    if (embeddings is None) + (texts is None) + (images is None) + (uris is None) != len(_WAYS_TO_ASK) - 1:
        values = (embeddings, texts, images, uris)
        given = [name for name, value in zip(_WAYS_TO_ASK, values, strict=True) if value is not None]
        seen = " and ".join(given) if given else "none of them"
        raise InvalidArgumentError(
            f"A query takes exactly one of query_embeddings, query_texts, query_images and query_uris, but has {seen}."
        )
    if embeddings is not None:
        return Questions(matrix(embeddings, "query_embeddings"))
    return Questions(
        texts=query_texts(texts, "query_texts"),
        images=image_column(images, "query_images"),
        uris=query_texts(uris, "query_uris"),
    )
