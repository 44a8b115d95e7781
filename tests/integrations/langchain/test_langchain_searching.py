"""Searching: filters, scores, thresholds, retrievers, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from chroma_plugin_langchain import ChromaPluginRetriever, ChromaPluginVectorStore
from chroma_plugin_langchain.scores import relevance
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document

import chroma_plugin as chromadb
from chroma_plugin import Key
from chroma_plugin.errors import InvalidArgumentError, InvalidDimensionError

Store = ChromaPluginVectorStore


@pytest.fixture
def three(store: Store) -> Store:
    store.add_documents(
        [
            Document("1,0 an apple", metadata={"n": 1, "kind": "fruit", "tags": ["red", "round"]}, id="a"),
            Document("0.8,0.6 a pear", metadata={"n": 2, "kind": "fruit", "author": {"name": "Ada"}}, id="b"),
            Document("0,1 a stone", metadata={"n": 3, "kind": "thing"}, id="c"),
        ]
    )
    return store


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        (None, ["a", "b", "c"]),
        ({"kind": "fruit"}, ["a", "b"]),
        ({"kind": "fruit", "n": {"$gt": 1}}, ["b"]),
        ({"n": {"$gt": 1, "$lt": 3}}, ["b"]),
        ({"$or": [{"n": 1}, {"n": 3}]}, ["a", "c"]),
        ({"$and": [{"kind": "fruit"}, {"n": {"$gte": 2}}]}, ["b"]),
        ({"n": {"$in": [1, 3]}}, ["a", "c"]),
        ({"tags": {"$contains": "red"}}, ["a"]),
        ({"$not": {"kind": "fruit"}}, ["c"]),
        ({"author": {"$exists": False}}, ["a", "c"]),
        (Key("author", "name") == "Ada", ["b"]),
        ((Key("n") >= 2) & ~(Key("kind") == "thing"), ["b"]),
    ],
)
def test_filters(three: Store, filter: Any, found: list[str]) -> None:
    """Chroma's form, several plain keys, and Key expressions, in every search."""
    assert ids(three.similarity_search("1,0", k=9, filter=filter)) == found
    assert ids(three.similarity_search_by_vector([1, 0], k=9, filter=filter)) == found
    assert sorted(map(str, ids(three.max_marginal_relevance_search("1,0", k=9, filter=filter)))) == found
    assert sorted(map(str, ids(three.hybrid_search("1,0", k=9, filter=filter)))) == found
    assert sorted(three.get(where=filter)["ids"]) == found


def test_where_document_and_ids_restrict_as_well(three: Store) -> None:
    """By the text, by a set of ids, by the distance, and all together."""
    assert ids(three.similarity_search("1,0", where_document={"$contains": "pear"})) == ["b"]
    assert ids(three.similarity_search("1,0", ids=["c", "b"])) == ["b", "c"]
    assert ids(three.similarity_search("1,0", max_distance=0.5, exact=True)) == ["a", "b"]
    assert ids(three.similarity_search("1,0", ids=[])) == []
    assert ids(three.text_search("pear stone", where_document={"$contains": "a stone"})) == ["c"]
    assert ids(three.max_marginal_relevance_search("1,0", ids=["c"])) == ["c"]


def test_scores_are_distances_and_rise(three: Store) -> None:
    """similarity_search_with_score keeps Chroma's meaning: 1 - cos here, lower is nearer."""
    found = three.similarity_search_with_score("1,0", k=3)

    assert [score for _, score in found] == pytest.approx([0, 0.2, 1], abs=1e-6)


def test_the_threshold_keeps_what_is_relevant_enough(three: Store) -> None:
    """In the search and in the retriever."""
    assert ids([d for d, _ in three.similarity_search_with_relevance_scores("1,0", score_threshold=0.7)]) == ["a", "b"]
    retriever = three.as_retriever(search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.9})
    assert ids(retriever.invoke("1,0")) == ["a"]


def test_a_relevance_function_of_ones_own(client: chromadb.Client, name: str, compass: Any) -> None:
    """relevance_score_fn is used instead of ours."""
    store = Store(name, compass, client=client, relevance_score_fn=lambda distance: 0.25)
    store.add_texts(["1,0"])

    assert store.similarity_search_with_relevance_scores("1,0")[0][1] == 0.25
    assert store.similarity_search_by_vector_with_relevance_scores([1, 0])[0][1] == 0.25


@settings(deadline=None)
@given(st.sampled_from(["cosine", "l2", "ip"]), st.floats(0, 1e6), st.floats(0, 1e6))
def test_relevance_is_in_bounds_and_never_rises_with_the_distance(space: str, one: float, other: float) -> None:
    """For every space and any two distances."""
    near, far = sorted((one, other))

    assert 0 <= relevance(space, far) <= relevance(space, near) <= 1
    assert relevance(space, 0) == 1


def test_search_by_name(three: Store) -> None:
    """`search` takes the names of all search types, and refuses others."""
    for search_type in ("similarity", "mmr", "hybrid", "text"):
        assert three.search("1,0 an apple", search_type, k=1)[0].id == "a"
    with pytest.raises(ValueError, match="nearest"):
        three.search("1,0", "nearest")


