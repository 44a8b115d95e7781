"""search_text and search_hybrid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from chroma_plugin.backend import CollectionStore
from chroma_plugin.operations import pushdown
from chroma_plugin.operations.handle import Handle
from chroma_plugin.operations.procedure import Procedure, Room
from chroma_plugin.operations.reading import refuse_data_without_loader, search
from chroma_plugin.operations.results import QueryResult, ranked_result
from chroma_plugin.ranking.fusion import reciprocal_rank_fusion, relative_score_fusion
from chroma_plugin.requests.include import fields
from chroma_plugin.requests.ranked import Fusion, HybridRequest, TextRequest
from chroma_plugin.types import Field, Hits, Matrix, Ranked, Records, Scan, TextSearch, concatenate

Scored = dict[str, float]
"""What one side found for one query: ids, best first, and their scores, of which higher is better."""
Fuse = Callable[[Sequence[Scored], Sequence[float]], list[tuple[str, float]]]

_FUSE: Final[dict[Fusion, Fuse]] = {"rrf": reciprocal_rank_fusion, "relative": relative_score_fusion}


def search_text(handle: Handle, request: TextRequest) -> QueryResult:
    refuse_data_without_loader(handle, request.include)
    with handle.reading() as store:
        found = _search_text(store, request.search)
    return ranked_result(found, request.include, handle.loader)


def search_hybrid(handle: Handle, prepare: Callable[[], HybridRequest]) -> Procedure[QueryResult]:
    request = prepare()
    refuse_data_without_loader(handle, request.include)
    embeddings = request.embeddings
    if embeddings is None and request.has_dense_side:
        yield Room.MODEL
        embeddings = handle.embed(request.text.queries, query=True)
        yield Room.STORE
    with handle.reading() as store:
        fused = _fused(handle, store, request, embeddings)
        found = _with_records(store, fused, fields(request.include))
    return ranked_result(found, request.include, handle.loader)


def _search_text(store: CollectionStore, search: TextSearch) -> list[Ranked]:
    if search.ids == []:
        return [Ranked(Records([]), np.empty(0)) for _ in search.queries]
    return pushdown.search_text(store, search)


def _fused(
    handle: Handle, store: CollectionStore, request: HybridRequest, embeddings: Matrix | None
) -> list[list[tuple[str, float]]]:
    """For each query the ids and scores of its results. A side without weight is not asked."""
    sides: list[list[Scored]] = []
    weights: list[float] = []
    if request.has_dense_side and embeddings is not None:
        dense = request.dense(embeddings, handle.opened.info.metric)
        sides.append([_nearness(hits) for hits in search(handle, store, dense)])
        weights.append(request.alpha)
    if request.has_text_side:
        sides.append([_scored(ranked) for ranked in _search_text(store, request.text)])
        weights.append(1 - request.alpha)
    fuse = _FUSE[request.fusion]
    return [fuse(scored, weights)[: request.n_results] for scored in zip(*sides, strict=True)]


def _nearness(hits: Hits) -> Scored:
    return dict(zip(hits.records.ids, (-hits.distances).tolist(), strict=True))


def _scored(ranked: Ranked) -> Scored:
    return dict(zip(ranked.records.ids, ranked.scores.tolist(), strict=True))


def _with_records(
    store: CollectionStore, fused: Sequence[Sequence[tuple[str, float]]], wanted: frozenset[Field]
) -> list[Ranked]:
    """The records of the results, read at once; what has been deleted since is left out."""
    ids = list(dict.fromkeys(id for results in fused for id, _ in results))
    records = concatenate(list(store.scan(Scan(ids=ids, fields=wanted)))) if ids and wanted else Records(ids)
    row_of = {id: row for row, id in enumerate(records.ids)}
    found = []
    for results in fused:
        there = [(row_of[id], score) for id, score in results if id in row_of]
        found.append(Ranked(records.take([row for row, _ in there]), np.array([score for _, score in there])))
    return found
