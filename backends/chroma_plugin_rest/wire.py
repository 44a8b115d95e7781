"""Records and collections as our server's extension writes them in JSON."""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np

from chroma_plugin.filters.ast import Expr
from chroma_plugin.filters.wire import path_to_wire, to_wire
from chroma_plugin.types import (
    CollectionInfo,
    Count,
    Field,
    Hits,
    Matrix,
    Order,
    Question,
    Ranked,
    Read,
    Records,
    Scan,
    Search,
    TextSearch,
)
from chroma_plugin_rest.answers import column, decoding, field, items


def packed(matrix: Matrix) -> str:
    """All rows as base64 of little-endian float32."""
    return binascii.b2a_base64(np.ascontiguousarray(matrix, dtype="<f4").tobytes(), newline=False).decode("ascii")


def unpacked(text: str) -> Matrix:
    """The numbers, in one row."""
    return np.frombuffer(binascii.a2b_base64(text), "<f4").astype(np.float32)


def batches(records: Records, most: int) -> Iterator[Records]:
    """The records in pieces of at most so many; none when there are none."""
    if 0 < len(records) <= most:
        yield records
        return
    for start in range(0, len(records), most):
        yield records.take(range(start, min(start + most, len(records))))


def distinct(ids: Sequence[str]) -> list[str]:
    """Each id once, in order: servers refuse what stands twice."""
    return list(dict.fromkeys(ids))


def records_out(records: Records) -> dict[str, Any]:
    matrix = records.embeddings
    return {
        "ids": list(records.ids),
        "embeddings": None if matrix is None else packed(matrix),
        "dimension": None if matrix is None else matrix.shape[1],
        "documents": None if records.documents is None else list(records.documents),
        "metadatas": None if records.metadatas is None else list(records.metadatas),
        "uris": None if records.uris is None else list(records.uris),
    }


@decoding
def records_in(value: Mapping[str, Any]) -> Records:
    ids, text = items(value["ids"], str), value["embeddings"]
    return Records(
        ids=ids,
        embeddings=None if text is None else unpacked(text).reshape(len(ids), value["dimension"] or 0),
        documents=column(value, "documents", len(ids), str),
        metadatas=column(value, "metadatas", len(ids), dict),
        uris=column(value, "uris", len(ids), str),
    )


@decoding
def hits_in(value: Mapping[str, Any]) -> Hits:
    records = records_in(value["records"])
    return Hits(records, unpacked(value["distances"]).reshape(len(records)))


def no_hits(request: Search) -> list[Hits]:
    """An answer for each query, with nothing in it."""
    nothing = Records(
        ids=[],
        embeddings=np.zeros((0, request.embeddings.shape[1]), dtype=np.float32),
        documents=[],
        metadatas=[],
        uris=[],
    ).only(request.fields)
    return [Hits(nothing, np.zeros(0, dtype=np.float32)) for _ in request.embeddings]


@decoding
def ranked_in(value: Mapping[str, Any]) -> Ranked:
    records = records_in(value["records"])
    return Ranked(records, np.array(value["scores"], dtype=np.float64).reshape(len(records)))


def no_ranked(request: TextSearch) -> list[Ranked]:
    """An answer for each text, with nothing in it."""
    return [Ranked(Records(ids=[]), np.zeros(0)) for _ in request.queries]


def scan_out(request: Scan) -> dict[str, Any]:
    return {
        "ids": None if request.ids is None else distinct(request.ids),
        "where": filter_out(request.where),
        "limit": request.limit,
        "offset": request.offset,
        "fields": _fields(request.fields),
        "order": [_order(order) for order in request.order],
    }


def search_out(request: Search) -> dict[str, Any]:
    return {
        "embeddings": packed(request.embeddings),
        "count": len(request.embeddings),
        "dimension": request.embeddings.shape[1],
        "k": request.k,
        "metric": request.metric.value,
        "ids": None if request.ids is None else distinct(request.ids),
        "where": filter_out(request.where),
        "max_distance": request.max_distance,
        "fields": _fields(request.fields),
        "exact": request.exact,
    }


def searches(request: Search, most_bytes: int) -> Iterator[Search]:
    """The same search, of as many queries at once as fit into so many bytes."""
    queries, dimension = request.embeddings.shape
    # Four bytes a number, of which three become four letters.
    rows = max(1, most_bytes // (6 * dimension))
    if queries <= rows:
        yield request
        return
    for start in range(0, queries, rows):
        yield replace(request, embeddings=request.embeddings[start : start + rows])


def text_search_out(request: TextSearch) -> dict[str, Any]:
    return {
        "queries": list(request.queries),
        "k": request.k,
        "ids": None if request.ids is None else distinct(request.ids),
        "where": filter_out(request.where),
        "fields": _fields(request.fields),
    }


def read_out(read: Read) -> dict[str, Any]:
    return {**_question(read.question), "answer": read.answer.hex()}


def _question(question: Question) -> dict[str, Any]:
    if isinstance(question, Count):
        return {"count": {"where": filter_out(question.where)}}
    if isinstance(question, Scan):
        return {"scan": scan_out(question)}
    if isinstance(question, Search):
        return {"search": search_out(question)}
    return {"search_text": text_search_out(question)}


def filter_out(where: Expr | None) -> dict[str, Any] | None:
    return None if where is None else to_wire(where)


def info_out(info: CollectionInfo) -> dict[str, Any]:
    return {
        "id": str(info.id),
        "name": info.name,
        "metadata": info.metadata,
        "configuration": info.configuration,
        "dimension": info.dimension,
    }


@decoding
def info_in(value: Mapping[str, Any]) -> CollectionInfo:
    return CollectionInfo(
        id=UUID(value["id"]),
        name=field(value, "name", str),
        metadata=None if value["metadata"] is None else field(value, "metadata", dict),
        configuration=field(value, "configuration", dict),
        dimension=None if value["dimension"] is None else field(value, "dimension", int),
        tenant=field(value, "tenant", str),
        database=field(value, "database", str),
    )


def _fields(fields: frozenset[Field]) -> list[str]:
    return sorted(fields)


def _order(order: Order) -> dict[str, Any]:
    return {"path": path_to_wire(order.path), "descending": order.descending}
