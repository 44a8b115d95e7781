"""What `search_text` and `search_hybrid` are asked for, checked and frozen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias, get_args

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.frozen import frozen
from chroma_plugin.requests import paging
from chroma_plugin.requests.choice import one_of
from chroma_plugin.requests.documents import query_texts
from chroma_plugin.requests.embeddings import matrix
from chroma_plugin.requests.filter import filter_of
from chroma_plugin.requests.ids import wanted_ids
from chroma_plugin.requests.include import Included, fields, ranked_include
from chroma_plugin.types import NO_FIELDS, Matrix, Metric, Search, TextSearch

Fusion: TypeAlias = Literal["rrf", "relative"]
_FUSIONS: Final[tuple[Fusion, ...]] = get_args(Fusion)

_LEAST_CANDIDATES: Final = 50
_CANDIDATES_PER_RESULT: Final = 4


@frozen(eq=False)
class TextRequest:
    search: TextSearch
    include: tuple[Included, ...]


@frozen(eq=False)
class HybridRequest:
    text: TextSearch
    """What the text side is asked: k is the number of candidates, and ids alone are read."""
    embeddings: Matrix | None
    """One row per text; None: the texts are to be embedded."""
    n_results: int
    fusion: Fusion
    alpha: float
    include: tuple[Included, ...]

    @property
    def has_dense_side(self) -> bool:
        return self.alpha > 0

    @property
    def has_text_side(self) -> bool:
        return self.alpha < 1

    def dense(self, embeddings: Matrix, metric: Metric) -> Search:
        """What the dense side is asked: the same records, as many candidates."""
        return Search(embeddings, self.text.k, metric, ids=self.text.ids, where=self.text.where)


def search_text(
    query_texts: Any, n_results: Any, ids: Any, where: Any, where_document: Any, include: Any
) -> TextRequest:
    included = ranked_include(include)
    search = _text_search(query_texts, paging.n_results(n_results), ids, where, where_document)
    return TextRequest(replace(search, fields=fields(included)), included)


def search_hybrid(
    query_texts: Any,
    query_embeddings: Any,
    n_results: Any,
    ids: Any,
    where: Any,
    where_document: Any,
    include: Any,
    fusion: Any,
    alpha: Any,
    candidates: Any,
) -> HybridRequest:
    wanted = paging.n_results(n_results)
    text = _text_search(query_texts, paging.candidates(candidates, _enough(wanted)), ids, where, where_document)
    return HybridRequest(
        text=text,
        embeddings=_embeddings(query_embeddings, len(text.queries)),
        n_results=wanted,
        fusion=one_of(fusion, "fusion", _FUSIONS),
        alpha=paging.share(alpha, "alpha"),
        include=ranked_include(include),
    )


def _text_search(texts: Any, k: int, ids: Any, where: Any, where_document: Any) -> TextSearch:
    queries = query_texts(texts, "query_texts")
    if queries is None:
        raise InvalidArgumentError("query_texts is missing: give one text or a list of texts.")
    return TextSearch(
        queries=queries,
        k=k,
        ids=None if ids is None else wanted_ids(ids),
        where=filter_of(where, where_document),
        fields=NO_FIELDS,
    )


def _enough(wanted: int) -> int:
    return max(_CANDIDATES_PER_RESULT * wanted, _LEAST_CANDIDATES)


def _embeddings(value: Any, texts: int) -> Matrix | None:
    if value is None:
        return None
    embeddings = matrix(value, "query_embeddings")
    if len(embeddings) != texts:
        raise InvalidArgumentError(
            f"query_embeddings must hold one embedding for each text, but there are {len(embeddings)} embeddings and "
            f"{texts} query_texts."
        )
    return embeddings
