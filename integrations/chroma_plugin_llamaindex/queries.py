"""What a `VectorStoreQuery` asks of a collection: calls to make, and what becomes of their answers.

Nothing here does I/O, so that the blocking and the awaiting store share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode, VectorStoreQueryResult

from chroma_plugin.errors import InvalidArgumentError, UnsupportedError
from chroma_plugin.filters import Key
from chroma_plugin.ranking import maximal_marginal_relevance
from chroma_plugin_llamaindex.filters import both, where_of
from chroma_plugin_llamaindex.fusion import Fuse, fused_by_rank, fused_by_score
from chroma_plugin_llamaindex.hits import Hit, dense_hits, found_records, result_of, text_hits
from chroma_plugin_llamaindex.nodes import SOURCE_ID
from chroma_plugin_llamaindex.options import Options, between_0_and_1, options_of

_LEAST_CANDIDATES: Final = 50
"""Each side of a hybrid search offers at least so many, unless the query says how many."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method of the collection, and its arguments."""

    method: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """The calls may run in any order, or at once; ``finish`` gets their answers in the order of the calls."""

    calls: Sequence[Call]
    finish: Callable[[Sequence[Any]], VectorStoreQueryResult]


def plan(query: VectorStoreQuery, given: Mapping[str, Any], space: str) -> Plan:
    """How to answer the query in a collection of that space. ``given`` are the keyword arguments of `query`.

    Raises UnsupportedError for a mode there is no answer to, InvalidArgumentError when the query lacks what its mode
    needs, or has what no mode can use.
    """
    if query.embedding_field is not None:
        raise InvalidArgumentError(
            f"A record has one embedding, so embedding_field can't be {query.embedding_field!r:.100}; leave it out."
        )
    mode = VectorStoreQueryMode(query.mode)
    planner = _PLANNERS.get(mode)
    if planner is None:
        known = ", ".join(known.value for known in _PLANNERS)
        raise UnsupportedError(f"There is no query mode {mode.value!r} here; there are {known}.")
    if query.similarity_top_k < 1:
        return Plan((), lambda answers: result_of([]))
    return planner(_Asked(query, options_of(given), space))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query in a collection."""

    query: VectorStoreQuery
    options: Options
    space: str

    @property
    def k(self) -> int:
        return self.query.similarity_top_k

    def dense(self, n_results: int, *, with_embeddings: bool = False) -> Call:
        """The search by embedding."""
        if self.query.query_embedding is None:
            raise self._lacks("query_embedding")
        return Call(
            "query",
            {
                "query_embeddings": np.asarray([self.query.query_embedding]),
                "n_results": n_results,
                "include": self._include("distances", with_embeddings=with_embeddings),
                "max_distance": self.options.max_distance,
                "exact": self.options.exact,
                **self.restriction(),
            },
        )

    def text(self, n_results: int) -> Call:
        """The search by words."""
        if not self.query.query_str:
            raise self._lacks("query_str")
        return Call(
            "search_text",
            {
                "query_texts": [self.query.query_str],
                "n_results": n_results,
                "include": self._include("scores"),
                **self.restriction(),
            },
        )

    def everything(self) -> Call:
        """The first records, unranked."""
        return Call("get", {"limit": self.k, "include": self._include(), **self.restriction()})

    def restriction(self) -> dict[str, Any]:
        """What is searched: an empty list of ids is no restriction, as retrievers pass one when there is none."""
        query = self.query
        where = where_of(query.filters)
        if query.doc_ids:
            where = both(where, Key(SOURCE_ID).is_in(list(query.doc_ids)))
        return {
            "ids": list(dict.fromkeys(query.node_ids)) if query.node_ids else None,
            "where": _with_own(where, self.options.where),
            "where_document": self.options.where_document,
        }

    def _include(self, *scores: str, with_embeddings: bool = False) -> list[str]:
        wanted = with_embeddings or self.wants_embeddings
        return ["documents", "metadatas", *scores, *(["embeddings"] if wanted else [])]

    @property
    def wants_embeddings(self) -> bool:
        """Whether the nodes of the result are to have their embeddings."""
        return "embeddings" in self.options.include or "embedding" in (self.query.output_fields or ())

    def _lacks(self, what: str) -> InvalidArgumentError:
        mode = VectorStoreQueryMode(self.query.mode).value
        return InvalidArgumentError(f"The query mode {mode!r} needs {what}.")


_Planner: TypeAlias = Callable[[_Asked], Plan]


def _nearest(asked: _Asked) -> Plan:
    if asked.query.query_embedding is None and asked.query.query_str is None:
        # A query of filters alone, as of llama-index-vector-stores-chroma.
        return Plan((asked.everything(),), lambda answers: found_records(answers[0]))
    return Plan((asked.dense(asked.k),), lambda answers: result_of(dense_hits(answers[0], asked.space)))


def _diverse(asked: _Asked) -> Plan:
    threshold = asked.options.threshold(asked.query.mmr_threshold)
    call = asked.dense(asked.options.prefetch(asked.k), with_embeddings=True)

    def finish(answers: Sequence[Any]) -> VectorStoreQueryResult:
        candidates = dense_hits(answers[0], asked.space)
        embeddings = [hit.embedding for hit in candidates]
        chosen = maximal_marginal_relevance(asked.query.query_embedding, embeddings, asked.k, threshold)
        return result_of([candidates[position] for position in chosen], with_embeddings=asked.wants_embeddings)

    return Plan((call,), finish)


def _by_words(asked: _Asked) -> Plan:
    call = asked.text(asked.query.sparse_top_k or asked.k)
    return Plan((call,), lambda answers: result_of(text_hits(answers[0])))


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two searches of a hybrid one."""

    call: Call
    hits: Callable[[Any], list[Hit]]
    weight: float