async def test_search_by_name_in_async_code(three: Store) -> None:
    """`asearch` is the same."""
    for search_type in ("similarity", "mmr", "hybrid", "text"):
        assert (await three.asearch("1,0 an apple", search_type, k=1))[0].id == "a"


@pytest.mark.parametrize("search_type", ["similarity", "mmr", "hybrid", "text"])
async def test_retrievers(three: Store, search_type: str) -> None:
    """Each search type, sync and async; what is passed to invoke comes before search_kwargs."""
    retriever = three.as_retriever(search_type=search_type, search_kwargs={"k": 2, "filter": {"kind": "fruit"}})
    question = "1,0 an apple a pear"

    assert isinstance(retriever, ChromaPluginRetriever)
    assert sorted(map(str, ids(retriever.invoke(question)))) == ["a", "b"]
    assert sorted(map(str, ids(await retriever.ainvoke(question)))) == ["a", "b"]
    assert ids(retriever.invoke(question, k=1)) == ["a"]
    assert sorted(map(str, ids(retriever.batch([question, question])[1]))) == ["a", "b"]


def test_a_retriever_refuses_other_search_types_and_adds_documents(three: Store) -> None:
    """As LangChain's does; it has the tags of its store."""
    with pytest.raises(ValueError, match="not allowed"):
        three.as_retriever(search_type="nearest")
    retriever = three.as_retriever(tags=["mine"])

    assert retriever.add_documents([Document("9,9", id="z")]) == ["z"]
    assert retriever.tags == ["mine", "ChromaPluginVectorStore", "Compass"]


def test_hybrid_scores_fall_and_text_needs_a_word(three: Store) -> None:
    """Higher is better; text search finds only documents with one of the words."""
    hybrid = [score for _, score in three.hybrid_search_with_score("1,0 stone", k=3)]
    text = three.text_search_with_score("stone pear", k=9)

    assert hybrid == sorted(hybrid, reverse=True)
    assert sorted(str(document.id) for document, _ in text) == ["b", "c"]
    assert three.text_search("nothing like it") == []


def test_unknown_arguments_are_refused_with_those_that_there_are(three: Store) -> None:
    """Nothing that a caller wrote is ignored, except what LangChain itself passes on."""
    for search in (
        three.similarity_search,
        three.similarity_search_with_score,
        three.similarity_search_with_relevance_scores,
        three.hybrid_search,
        three.text_search,
        three.max_marginal_relevance_search,
    ):
        with pytest.raises(InvalidArgumentError, match=r"Unknown keyword arguments .*'where'.*filter"):
            search("1,0", where={"n": 1})
    with pytest.raises(InvalidArgumentError, match="vector_field"):
        three.add_texts(["1,0"], vector_field="v")
    with pytest.raises(InvalidArgumentError, match="limit"):
        three.delete(["a"], limit=1)

    assert len(three.add_texts(["1,0"], batch_size=1, current_time=None)) == 1


def test_wrong_arguments_are_refused(three: Store) -> None:
    """With the library's error, which is a ValueError and a TypeError."""
    for call in (
        lambda: three.similarity_search("1,0", k=0),
        lambda: three.similarity_search(None),
        lambda: three.similarity_search("1,0", filter="n = 1"),
        lambda: three.similarity_search("1,0", filter={"n": {"$like": 1}}),
        lambda: three.similarity_search_by_vector(None),
        lambda: three.similarity_search_by_vector([[1, 0], [0, 1]]),
        lambda: three.add_texts("1,0"),
        lambda: three.add_texts(["1,0"], ids="a"),
        lambda: three.add_texts(["1,0"], batch_size=0),
        lambda: three.add_texts(["1,0", "0,1"], ids=["same", "same"]),
        lambda: three.add_documents(["text"]),
        three.delete,
        lambda: three.delete(filter={}),
        lambda: three.delete(filter={"n": 1}, where={"n": 1}),
    ):
        with pytest.raises(InvalidArgumentError):
            call()
    with pytest.raises(InvalidDimensionError):
        three.similarity_search_by_vector([1, 2, 3])

    assert len(three.get()["ids"]) == 3


def test_records_without_text_are_documents_with_an_empty_one(store: Store) -> None:
    """Nothing that was found is left out."""
    store.add_embeddings([[1, 0], [0, 1]], [{"n": 1}, None], ["a", "b"], [None, "0,1"])

    assert store.similarity_search("1,0") == [Document("", metadata={"n": 1}, id="a"), Document("0,1", id="b")]
    assert store.get_by_ids(["a"]) == [Document("", metadata={"n": 1}, id="a")]


def test_deleting_by_filter(three: Store) -> None:
    """By metadata, by text, and ids and filter together."""
    assert three.delete(filter={"n": 1}) is True
    assert three.delete(ids=["b", "c"], where={"kind": "thing"}) is True
    assert three.get()["ids"] == ["b"]
    assert three.delete(where_document={"$contains": "pear"}) is True
    assert three.get()["ids"] == []
