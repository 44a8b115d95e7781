"""The reference the kit compares with: exact distances in float64, the filter closure, and BM25 in plain Python."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chroma_plugin.filters import Expr, keep
from chroma_plugin.ranking.bm25 import K1, B
from chroma_plugin.ranking.words import words_of
from chroma_plugin.types import Hits, Matrix, Metric, Ranked, Records

TOLERANCE = 1e-4


def matching(records: Records, where: Expr | None) -> list[int]:
    """The positions of the records that the reference filter lets through."""
    if where is None:
        return list(range(len(records)))
    return keep(where, records)


def true_distances(query: Matrix, embeddings: Matrix, metric: Metric) -> npt.NDArray[np.float64]:
    """Distances of one query to every embedding, in float64."""
    left, right = query.astype(np.float64), embeddings.astype(np.float64)
    if metric is Metric.L2:
        result: npt.NDArray[np.float64] = ((right - left) ** 2).sum(axis=1)
        return result
    if metric is Metric.IP:
        return np.asarray(1 - right @ left)
    lengths = np.linalg.norm(right, axis=1) * np.linalg.norm(left)
    cosines = np.divide(right @ left, lengths, out=np.zeros(len(right)), where=lengths != 0)
    return np.asarray(1 - cosines)


def check_hits(hits: Hits, query: Matrix, among: Records, metric: Metric, k: int, *, exact: bool = True) -> None:
    """Assert that these are k of the candidates, nearest first with right distances, and (exact) the nearest ones."""
    assert among.embeddings is not None
    ids, given = list(hits.records.ids), np.asarray(hits.distances, dtype=np.float64)
    truth = dict(zip(among.ids, true_distances(query, among.embeddings, metric), strict=True))
    assert given.shape == (len(ids),), f"{len(ids)} hits came with distances of shape {given.shape}."
    assert len(ids) == len(set(ids)), f"A record stands twice among the hits: {ids}"
    assert not set(ids) - set(truth), (
        f"Hits that the search excludes, or that do not exist: {sorted(set(ids) - set(truth))[:5]}"
    )
    wanted = min(k, len(truth))
    assert len(ids) == wanted, f"{wanted} records match, the search gave {len(ids)}: never fewer than k while k match."
    _check_distances(ids, given, truth)
    if exact and ids:
        farthest = sorted(truth.values())[wanted - 1]
        slack = TOLERANCE * max(1.0, abs(farthest))
        missed = [id for id, distance in truth.items() if distance < farthest - 2 * slack and id not in ids]
        assert not missed, f"An exact search missed nearer records: {missed[:5]}"


def _check_distances(ids: Sequence[str], given: npt.NDArray[np.float64], truth: dict[str, Any]) -> None:
    true = np.array([truth[id] for id in ids])
    assert np.all(np.diff(given) >= 0), f"Hits come nearest first; these distances are not sorted: {given[:10]}"
    wrong = np.abs(given - true) > TOLERANCE * np.maximum(1.0, np.abs(true))
    assert not wrong.any(), f"Distances {given[wrong][:5]} should be {true[wrong][:5]}."


def recall(hits: Sequence[Hits], queries: Matrix, among: Records, metric: Metric, k: int) -> float:
    """The share of the true k nearest that were found, over all queries."""
    assert among.embeddings is not None
    found = 0
    for query, hit in zip(queries, hits, strict=True):
        nearest = np.argsort(true_distances(query, among.embeddings, metric), kind="stable")[:k]
        found += len({among.ids[row] for row in nearest} & set(hit.records.ids))
    return found / (k * len(queries))


def true_scores(query: str, everything: Records) -> list[float]:
    """How well each document of a whole collection fits, by the formula of `chroma_plugin.ranking.bm25`; 0.0 for one
    that has none of the words.
    """
    documents = [None if text is None else Counter(words_of(text)) for text in everything.documents or ()]
    lengths = [document.total() for document in documents if document is not None]
    average = sum(lengths) / max(1, len(lengths))
    scores = [0.0] * len(documents)
    for word in words_of(query):
        having = sum(1 for document in documents if document is not None and document[word])
        weight = math.log(1 + (len(lengths) - having + 0.5) / (having + 0.5))
        for row, document in enumerate(documents):
            if document is not None and document[word]:
                saturated = document[word] / (document[word] + K1 * (1 - B + B * document.total() / average))
                scores[row] += weight * saturated
    return scores


def check_ranked(ranked: Ranked, query: str, everything: Records, among: Sequence[int], k: int) -> None:
    """Assert that these are the k of the records at the positions ``among`` that fit best, with right scores."""
    truth = true_scores(query, everything)
    found = [row for row in among if truth[row] > 0]
    # Scores that differ only by rounding are equal, and come in the order of insertion.
    best = sorted(found, key=lambda row: (-round(truth[row], 9), row))[:k]
    expected = [everything.ids[row] for row in best]
    assert list(ranked.records.ids) == expected, f"{query!r} finds {list(ranked.records.ids)} instead of {expected}."
    right = np.array([truth[row] for row in best])
    assert ranked.scores.shape == right.shape, f"{len(expected)} hits came with scores of shape {ranked.scores.shape}."
    assert np.allclose(ranked.scores, right, rtol=1e-6), (
        f"{query!r} gives the scores {ranked.scores[:5]} instead of {right[:5]}: all documents of the collection count."
    )
