"""What a collection answers: Chroma's dicts, and reports of what a write did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, NotRequired, TypedDict, TypeVar, cast

import numpy as np

from chroma_plugin.frozen import frozen
from chroma_plugin.requests.include import Included
from chroma_plugin.requests.many import examples
from chroma_plugin.types import Hits, Matrix, Ranked, Records

_T = TypeVar("_T")
DataLoader = Callable[[Sequence[str | None]], Sequence[Any]]
"""URIs to what stands behind them."""


class GetResult(TypedDict):
    """Records as columns of one length. What was not included is None."""

    ids: list[str]
    embeddings: Matrix | None
    """Float32 of shape (n, d)."""
    documents: list[str | None] | None
    uris: list[str | None] | None
    data: list[Any] | None
    metadatas: list[dict[str, Any] | None] | None
    included: list[Included]


class QueryResult(TypedDict):
    """One list per query in each column, nearest first. What was not included is None."""

    ids: list[list[str]]
    embeddings: list[Matrix] | None
    """Float32 of shape (hits, d), one per query."""
    documents: list[list[str | None]] | None
    uris: list[list[str | None]] | None
    data: list[list[Any]] | None
    metadatas: list[list[dict[str, Any] | None]] | None
    distances: list[list[float]] | None
    included: list[Included]
    scores: NotRequired[list[list[float]]]
    """Higher is better. Only there when a search by text was asked to include it."""


class DeleteResult(TypedDict):
    deleted: int
    """How many records were there and are gone."""


@frozen
class AddReport:
    """What `add` did with each id."""

    added: Sequence[str]
    ignored: Sequence[str]
    """Ids that were in the collection already and stayed as they were."""
    replaced: Sequence[str]
    """Ids that were in the collection already and got the new record (``on_conflict="replace"``)."""

    def __repr__(self) -> str:
        return _report(self)


@frozen
class UpdateReport:
    """What `update` did with each id."""

    updated: Sequence[str]
    unknown: Sequence[str]
    """Ids that are not in the collection; nothing was done for them."""

    def __repr__(self) -> str:
        return _report(self)


@frozen
class UpsertReport:
    """What `upsert` did with each id."""

    added: Sequence[str]
    replaced: Sequence[str]
    """Ids that were in the collection already and were changed."""

    def __repr__(self) -> str:
        return _report(self)


def get_result(records: Records, include: Sequence[Included], loader: DataLoader | None) -> GetResult:
    """The answer of `get` and `peek`."""
    return {
        "ids": list(records.ids),
        "embeddings": _embeddings(records) if "embeddings" in include else None,
        "documents": _column(records.documents) if "documents" in include else None,
        "uris": _column(records.uris, len(records)) if "uris" in include else None,
        "data": _data(records, loader) if "data" in include else None,
        "metadatas": _metadatas(records) if "metadatas" in include else None,
        "included": list(include),
    }


def query_result(hits: Sequence[Hits], include: Sequence[Included], loader: DataLoader | None) -> QueryResult:
    """The answer of `query`."""
    result = _found([hit.records for hit in hits], include, loader)
    if "distances" in include:
        result["distances"] = [hit.distances.tolist() for hit in hits]
    return result


def ranked_result(found: Sequence[Ranked], include: Sequence[Included], loader: DataLoader | None) -> QueryResult:
    """The answer of `search_text` and `search_hybrid`."""
    result = _found([ranked.records for ranked in found], include, loader)
    if "scores" in include:
        result["scores"] = [ranked.scores.tolist() for ranked in found]
    return result


def _found(found: Sequence[Records], include: Sequence[Included], loader: DataLoader | None) -> QueryResult:
    return {
        "ids": [list(records.ids) for records in found],
        "embeddings": [_embeddings(records) for records in found] if "embeddings" in include else None,
        "documents": [_column(records.documents) for records in found] if "documents" in include else None,
        "uris": [_column(records.uris, len(records)) for records in found] if "uris" in include else None,
        "data": [_data(records, loader) for records in found] if "data" in include else None,
        "metadatas": [_metadatas(records) for records in found] if "metadatas" in include else None,
        "distances": None,
        "included": list(include),
    }


def no_hits(queries: int, dimension: int | None) -> list[Hits]:
    """The answer of an empty collection."""
    nothing = Records([], np.empty((0, dimension or 0), np.float32), [], [], [])
    return [Hits(nothing, np.empty(0, np.float32)) for _ in range(queries)]


def _embeddings(records: Records) -> Matrix:
    if records.embeddings is None:
        return np.empty((0, 0), np.float32)
    # A store may give out what it holds; the result is the caller's to write into.
    return records.embeddings.copy()


def _column(values: Sequence[_T | None] | None, count: int = 0) -> list[_T | None]:
    return [None] * count if values is None else list(values)


def _metadatas(records: Records) -> list[dict[str, Any] | None]:
    """As they are: a store makes the dicts anew for each read (`chroma_plugin.backend`)."""
    return cast("list[dict[str, Any] | None]", _column(records.metadatas))


def _data(records: Records, loader: DataLoader | None) -> list[Any]:
    uris = _column(records.uris, len(records))
    present = [row for row, uri in enumerate(uris) if uri is not None]
    data: list[Any] = [None] * len(uris)
    if loader is not None and present:
        for row, loaded in zip(present, loader([uris[row] for row in present]), strict=True):
            data[row] = loaded
    return data


def _report(report: AddReport | UpdateReport | UpsertReport) -> str:
    counts = ", ".join(f"{each.name}={_counted(getattr(report, each.name))}" for each in fields(report))
    return f"{type(report).__name__}({counts})"


def _counted(ids: Sequence[str]) -> str:
    return f"{len(ids)} ({examples(ids, most=3)})" if ids else "0"
