"""Every query mode, and everything that restricts one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from chroma_plugin_llamaindex import ChromaPluginVectorStore
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from chroma_plugin.errors import InvalidArgumentError, UnsupportedError
from chroma_plugin.ranking import maximal_marginal_relevance, reciprocal_rank_fusion

Mode = VectorStoreQueryMode
ANSWERED = [Mode.DEFAULT, Mode.MMR, Mode.TEXT_SEARCH, Mode.SPARSE, Mode.HYBRID, Mode.SEMANTIC_HYBRID]
EAST, WEST, NORTH = [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]

TEXTS = {
    "fox": "the quick red fox jumps",
    "dog": "the lazy dog sleeps",
    "both": "a fox and a dog, and the fox again",
    "bird": "a bird sings",
    "empty": "",
}
VECTORS = {"fox": NORTH, "dog": [0.9, 0.1], "both": [0.5, 0.5], "bird": EAST, "empty": WEST}


@pytest.fixture
def animals(store: ChromaPluginVectorStore) -> ChromaPluginVectorStore:
    fill(store)
    return store


@pytest.fixture
def local_animals(local_store: ChromaPluginVectorStore) -> ChromaPluginVectorStore:
    fill(local_store)
    return local_store


def fill(store: ChromaPluginVectorStore) -> None:
    store.add(
        [
            TextNode(
                id_=id,
                text=text,
                embedding=VECTORS[id],
                metadata={"length": len(text)},
                relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"doc of {id[0]}")},
            )
            for id, text in TEXTS.items()
        ]
    )


def ask(store: ChromaPluginVectorStore, mode: Mode = Mode.DEFAULT, **fields: Any) -> VectorStoreQueryResult:
    """A query with everything that some mode may need."""
    kwargs = fields.pop("kwargs", {})
    query = {"query_embedding": EAST, "query_str": "fox", "similarity_top_k": 5, "mode": mode, **fields}
    return store.query(VectorStoreQuery(**query), **kwargs)


def test_the_nearest_first(animals: ChromaPluginVectorStore) -> None:
    """Nodes, similarities and ids stand in the same order."""
    result = ask(animals, similarity_top_k=3)

    assert result.ids == [node.node_id for node in result.nodes or []] == ["bird", "dog", "both"]
    assert result.similarities == pytest.approx([1.0, 0.9939, 0.7071], abs=1e-4)
    assert (result.nodes or [])[1].get_content() == TEXTS["dog"]
    assert (result.nodes or [])[1].ref_doc_id == "doc of d"


@pytest.mark.parametrize(
    ("space", "same", "right_angle", "opposite"),
    [("cosine", 1.0, 0.0, -1.0), ("ip", 1.0, 0.0, -1.0), ("l2", 1.0, 1 / 3, 1 / 5)],
)
def test_similarities_are_higher_for_better_nodes(
    new_store: Callable[..., ChromaPluginVectorStore], space: str, same: float, right_angle: float, opposite: float
) -> None:
    """The cosine, the inner product, 1 / (1 + squared distance)."""
    store = new_store(space)
    fill(store)

    result = ask(store)
    found = dict(zip(result.ids or [], result.similarities or [], strict=True))

    assert result.similarities == sorted(found.values(), reverse=True)
    assert (found["bird"], found["fox"], found["empty"]) == pytest.approx((same, right_angle, opposite), abs=1e-6)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_numpy_query_vectors(animals: ChromaPluginVectorStore, kind: type) -> None:
    """Embedding models give them, in every mode that embeds."""
    for mode in (Mode.DEFAULT, Mode.MMR, Mode.HYBRID):
        assert (ask(animals, mode, query_embedding=np.array(EAST, kind), query_str="bird").ids or [])[0] == "bird"


@pytest.mark.parametrize("mode", ANSWERED, ids=str)
def test_every_mode_obeys_every_restriction(animals: ChromaPluginVectorStore, mode: Mode) -> None:
    """Filters, doc_ids, node_ids, where and where_document; [] restricts nothing, and all of them must hold."""
    long = MetadataFilters(filters=[MetadataFilter(key="length", value=20, operator=">")])  # type: ignore[arg-type]

    def found(**fields: Any) -> set[str]:
        return set(ask(animals, mode, query_str="fox dog", **fields).ids or [])

    everything = found()
    assert {"fox", "dog", "both"} <= everything
    assert found(node_ids=[], doc_ids=[]) == everything
    assert found(node_ids=["fox", "dog", "never there", "fox"]) == {"fox", "dog"}
    assert found(doc_ids=["doc of d", "never there"]) == {"dog"}
    assert found(doc_ids=["doc of d"], node_ids=["fox"]) == set()
    assert found(filters=long) == {"fox", "both"}
    assert found(filters=long, node_ids=["dog", "both"]) == {"both"}
    assert found(filters=long, kwargs={"where": {"length": {"$lt": 30}}}) == {"fox"}
    assert found(kwargs={"where": {"length": len(TEXTS["dog"])}}) == {"dog"}
    assert found(kwargs={"where": {}, "where_document": {"$contains": "lazy"}}) == {"dog"}


@pytest.mark.parametrize("mode", ANSWERED, ids=str)
def test_every_mode_of_an_empty_store(store: ChromaPluginVectorStore, mode: Mode) -> None:
    """Finds nothing, and says so with empty lists."""
    result = ask(store, mode)

    assert (result.nodes, result.similarities, result.ids) == ([], [], [])


@pytest.mark.parametrize("mode", ANSWERED, ids=str)
def test_no_more_than_asked_for(local_animals: ChromaPluginVectorStore, mode: Mode) -> None:
    """similarity_top_k bounds the result of every mode; 0 is none."""
    assert len(ask(local_animals, mode, similarity_top_k=1).ids or []) == 1
    assert ask(local_animals, mode, similarity_top_k=0).ids == []


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode not in ANSWERED], ids=str)
def test_modes_without_an_answer_refuse(animals: ChromaPluginVectorStore, mode: Mode) -> None:
    """The learners are named in the error, and so are the modes there are."""
    with pytest.raises(UnsupportedError, match=f"{mode.value}.*default.*hybrid"):
        ask(animals, mode)


def test_a_mode_may_be_its_name(local_animals: ChromaPluginVectorStore) -> None:
    """As in ``vector_store_query_mode="mmr"``."""
    assert ask(local_animals, "text_search").ids == ask(local_animals, Mode.TEXT_SEARCH).ids  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "fields"),
    [
        (Mode.DEFAULT, {"query_embedding": None}),
        (Mode.MMR, {"query_embedding": None}),
        (Mode.TEXT_SEARCH, {"query_str": None}),
        (Mode.SPARSE, {"query_str": ""}),
        (Mode.HYBRID, {"query_str": None}),
        (Mode.HYBRID, {"query_embedding": None}),
        (Mode.SEMANTIC_HYBRID, {"query_str": None}),
        (Mode.HYBRID, {"alpha": 1.5}),
        (Mode.MMR, {"mmr_threshold": -0.1}),
        (Mode.MMR, {"kwargs": {"mmr_threshold": "high"}}),
        (Mode.MMR, {"kwargs": {"mmr_prefetch_factor": 2.0, "mmr_prefetch_k": 3}}),
        (Mode.DEFAULT, {"embedding_field": "summary"}),
        (Mode.DEFAULT, {"kwargs": {"n_result": 3}}),
    ],
    ids=str,
)
def test_queries_that_lack_something_are_refused(
    local_animals: ChromaPluginVectorStore, mode: Mode, fields: dict[str, Any]
) -> None:
    """And never answered as if they were another query."""
    with pytest.raises(InvalidArgumentError):
        ask(local_animals, mode, **fields)


def test_filters_alone(animals: ChromaPluginVectorStore) -> None:
    """A query with neither embedding nor text gives the first nodes that match, and no similarities."""
    query = VectorStoreQuery(
        similarity_top_k=2, filters=MetadataFilters(filters=[MetadataFilter(key="doc_id", value="doc of b")])
    )
    result = animals.query(query)

    assert (result.ids, result.similarities) == (["both", "bird"], None)


def test_nodes_have_embeddings_when_asked(local_animals: ChromaPluginVectorStore) -> None:
    """By ``include``, or by ``output_fields``; otherwise they are not read."""
    for mode in ANSWERED:
        for asked in ({"kwargs": {"include": ["embeddings"]}}, {"output_fields": ["embedding"]}):
            nodes = ask(local_animals, mode, **asked).nodes or []
            assert [node.embedding for node in nodes] == [pytest.approx(VECTORS[node.node_id]) for node in nodes]
        assert {node.embedding for node in ask(local_animals, mode).nodes or []} == {None}


def test_max_distance(local_animals: ChromaPluginVectorStore) -> None:
    """Nothing farther than that, also with ``exact``."""
    assert ask(local_animals, kwargs={"max_distance": 0.5, "exact": True}).ids == ["bird", "dog", "both"]


class TestMMR:
    """Nodes that are near the query and unlike each other, in the order in which they are chosen."""

    @pytest.fixture
    def crowd(self, store: ChromaPluginVectorStore) -> ChromaPluginVectorStore:
        """Twenty nodes that are nearly the same, and some others."""
        random = np.random.default_rng(4)
        vectors = np.concatenate([[1.0, 0.0, 0.0] + random.normal(size=(20, 3)) / 50, random.normal(size=(20, 3))])
        store.add([TextNode(id_=f"n{row}", embedding=vector.tolist()) for row, vector in enumerate(vectors)])
        return store

    def expected(self, store: ChromaPluginVectorStore, k: int, threshold: float, candidates: int) -> list[str]:
        nodes = store.query(
            VectorStoreQuery(query_embedding=[1.0, 0.1, 0.0], similarity_top_k=candidates), include=["embeddings"]
        ).nodes
        assert nodes is not None
        order = maximal_marginal_relevance([1.0, 0.1, 0.0], [node.embedding for node in nodes], k, threshold)
        return [nodes[position].node_id for position in order]

    def found(self, store: ChromaPluginVectorStore, k: int, **fields: Any) -> list[str]:
        kwargs = fields.pop("kwargs", {})
        query = VectorStoreQuery(query_embedding=[1.0, 0.1, 0.0], similarity_top_k=k, mode=Mode.MMR, **fields)
        return store.query(query, **kwargs).ids or []

    def test_the_threshold_of_the_query_and_the_keyword_mean_the_same(self, crowd: ChromaPluginVectorStore) -> None:
        """0 is as different as possible, 1 the nearest; the keyword wins, as the more particular one."""
        nearest = crowd.query(VectorStoreQuery(query_embedding=[1.0, 0.1, 0.0], similarity_top_k=5)).ids

        assert self.found(crowd, 5, mmr_threshold=1.0) == nearest
        assert self.found(crowd, 5, kwargs={"mmr_threshold": 1.0}) == nearest
        assert self.found(crowd, 5, mmr_threshold=0.0, kwargs={"mmr_threshold": 1.0}) == nearest
        for threshold in (0.0, 0.2, 0.3):
            wanted = self.expected(crowd, 5, threshold, candidates=20)
            assert self.found(crowd, 5, mmr_threshold=threshold) == wanted != nearest
        assert self.found(crowd, 5) == self.expected(crowd, 5, 0.5, candidates=20)

    def test_how_many_candidates_it_chooses_from(self, crowd: ChromaPluginVectorStore) -> None:
        """Four times as many as asked for, unless a factor or a number says otherwise; never fewer than asked for."""
        low = {"mmr_threshold": 0.1}
        for given, candidates in (({}, 12), ({"mmr_prefetch_factor": 2.5}, 7), ({"mmr_prefetch_k": 40}, 40)):
            wanted = self.expected(crowd, 3, 0.1, candidates)
            assert self.found(crowd, 3, kwargs={**low, **given}) == wanted
        assert len(self.found(crowd, 3, kwargs={**low, "mmr_prefetch_k": 1})) == 3

    def test_similarities_are_those_to_the_query(self, local_animals: ChromaPluginVectorStore) -> None:
        """Each node has the one that it has in the default mode."""
        plain, diverse = ask(local_animals), ask(local_animals, Mode.MMR, mmr_threshold=0.2)
        similarity_of = dict(zip(plain.ids or [], plain.similarities or [], strict=True))

        assert diverse.ids != plain.ids
        assert diverse.similarities == [similarity_of[id] for id in diverse.ids or []]


class TestText:
    """TEXT_SEARCH and SPARSE: BM25 over the texts, without an embedding."""

    @pytest.mark.parametrize("mode", [Mode.TEXT_SEARCH, Mode.SPARSE])
    def test_by_words(self, animals: ChromaPluginVectorStore, mode: Mode) -> None:
        """The nodes that have one of the words, best first, with BM25 scores."""
        result = ask(animals, mode, query_embedding=None, query_str="FOX")

        assert result.ids == ["both", "fox"]
        assert (result.similarities or [])[0] > (result.similarities or [])[1] > 0
        assert ask(animals, mode, query_str="xylophone").ids == []

    @pytest.mark.parametrize("mode", [Mode.TEXT_SEARCH, Mode.SPARSE])
    def test_how_many(self, local_animals: ChromaPluginVectorStore, mode: Mode) -> None:
        """sparse_top_k, else similarity_top_k."""
        assert len(ask(local_animals, mode, query_str="fox dog", similarity_top_k=1, sparse_top_k=3).ids or []) == 3
        assert len(ask(local_animals, mode, query_str="fox dog", similarity_top_k=2).ids or []) == 2

    def test_scores_follow_changes(self, animals: ChromaPluginVectorStore) -> None:
        """What is added, replaced or deleted is found, or not, by the next query."""
        animals.add([TextNode(id_="dog", text="a fox, a fox, a fox", embedding=EAST)])
        animals.delete_nodes(["both"])

        assert ask(animals, Mode.TEXT_SEARCH).ids == ["dog", "fox"]


class TestHybrid:
    """HYBRID fuses scores, SEMANTIC_HYBRID fuses ranks."""

    def test_alpha_weighs_the_sides(self, animals: ChromaPluginVectorStore) -> None:
        """1 is the default mode, 0 is text search, and neither asks what has no weight."""
        dense, words = ask(animals), ask(animals, Mode.TEXT_SEARCH)

        assert ask(animals, Mode.HYBRID, alpha=1.0).ids == dense.ids
        assert ask(animals, Mode.HYBRID, alpha=1.0, query_str=None).ids == dense.ids
        assert ask(animals, Mode.HYBRID, alpha=0.0).ids == words.ids
        assert ask(animals, Mode.HYBRID, alpha=0.0, query_embedding=None).ids == words.ids
        assert (ask(animals, Mode.HYBRID, alpha=0.1).ids or [])[0] == "both"
        assert (ask(animals, Mode.HYBRID, alpha=0.9).ids or [])[0] == "bird"

    def test_scores_are_relative(self, animals: ChromaPluginVectorStore) -> None:
        """The best of a side counts 1, its last 0, times the weight of the side."""
        result = ask(animals, Mode.HYBRID, alpha=0.4)
        score_of = dict(zip(result.ids or [], result.similarities or [], strict=True))

        assert score_of["bird"] == pytest.approx(0.4)
        assert score_of["empty"] == 0
        # The cosine of "both" is 0.7071, between 1 and -1; it is the best of the words.
        assert score_of["both"] == pytest.approx(0.4 * (0.70711 + 1) / 2 + 0.6, abs=1e-4)
        assert result.similarities == sorted(score_of.values(), reverse=True)

    def test_semantic_hybrid_fuses_ranks(self, animals: ChromaPluginVectorStore) -> None:
        """By reciprocal ranks, so that no score of one side drowns the other."""
        dense, words = ask(animals).ids or [], ask(animals, Mode.TEXT_SEARCH).ids or []
        result = ask(animals, Mode.SEMANTIC_HYBRID)
        fused = reciprocal_rank_fusion([dense, words], [0.5, 0.5])

        assert list(zip(result.ids or [], result.similarities or [], strict=True)) == fused

    def test_how_many(self, local_animals: ChromaPluginVectorStore) -> None:
        """hybrid_top_k, else similarity_top_k, of what similarity_top_k and sparse_top_k let each side offer."""
        assert ask(local_animals, Mode.HYBRID, similarity_top_k=1, sparse_top_k=1, hybrid_top_k=9).ids == [
            "bird",
            "both",
        ]
        assert len(ask(local_animals, Mode.HYBRID, similarity_top_k=3).ids or []) == 3
        assert len(ask(local_animals, Mode.HYBRID, similarity_top_k=1, hybrid_top_k=4).ids or []) == 4

    def test_a_small_result_is_chosen_from_many(self, local_store: ChromaPluginVectorStore) -> None:
        """A node that is second on both sides beats the first of one, also when only one is asked for."""
        local_store.add(
            [
                TextNode(id_="near", text="nothing of it", embedding=[1.0, 0.0]),
                TextNode(id_="both", text="red fox and more words", embedding=[1.0, 0.1]),
                TextNode(id_="words", text="red fox", embedding=[-1.0, 0.1]),
                TextNode(id_="poor", text="red, but a text about many other things", embedding=[-1.0, 0.2]),
            ]
        )

        assert ask(local_store, Mode.HYBRID, query_str="red fox", similarity_top_k=1).ids == ["both"]
        assert ask(local_store, Mode.SEMANTIC_HYBRID, query_str="red fox", similarity_top_k=1).ids == ["both"]