def _hybrid(fuse: Fuse, asked: _Asked) -> Plan:
    wanted = asked.query.hybrid_top_k or asked.k
    sides = _sides(asked, wanted)

    def finish(answers: Sequence[Any]) -> VectorStoreQueryResult:
        found = [side.hits(answer) for side, answer in zip(sides, answers, strict=True)]
        return result_of(fuse(found, [side.weight for side in sides])[:wanted])

    return Plan([side.call for side in sides], finish)


def _sides(asked: _Asked, wanted: int) -> list[_Side]:
    """The searches that count: one that weighs nothing is not made."""
    alpha = 0.5 if asked.query.alpha is None else between_0_and_1(asked.query.alpha, "alpha")
    dense, words = _candidates(asked.query, wanted)
    sides: list[_Side] = []
    if alpha > 0:
        sides.append(_Side(asked.dense(dense), lambda answer: dense_hits(answer, asked.space), alpha))
    if alpha < 1:
        sides.append(_Side(asked.text(words), text_hits, 1 - alpha))
    return sides


def _candidates(query: VectorStoreQuery, wanted: int) -> tuple[int, int]:
    """How many hits each side offers, the dense one first."""
    if query.sparse_top_k:
        return query.similarity_top_k, query.sparse_top_k
    enough = max(4 * wanted, query.similarity_top_k, _LEAST_CANDIDATES)
    return enough, enough


def _with_own(where: Any, own: Any) -> Any:
    """The filter of the query, and one in Chroma's form."""
    if own is None or own == {}:
        return where
    return own if where is None else {"$and": [where, own]}


_PLANNERS: Final[Mapping[VectorStoreQueryMode, _Planner]] = {
    VectorStoreQueryMode.DEFAULT: _nearest,
    VectorStoreQueryMode.MMR: _diverse,
    VectorStoreQueryMode.TEXT_SEARCH: _by_words,
    VectorStoreQueryMode.SPARSE: _by_words,
    VectorStoreQueryMode.HYBRID: partial(_hybrid, fused_by_score),
    VectorStoreQueryMode.SEMANTIC_HYBRID: partial(_hybrid, fused_by_rank),
}
