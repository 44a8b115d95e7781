"""Searching: each search is one call of the collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from langchain_core.documents import Document

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin_langchain import options as option
from chroma_plugin_langchain.opening import Place
from chroma_plugin_langchain.records import distinct, documents_of, got, hits_with_vectors, scored_hits
from chroma_plugin_langchain.steps import Procedure, call, embed_images, embed_query
from chroma_plugin_langchain.values import read_metadata, stored_filter

_DISTANCES: Final = ("metadatas", "documents", "distances")
_VECTORS: Final = ("metadatas", "documents", "embeddings")

Scored: TypeAlias = list[tuple[Document, float]]
"""Documents with a distance or a score."""


def by_text(
    place: Place, query: str, k: int, filter: Any, where_document: Any, options: Mapping[str, Any]
) -> Procedure[Scored]:
    """With distances, nearest first."""
    question = option.nearest(k, filter, where_document, options, _DISTANCES)
    collection = yield from place.open()
    vector = yield from embed_query(_checked_query(query))
    return scored_hits((yield from call(collection.query, query_embeddings=vector, **question)))


def by_vector(
    place: Place, embedding: Any, k: int, filter: Any, where_document: Any, options: Mapping[str, Any]
) -> Procedure[Scored]:
    question = option.nearest(k, filter, where_document, options, _DISTANCES)
    collection = yield from place.open()
    return scored_hits((yield from call(collection.query, query_embeddings=_one(embedding), **question)))


def by_image(
    place: Place, uri: str, k: int, filter: Any, where_document: Any, options: Mapping[str, Any]
) -> Procedure[Scored]:
    question = option.nearest(k, filter, where_document, options, _DISTANCES)
    collection = yield from place.open()
    vector = yield from embed_images([uri])
    return scored_hits((yield from call(collection.query, query_embeddings=vector, **question)))


def with_vectors(
    place: Place, query: str, k: int, filter: Any, where_document: Any, options: Mapping[str, Any]
) -> Procedure[list[tuple[Document, Any]]]:
    question = option.nearest(k, filter, where_document, options, _VECTORS)
    collection = yield from place.open()
    vector = yield from embed_query(_checked_query(query))
    return hits_with_vectors((yield from call(collection.query, query_embeddings=vector, **question)))


def diverse_by_text(
    place: Place,
    query: str,
    k: int,
    fetch_k: int,
    lambda_mult: float,
    filter: Any,
    where_document: Any,
    options: Mapping[str, Any],
) -> Procedure[list[Document]]:
    question = _candidates(k, fetch_k, filter, where_document, options)
    collection = yield from place.open()
    vector = yield from embed_query(_checked_query(query))
    found = yield from call(collection.query, query_embeddings=vector, **question)
    return _diverse(found, vector[0], k, lambda_mult)


def diverse_by_vector(
    place: Place,
    embedding: Any,
    k: int,
    fetch_k: int,
    lambda_mult: float,
    filter: Any,
    where_document: Any,
    options: Mapping[str, Any],
) -> Procedure[list[Document]]:
    question = _candidates(k, fetch_k, filter, where_document, options)
    vector = _one(embedding)
    collection = yield from place.open()
    found = yield from call(collection.query, query_embeddings=vector, **question)
    return _diverse(found, vector[0], k, lambda_mult)


def hybrid(
    place: Place, query: str, k: int, filter: Any, where_document: Any, options: Mapping[str, Any]
) -> Procedure[Scored]:
    """With scores, best first."""
    question = option.hybrid(k, filter, where_document, options)
    collection = yield from place.open()
    vector = yield from embed_query(_checked_query(query))
    found = yield from call(collection.search_hybrid, query_texts=[query], query_embeddings=vector, **question)
    return scored_hits(found, "scores")


def text(
    place: Place, query: str, k: int, filter: Any, where_document: Any, options: Mapping[str, Any]
) -> Procedure[Scored]:
    """With scores, best first. Nothing is embedded."""
    question = option.text(k, filter, where_document, options)
    collection = yield from place.open()
    found = yield from call(collection.search_text, query_texts=[_checked_query(query)], **question)
    return scored_hits(found, "scores")


def by_ids(place: Place, ids: Sequence[str]) -> Procedure[list[Document]]:
    """In the order of the ids, each once; unknown ones are left out."""
    wanted = distinct(ids)
    collection = yield from place.open()
    if not wanted:
        return []
    return got((yield from call(collection.get, ids=wanted)))


def get(place: Place, arguments: Mapping[str, Any]) -> Procedure[dict[str, Any]]:
    """What `Collection.get` returns, its dates as dates."""
    given = dict(arguments)
    given["where"] = stored_filter(given.get("where"))
    if given["include"] is None:
        del given["include"]
    collection = yield from place.open()
    found: dict[str, Any] = yield from call(collection.get, **given)
    if found["metadatas"] is not None:
        found["metadatas"] = [metadata and read_metadata(metadata) for metadata in found["metadatas"]]
    return found


def without_scores(found: Scored) -> list[Document]:
    return [document for document, _ in found]


def _candidates(k: int, fetch_k: int, filter: Any, where_document: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    return option.nearest(max(k, fetch_k), filter, where_document, options, _VECTORS)


def _diverse(found: Mapping[str, Any], vector: Any, k: int, lambda_mult: float) -> list[Document]:
    """In the order in which they were chosen."""
    from chroma_plugin.ranking import maximal_marginal_relevance

    chosen = maximal_marginal_relevance(vector, found["embeddings"][0], k, lambda_mult)
    ids, texts, metadatas = ([found[column][0][row] for row in chosen] for column in ("ids", "documents", "metadatas"))
    return documents_of(ids, texts, metadatas)


def _one(embedding: Any) -> Any:
    """One embedding as a matrix of one row; the collection refuses what is none."""
    if embedding is None:
        raise InvalidArgumentError("embedding is None; give the vector to search for.")
    array = np.asarray(embedding)
    if array.ndim != 1:
        raise InvalidArgumentError(f"embedding must be one vector, not an array of shape {array.shape}.")
    return array.reshape(1, -1)


def _checked_query(query: Any) -> str:
    if not isinstance(query, str):
        raise InvalidArgumentError(f"query must be a str, not {type(query).__name__}.")
    return query
