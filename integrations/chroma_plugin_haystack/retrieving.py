"""Retrieval by embedding, by keywords, and by both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from haystack import Document

from chroma_plugin.filters import And, Expr
from chroma_plugin.ranking import reciprocal_rank_fusion, relative_score_fusion
from chroma_plugin_haystack.fields import HAS_EMBEDDING
from chroma_plugin_haystack.filters import where_of
from chroma_plugin_haystack.records import documents_of
from chroma_plugin_haystack.scores import similarities, space_of, text_scores
from chroma_plugin_haystack.steps import Call, Property, Steps

Fusion: TypeAlias = Literal["rrf", "relative"]

_RRF_K: Final = 60
_LEAST_CANDIDATES: Final = 50
_CANDIDATES_PER_RESULT: Final = 4
_Fuse: TypeAlias = Callable[[Sequence[Mapping[str, float]], Sequence[float]], list[tuple[str, float]]]
_FUSE: Final[Mapping[Fusion, _Fuse]] = {
    "rrf": partial(reciprocal_rank_fusion, k=_RRF_K),
    "relative": relative_score_fusion,
}
_BEST: Final[Mapping[Fusion, float]] = {"rrf": 1 / (_RRF_K + 1), "relative": 1.0}
"""The fused score of a document that is first on both sides."""


def by_embedding(
    query_embedding: Sequence[float],
    filters: Any,
    top_k: int,
    *,
    scaled: bool,
    return_embedding: bool,
    strict: bool,
) -> Steps[list[Document]]:
    """The nearest documents that have an embedding, nearest first."""
    _check_top_k(top_k)
    where = yield from where_of(filters, strict=strict)
    if top_k == 0:
        return []
    answer = yield _query({"query_embeddings": [query_embedding]}, top_k, where, return_embedding)
    space = space_of((yield Property("configuration_json")))
    return _documents(answer, similarities(answer["distances"][0], space, scaled=scaled))


def by_keywords(
    query: str, filters: Any, top_k: int, *, scaled: bool, return_embedding: bool, strict: bool
) -> Steps[list[Document]]:
    """The documents that have words of the query, best first."""
    _check_top_k(top_k)
    _check_query(query)
    where = yield from where_of(filters, strict=strict)
    if top_k == 0:
        return []
    answer = yield _search_text(query, top_k, where, return_embedding)
    return _documents(answer, text_scores(answer["scores"][0], scaled=scaled))


def by_both(
    query: str,
    query_embedding: Sequence[float] | None,
    filters: Any,
    top_k: int,
    *,
    fusion: Fusion,
    alpha: float,
    candidates: int | None,
    scaled: bool,
    return_embedding: bool,
    strict: bool,
) -> Steps[list[Document]]:
    """The best of both, fused. Documents without an embedding are found by their words only."""
    _check_top_k(top_k)
    _check_query(query)
    check_fusion(fusion, alpha)
    where = yield from where_of(filters, strict=strict)
    if top_k == 0:
        return []
    offered = candidates or max(_CANDIDATES_PER_RESULT * top_k, _LEAST_CANDIDATES)
    found: dict[str, Document] = {}
    sides: list[dict[str, float]] = []
    weights: list[float] = []
    if alpha > 0:
        asked = {"query_texts": [query]} if query_embedding is None else {"query_embeddings": [query_embedding]}
        answer = yield _query(asked, offered, where, return_embedding)
        sides.append(dict(zip(answer["ids"][0], (-distance for distance in answer["distances"][0]), strict=True)))
        weights.append(alpha)
        found |= _by_id(answer)
    if alpha < 1:
        answer = yield _search_text(query, offered, where, return_embedding)
        sides.append(dict(zip(answer["ids"][0], answer["scores"][0], strict=True)))
        weights.append(1 - alpha)
        found |= _by_id(answer)
    unit = _BEST[fusion] if scaled else 1.0
    fused = _FUSE[fusion](sides, weights)[:top_k]
    return [replace(found[id], score=score / unit) for id, score in fused]


def check_fusion(fusion: Any, alpha: Any) -> None:
    """Raises ValueError for what `by_both` does not know."""
    if fusion not in _FUSE:
        raise ValueError(f"fusion must be one of {', '.join(map(repr, _FUSE))}, not {fusion!r:.100}.")
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be a number from 0 (keywords only) to 1 (embeddings only), not {alpha!r:.100}.")


def _query(asked: Mapping[str, Any], top_k: int, where: Expr | None, return_embedding: bool) -> Call:
    among = HAS_EMBEDDING if where is None else And((where, HAS_EMBEDDING))
    return Call("query", **asked, n_results=top_k, where=among, include=_columns("distances", return_embedding))


def _search_text(query: str, top_k: int, where: Expr | None, return_embedding: bool) -> Call:
    include = _columns("scores", return_embedding)
    return Call("search_text", query_texts=[query], n_results=top_k, where=where, include=include)


def _columns(ranked_by: str, return_embedding: bool) -> list[str]:
    return ["documents", "metadatas", ranked_by, *(["embeddings"] if return_embedding else [])]


def _documents(answer: Mapping[str, Any], scores: Sequence[float] | None) -> list[Document]:
    embeddings = answer["embeddings"]
    return documents_of(
        answer["ids"][0],
        answer["documents"][0],
        answer["metadatas"][0],
        None if embeddings is None else embeddings[0],
        scores,
    )


def _by_id(answer: Mapping[str, Any]) -> dict[str, Document]:
    return {document.id: document for document in _documents(answer, None)}


def _check_top_k(top_k: Any) -> None:
    if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 0:
        raise ValueError(f"top_k must be an int of at least 0, not {top_k!r:.100}.")


def _check_query(query: Any) -> None:
    if not isinstance(query, str) or not query:
        raise ValueError(f"query must be a non-empty str, not {query!r:.100}.")
