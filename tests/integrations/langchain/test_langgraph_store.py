"""`ChromaPluginStore`: LangGraph's long-term memory in a collection, with the answers of LangGraph's own store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypedDict

import numpy as np
import pytest
from chroma_plugin_langchain import ChromaPluginStore
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedStore, ToolNode
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchItem,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore
from support.places import PLACES, open_place

import chroma_plugin as chromadb
from chroma_plugin.embedding_functions import HashingEmbeddingFunction
from chroma_plugin.errors import InvalidArgumentError, InvalidDimensionError

HASHING = HashingEmbeddingFunction(256)


class Words(Embeddings):
    """Texts are near when they share words; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked.extend(texts)
        vectors: list[list[float]] = np.asarray(HASHING(texts)).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class Clock:
    """The time, as a test sets it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


@pytest.fixture(params=PLACES)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[chromadb.Client]:
    with open_place(request.param, tmp_path) as client:
        yield client


@pytest.fixture
def store(client: chromadb.Client) -> ChromaPluginStore:
    """Without an index."""
    return ChromaPluginStore(client=client)


@pytest.fixture
def semantic(client: chromadb.Client) -> ChromaPluginStore:
    """With an index of the fields text and tags."""
    return ChromaPluginStore(client=client, index={"embed": Words(), "dims": 256, "fields": ["text", "tags[*]"]})


def keys(found: list[SearchItem]) -> list[str]:
    return [item.key for item in found]


# -- items -----------------------------------------------------------------------------------------------------------

VALUE: dict[str, Any] = {
    "text": "likes ‘tea’ \ud800",
    "n": 1.5,
    "huge": 2**70,
    "flag": True,
    "nothing": None,
    "deep": {"list": [1, {"a": []}], "": {}},
    "$or": ["no operator"],
}


def test_a_value_comes_back_as_it_was_put(store: ChromaPluginStore) -> None:
    """Any JSON, under any key, as a copy."""
    store.put(("users", "ada"), "$k/1", VALUE)
    item = store.get(("users", "ada"), "$k/1")
    assert item is not None
    assert (item.value, item.key, item.namespace) == (VALUE, "$k/1", ("users", "ada"))
    assert item.created_at == item.updated_at
    item.value["n"] = 2
    assert store.search(("users",))[0].value == VALUE


def test_putting_again_replaces_the_value_and_keeps_the_time_of_creation(client: chromadb.Client) -> None:
    """Entries are not merged; created_at stays, updated_at moves."""
    clock = Clock()
    store = ChromaPluginStore(client=client, clock=clock)
    store.put(("a",), "k", {"old": 1})
    clock.pass_minutes(5)
    store.put(("a",), "k", {"new": 2})
    item = store.get(("a",), "k")
    assert item is not None
    assert item.value == {"new": 2}
    assert item.updated_at - item.created_at == timedelta(minutes=5)
    assert store.search(("a",), filter={"old": 1}) == []


def test_deleting(store: ChromaPluginStore) -> None:
    """A deleted item is gone, its namespace with it; deleting what is not there does nothing."""
    store.put(("a",), "k", {})
    store.delete(("a",), "k")
    store.delete(("a",), "k")
    store.delete(("never",), "k")
    assert store.get(("a",), "k") is None
    assert store.list_namespaces() == []
    assert store.collection.count() == 0


@pytest.mark.parametrize("value", [{"x": object()}, {"x": float("nan")}, {1: "x"}, [1]])
def test_what_is_no_json_is_refused(store: ChromaPluginStore, value: Any) -> None:
    """With nothing of the batch written."""
    with pytest.raises(InvalidArgumentError):
        store.batch([PutOp(("a",), "good", {"x": 1}), PutOp(("a",), "bad", value)])
    assert store.collection.count() == 0


def test_a_batch_reads_before_it_writes_and_the_last_put_counts(store: ChromaPluginStore) -> None:
    """As in LangGraph's stores: results are in order, and of the time before the batch."""
    store.put(("a",), "k", {"n": 1})
    results = store.batch(
        [
            PutOp(("a",), "k", {"n": 2}),
            GetOp(("a",), "k"),
            SearchOp(("a",)),
            PutOp(("a",), "k", {"n": 3}),
            PutOp(("b",), "k", {"n": 4}),
            PutOp(("b",), "k", None),
            ListNamespacesOp(),
            GetOp(("b",), "k"),
        ]
    )
    assert results[0] is results[3] is results[4] is results[7] is None
    assert isinstance(results[1], Item)
    assert results[1].value == {"n": 1}
    assert [found.value for found in results[2]] == [{"n": 1}]
    assert results[6] == [("a",)]
    assert [found.value for found in store.search(())] == [{"n": 3}]


def test_what_is_no_operation_is_refused(store: ChromaPluginStore) -> None:
    """Before anything is done."""
    with pytest.raises(ValueError, match="no operation"):
        store.batch([PutOp(("a",), "k", {}), "get"])  # type: ignore[list-item]
    assert store.collection.count() == 0


# -- namespaces ------------------------------------------------------------------------------------------------------

AWKWARD = [("a",), ("a", "b"), ("ab",), ('a","b',), ("a]", "b"), ("*",), ("%",), ("a\\",), ("a", "b", "c"), ("b", "a")]


def test_a_prefix_finds_exactly_what_is_below_it(store: ChromaPluginStore) -> None:
    """No label is a pattern, and none is taken for two."""
    store.batch([PutOp(namespace, "k", {"at": list(namespace)}) for namespace in AWKWARD])
    for prefix in [(), *AWKWARD, ("a", "*"), ("", "a")[1:]]:
        below = [namespace for namespace in AWKWARD if namespace[: len(prefix)] == prefix]
        assert [found.namespace for found in store.search(prefix, limit=50)] == below


def test_the_same_key_in_two_namespaces_is_two_items(store: ChromaPluginStore) -> None:
    """However the labels and the key could be glued together."""
    pairs = [(("a",), "b"), (("a", "b"), "c"), (("a",), '","b'), (('a","',), "b"), (("a",), "b]")]
    store.batch([PutOp(namespace, key, {"n": number}) for number, (namespace, key) in enumerate(pairs)])
    for number, (namespace, key) in enumerate(pairs):
        item = store.get(namespace, key)
        assert item is not None
        assert item.value == {"n": number}


def test_bad_namespaces_are_refused(store: ChromaPluginStore) -> None:
    """By the methods as LangGraph says, and in batches where they could not be stored."""
    for namespace in [(), ("a.b",), ("",), ("langgraph", "x")]:
        with pytest.raises(InvalidNamespaceError):
            store.put(namespace, "k", {})
    with pytest.raises(InvalidNamespaceError):
        store.batch([PutOp(("a", ""), "k", {})])
    with pytest.raises(InvalidNamespaceError):
        store.batch([PutOp(("a", 5), "k", {})])  # type: ignore[arg-type]


def test_list_namespaces(store: ChromaPluginStore) -> None:
    """By prefix and suffix, with wildcards, cut to a depth, in pages."""
    spaces = [("a", "b", "c"), ("a", "b", "d", "e"), ("a", "b", "d", "i"), ("a", "b", "f"), ("a", "c", "f"), ("z",)]
    store.batch([PutOp(space, key, {}) for space in spaces for key in ("k", "l")])
    assert store.list_namespaces() == spaces
    assert store.list_namespaces(prefix=("a", "b"), max_depth=3) == [("a", "b", "c"), ("a", "b", "d"), ("a", "b", "f")]
    assert store.list_namespaces(prefix=("a", "*", "f")) == [("a", "b", "f"), ("a", "c", "f")]
    assert store.list_namespaces(suffix=("f",)) == [("a", "b", "f"), ("a", "c", "f")]
    assert store.list_namespaces(prefix=("a", "b"), suffix=("d", "*")) == [("a", "b", "d", "e"), ("a", "b", "d", "i")]
    assert store.list_namespaces(limit=2, offset=1) == spaces[1:3]
    with pytest.raises(ValueError, match="its prefix or its suffix"):
        store.batch([ListNamespacesOp((MatchCondition("infix", ("a",)),))])  # type: ignore[arg-type]


# -- searching -------------------------------------------------------------------------------------------------------


def test_search_in_pages(store: ChromaPluginStore) -> None:
    """In the order of insertion; an item that is replaced keeps its place."""
    store.batch([PutOp(("a",), str(number), {"n": number}) for number in range(7)])
    store.put(("a",), "2", {"n": 20})
    assert keys(store.search(("a",), limit=3)) == ["0", "1", "2"]
    assert keys(store.search(("a",), limit=3, offset=6)) == ["6"]
    assert store.search(("a",), limit=0) == []
    assert keys(store.search(("a",), filter={"n": {"$gt": 2}}, limit=2, offset=1)) == ["3", "4"]
    with pytest.raises(ValueError, match="must not be negative"):
        store.search(("a",), limit=-1)


ITEMS: dict[str, dict[str, Any]] = {
    "a": {"color": "red", "n": 1, "date": "2026-01-05", "tags": ["x", "y"], "size": {"h": 1, "w": 2}},
    "b": {"color": "blue", "n": 2.5, "date": "2026-02-01", "flag": True, "none": None},
    "c": {"color": "", "n": -(2**63), "flag": 1, "size": {"h": 1, "w": {"x": 1}}},
    "d": {"n": 2**80, "tags": [], "color": ["red"]},
    "e": {"n": "2", "color": {"$eq": "red"}},
}


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({}, "abcde"),
        ({"color": "red"}, "a"),
        ({"color": {"$ne": "red"}}, "bcde"),
        ({"color": {"$eq": None}}, ""),
        ({"none": None}, "abcde"),
        ({"tags": None}, "bce"),
        ({"tags": {"$ne": None}}, "ad"),
        ({"n": {"$gt": 1}}, "bd"),
        ({"n": {"$gte": 1, "$lt": 2**80}}, "ab"),
        ({"n": {"$lt": 0}}, "c"),
        ({"n": {"$eq": 2**80}}, "d"),
        ({"n": {"$ne": 2**80 + 1}}, "abcde"),
        ({"n": {"$lte": float("inf")}}, "abcd"),
        ({"n": {"$gt": "1"}}, "e"),
        ({"n": {"$gt": None}}, ""),
        ({"n": {"$gt": False}}, ""),
        ({"date": {"$gte": "2026-01-05", "$lt": "2026-02"}}, "a"),
        ({"flag": True}, "b"),
        ({"flag": 1}, "c"),
        ({"flag": 1.0}, "c"),
        ({"tags": ["x", "y"]}, "a"),
        ({"tags": ["x", {"$gt": "x"}]}, "a"),
        ({"tags": {"$eq": []}}, "d"),
        ({"size": {"h": 1}}, "ac"),
        ({"size": {"h": {"$gte": 1}, "w": {"x": 1}}}, "c"),
        ({"size": {"$eq": {"w": 2, "h": 1}}}, "a"),
        ({"size": {"$ne": {"h": 1, "w": 2}}, "color": {"$ne": "blue"}}, "cde"),
        ({"color": {"$eq": {"$eq": "red"}}}, "e"),
        ({"color": "red", "n": 2}, ""),
        ({"absent": {"$ne": 1}}, "abcde"),
    ],
)
def test_filters(store: ChromaPluginStore, filter: dict[str, Any], expected: str) -> None:
    """All operators, nested dicts and lists; types do not coerce, missing is None."""
    store.batch([PutOp(("a",), key, value) for key, value in ITEMS.items()])
    assert keys(store.search(("a",), filter=filter)) == list(expected)


@pytest.mark.parametrize("filter", [{"n": {"$in": [1]}}, {"n": {"$gt": 1, "x": 2}}, {"n": {"deep": [{"$like": "x"}]}}])
def test_an_unknown_operator_is_refused(store: ChromaPluginStore, filter: dict[str, Any]) -> None:
    """Even when there is nothing to compare."""
    with pytest.raises(ValueError, match="no operator"):
        store.search(("a",), filter=filter)


# -- by meaning ------------------------------------------------------------------------------------------------------


def fill(store: BaseStore) -> None:
    store.put(("u", "1"), "tea", {"text": "green tea in the morning", "kind": "drink"})
    store.put(("u", "1"), "bike", {"text": "rides a bike to work", "kind": "habit", "tags": ["bike", "green city"]})
    store.put(("u", "2"), "coffee", {"text": "black coffee in the morning", "kind": "drink"})
    store.put(("u", "2"), "secret", {"text": "green tea"}, index=False)


def test_the_most_similar_come_first(semantic: ChromaPluginStore) -> None:
    """With their cosine as the score; what has no vector comes last, without one."""
    fill(semantic)
    found = semantic.search(("u",), query="green tea in the morning")
    assert keys(found) == ["tea", "coffee", "bike", "secret"]
    scores = [item.score for item in found]
    assert scores[0] == pytest.approx(1, abs=1e-5)
    assert scores[-1] is None
    assert scores[:3] == sorted(scores[:3], reverse=True)


def test_pages_of_a_semantic_search_do_not_overlap(semantic: ChromaPluginStore) -> None:
    """Also across the end of what is scored."""
    fill(semantic)
    whole = keys(semantic.search(("u",), query="green tea"))
    pages = [semantic.search(("u",), query="green tea", limit=1, offset=offset) for offset in range(5)]
    assert [keys(page) for page in pages] == [[key] for key in whole] + [[]]


def test_an_item_is_found_by_each_of_its_texts(semantic: ChromaPluginStore) -> None:
    """Every element of a list has a vector; the best of them is the item's score, and the item comes once."""
    fill(semantic)
    found = semantic.search(("u",), query="green city", limit=10)
    assert keys(found).count("bike") == 1
    assert found[0].key == "bike"
    assert found[0].score == pytest.approx(1, abs=1e-5)


def test_many_vectors_of_one_item_do_not_hide_others(semantic: ChromaPluginStore) -> None:
    """As many items as asked for, however many vectors the best of them has."""
    semantic.put(("a",), "long", {"tags": [f"tea number {number}" for number in range(50)]})
    semantic.put(("a",), "short", {"text": "tea"})
    semantic.put(("a",), "other", {"text": "nothing of the kind"})
    assert keys(semantic.search(("a",), query="tea number 7", limit=3)) == ["long", "short", "other"]


def test_filters_and_namespaces_hold_for_semantic_searches(semantic: ChromaPluginStore) -> None:
    """Both kinds of filters: those of the collection and those over whole values."""
    fill(semantic)
    assert keys(semantic.search(("u",), query="green tea", filter={"kind": "drink"})) == ["tea", "coffee"]
    assert keys(semantic.search(("u", "1"), query="morning", filter={"kind": "drink"})) == ["tea"]
    assert keys(semantic.search(("u",), query="green", filter={"tags": ["bike", "green city"]})) == ["bike"]
    assert keys(semantic.search(("u",), query="green", filter={"kind": None})) == ["secret"]


def test_putting_again_forgets_the_old_texts(semantic: ChromaPluginStore) -> None:
    """A shorter value leaves no vector behind, nor does index=False, nor a delete."""
    fill(semantic)
    semantic.put(("u", "1"), "bike", {"text": "walks to work", "tags": []})
    assert semantic.search(("u",), query="green city")[0].key != "bike"
    semantic.put(("u", "1"), "bike", {"text": "walks to work"}, index=False)
    assert semantic.search(("u", "1"), query="walks to work")[-1].score is None
    assert semantic.collection.count() == 4
    semantic.delete(("u", "1"), "bike")
    assert semantic.collection.count() == 3


def test_fields_of_a_put(semantic: ChromaPluginStore) -> None:
    """index=[...] of a put replaces the fields of the store, paths and all."""
    semantic.put(
        ("a",), "k", {"text": "tea", "deep": [{"note": "harbour"}, {"note": "castle"}]}, index=["deep[*].note"]
    )
    semantic.put(("a",), "whole", {"other": "castle"}, index=["$"])
    found = semantic.search(("a",), query="castle")
    assert found[0].key == "k"
    assert found[0].score == pytest.approx(1, abs=1e-5)
    assert found[1].score is not None
    assert semantic.search(("a",), query="tea")[0].score < 0.5


def test_each_text_is_embedded_once(client: chromadb.Client) -> None:
    """One call of the model for a batch, without repetitions."""
    words = Words()
    store = ChromaPluginStore(client=client, index={"embed": words, "fields": ["text"]})
    store.batch([PutOp(("a",), str(number), {"text": "the same"}) for number in range(3)])
    assert words.asked == ["the same"]
    assert [item.score for item in store.search(("a",), query="the same")] == pytest.approx([1, 1, 1], abs=1e-5)


@pytest.mark.parametrize("space", ["cosine", "l2", "ip"])
def test_scores_are_cosines_in_every_space(client: chromadb.Client, space: str) -> None:
    """Whatever the collection measures, and however long the vectors of the model are."""
    collection = client.create_collection("any", embedding_function=None, configuration={"hnsw": {"space": space}})
    vectors = {"east": [5.0, 0.0], "north": [0.0, 0.1], "west": [-3.0, 0.0], "zero": [0.0, 0.0]}
    store = ChromaPluginStore(
        collection, index={"embed": lambda texts: [vectors[text] for text in texts], "fields": ["way"]}
    )
    store.batch([PutOp(("a",), way, {"way": way}) for way in vectors])
    found = store.search(("a",), query="east")
    assert keys(found) == ["east", "north", "west", "zero"]
    assert [item.score for item in found[:3]] == pytest.approx([1, 0, -1], abs=1e-6)
    assert found[3].score is None
    assert {item.score for item in store.search(("a",), query="zero")} == {None}


def test_the_collection_s_embedding_function_is_the_default(client: chromadb.Client) -> None:
    """index={"fields": ...} is enough for a collection that can embed."""
    collection = client.create_collection("own", embedding_function=HASHING)
    store: ChromaPluginStore = collection.adapt("langgraph", index={"fields": ["text"]})
    fill(store)
    assert store.search(("u",), query="black coffee")[0].key == "coffee"


def test_without_an_index_a_query_is_ignored(store: ChromaPluginStore) -> None:
    """All items in the order of insertion, without scores; nothing is embedded."""
    fill(store)
    found = store.search(("u",), query="coffee")
    assert keys(found) == ["tea", "bike", "coffee", "secret"]
    assert {item.score for item in found} == {None}
    assert store.search(("u",), query="coffee", limit=1, offset=2)[0].key == "coffee"


def test_unindexed_items_may_come_first(semantic: ChromaPluginStore, client: chromadb.Client) -> None:
    """Nothing has to be embedded to know the dimension, with dims or without."""
    semantic.put(("a",), "quiet", {"text": "x"}, index=False)
    semantic.put(("a",), "loud", {"text": "tea"})
    assert semantic.search(("a",), query="tea")[0].key == "loud"
    guessing = ChromaPluginStore(client=client, collection_name="other", index={"embed": Words(), "fields": ["text"]})
    guessing.put(("a",), "quiet", {"text": "x"}, index=False)
    guessing.put(("a",), "loud", {"text": "tea"})
    assert guessing.search(("a",), query="tea")[0].key == "loud"


def test_a_store_is_opened_again(tmp_path: Path) -> None:
    """Items, vectors and times are there in the next process, and a store without an index may write, too."""
    with chromadb.PersistentClient(tmp_path) as client:
        fill(ChromaPluginStore(client=client, index={"embed": Words(), "fields": ["text"]}))
    with chromadb.PersistentClient(tmp_path) as client:
        ChromaPluginStore(client=client).put(("u", "3"), "plain", {"text": "no vector"})
        store = ChromaPluginStore(client=client, index={"embed": Words(), "fields": ["text"]})
        assert keys(store.search(("u",), query="black coffee"))[0] == "coffee"
        assert store.search(("u",), query="black coffee")[-1].key == "plain"


def test_wrong_dimensions_are_named(client: chromadb.Client) -> None:
    """When the model does not give what dims says; nothing is written."""
    store = ChromaPluginStore(client=client, index={"embed": Words(), "dims": 8})
    with pytest.raises(InvalidDimensionError, match=r"dims.*8.*256"):
        store.put(("a",), "k", {"text": "x"})
    assert store.collection.count() == 0


def test_wrong_constructions_are_refused(client: chromadb.Client) -> None:
    """One place, and something to embed with."""
    with pytest.raises(InvalidArgumentError, match="either collection= or client="):
        ChromaPluginStore()
    with pytest.raises(InvalidArgumentError, match="index needs 'embed'"):
        ChromaPluginStore(client=client, index={"dims": 8})


def test_other_records_of_the_collection_are_left_alone(client: chromadb.Client) -> None:
    """They are never found, listed, swept or overwritten."""
    collection = client.create_collection("shared", embedding_function=None)
    collection.add(ids=["theirs"], embeddings=[np.ones(256)], documents=["green tea"], metadatas=[{"expires": 1}])
    store = ChromaPluginStore(collection, index={"embed": Words(), "fields": ["text"]})
    fill(store)
    assert len(store.search((), query="green tea", limit=50)) == len(store.search((), limit=50)) == 4
    assert store.list_namespaces() == [("u", "1"), ("u", "2")]
    store.sweep_ttl()
    assert collection.get(ids=["theirs"])["documents"] == ["green tea"]


def test_many_threads_put_one_item(client: chromadb.Client) -> None:
    """Nobody's vectors are left behind: the records are those of the item that is there."""
    store = ChromaPluginStore(client=client, index={"embed": Words(), "fields": ["tags[*]"]})

    def put(number: int) -> None:
        store.put(("a",), "k", {"tags": [f"{number} of {tag}" for tag in range(number % 5)]})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(40)))
    item = store.get(("a",), "k")
    assert item is not None
    assert store.collection.count() == max(1, len(item.value["tags"]))


# -- time to live ----------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


def expiring(client: chromadb.Client, clock: Clock, **ttl: Any) -> ChromaPluginStore:
    return ChromaPluginStore(
        client=client, clock=clock, ttl=ttl, index={"embed": Words(), "fields": ["text", "tags[*]"]}
    )  # type: ignore[typeddict-item]


def test_an_expired_item_is_not_there(client: chromadb.Client, clock: Clock) -> None:
    """Not for get, search, with or without a query, nor in the list of namespaces; others are."""
    store = expiring(client, clock)
    store.put(("a",), "short", {"text": "tea", "tags": ["t", "u"]}, ttl=10)
    store.put(("b",), "long", {"text": "tea"}, ttl=60)
    store.put(("c",), "ever", {"text": "tea"}, ttl=None)
    clock.pass_minutes(10)
    assert store.get(("a",), "short") is None
    assert keys(store.search(())) == ["long", "ever"]
    assert keys(store.search((), query="tea")) == ["long", "ever"]
    assert keys(store.search((), query="t")) == ["long", "ever"]
    assert keys(store.search((), filter={"tags": None})) == ["long", "ever"]
    assert store.list_namespaces() == [("b",), ("c",)]


def test_reading_begins_the_time_anew(client: chromadb.Client, clock: Clock) -> None:
    """By get and by search, unless they are told not to, or the store is."""
    store = expiring(client, clock)
    for key in ("read", "found", "left", "peeked"):
        store.put((key,), "k", {"text": "tea", "tags": ["more"]}, ttl=10)
    clock.pass_minutes(6)
    store.get(("read",), "k")
    store.search(("found",), query="tea")
    store.get(("peeked",), "k", refresh_ttl=False)
    store.search(("peeked",), refresh_ttl=False)
    clock.pass_minutes(6)
    assert [found.namespace for found in store.search((), refresh_ttl=False)] == [("read",), ("found",)]
    assert len(store.search((), query="more", refresh_ttl=False)) == 2
    quiet = expiring(client, clock, refresh_on_read=False)
    quiet.get(("read",), "k")
    clock.pass_minutes(6)
    assert quiet.get(("read",), "k") is None


@pytest.mark.parametrize("ttl", [float("inf"), float("nan"), "soon", True])
def test_a_ttl_is_a_number_of_minutes(client: chromadb.Client, clock: Clock, ttl: Any) -> None:
    """Anything else is refused, and nothing is written."""
    store = expiring(client, clock)
    with pytest.raises(InvalidArgumentError, match="ttl must be a number of minutes"):
        store.put(("a",), "k", {}, ttl=ttl)
    assert store.collection.count() == 0


def test_default_ttl(client: chromadb.Client, clock: Clock) -> None:
    """For puts that name none; ttl=None keeps an item for ever; putting again begins anew."""
    store = expiring(client, clock, default_ttl=10)
    store.put(("a",), "default", {})
    store.put(("a",), "again", {})
    store.put(("a",), "ever", {}, ttl=None)
    clock.pass_minutes(6)
    store.put(("a",), "again", {})
    clock.pass_minutes(6)
    assert keys(store.search(("a",))) == ["again", "ever"]


def test_sweep_ttl_deletes_what_has_expired(client: chromadb.Client, clock: Clock) -> None:
    """All their records, and says how many items it were."""
    store = expiring(client, clock)
    store.put(("a",), "short", {"text": "tea", "tags": ["t", "u"]}, ttl=10)
    store.put(("a",), "ever", {"text": "tea"})
    assert store.sweep_ttl() == 0
    clock.pass_minutes(11)
    assert store.sweep_ttl() == 1
    assert store.collection.count() == 1


async def test_writes_sweep_now_and_then(client: chromadb.Client, clock: Clock) -> None:
    """With sweep_interval_minutes, by the way, when so much time has passed."""
    store = expiring(client, clock, sweep_interval_minutes=30)
    store.put(("a",), "short", {}, ttl=10)
    clock.pass_minutes(20)
    store.put(("a",), "b", {})
    assert store.collection.count() == 2
    clock.pass_minutes(20)
    await store.aput(("a",), "c", {})
    assert store.collection.count() == 2
    assert await store.asweep_ttl() == 0


def test_expired_items_may_be_shown(client: chromadb.Client, clock: Clock) -> None:
    """omit_expired=False: until they are swept."""
    store = expiring(client, clock, omit_expired=False, refresh_on_read=False)
    store.put(("a",), "k", {}, ttl=1)
    clock.pass_minutes(2)
    assert store.get(("a",), "k") is not None
    assert store.sweep_ttl() == 1
    assert store.get(("a",), "k") is None


def test_an_item_put_after_it_expired_is_new(client: chromadb.Client, clock: Clock) -> None:
    """It was created when it was put again, and no vector of the old one is left."""
    store = expiring(client, clock)
    store.put(("a",), "k", {"tags": ["x", "y", "z"]}, ttl=1)
    clock.pass_minutes(2)
    store.put(("a",), "k", {"tags": ["x"]})
    item = store.get(("a",), "k")
    assert item is not None
    assert item.created_at == clock.now
    assert store.collection.count() == 1


# -- async -----------------------------------------------------------------------------------------------------------


async def test_async_methods_await_the_model(client: chromadb.Client) -> None:
    """An async function of texts is enough for them; the blocking methods say what is missing."""

    async def embed(texts: list[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        return np.asarray(HASHING(texts)).tolist()  # type: ignore[no-any-return]

    store = ChromaPluginStore(client=client, index={"embed": embed, "fields": ["text"]})
    await asyncio.gather(*(store.aput(("a",), str(n), {"text": f"tea {n}"}) for n in range(20)))
    found = await asyncio.gather(*(store.asearch(("a",), query=f"tea {n}", limit=1) for n in range(20)))
    assert [keys(page) for page in found] == [[str(n)] for n in range(20)]
    item = await store.aget(("a",), "7")
    assert item is not None
    assert item.value == {"text": "tea 7"}
    assert await store.alist_namespaces() == [("a",)]
    await store.adelete(("a",), "7")
    assert await store.aget(("a",), "7") is None
    with pytest.raises(ValueError, match="async function but no sync"):
        store.search(("a",), query="tea")


async def test_an_async_collection_is_adapted() -> None:
    """`await collection.adapt("langgraph")` is the way; the class says so."""
    async with chromadb.AsyncClient() as client:
        collection = await client.create_collection("memories", embedding_function=None)
        with pytest.raises(InvalidArgumentError, match=r"await collection\.adapt"):
            ChromaPluginStore(collection)  # type: ignore[arg-type]
        store = await collection.adapt("langgraph")
        await store.aput(("a",), "k", {"n": 1})
        assert (await store.aget(("a",), "k")).value == {"n": 1}


# -- as LangGraph's own ----------------------------------------------------------------------------------------------

LABELS = st.sampled_from(["a", "b", "*x"])
NAMESPACES = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
KEYS = st.sampled_from(["k", "l"])
SCALARS = st.sampled_from([2, 2.0, 3.5, -1, "2", "x", "", None])
NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["p", "q"]), inner, max_size=2)
)
VALUES = st.fixed_dictionaries({"n": st.integers(-3, 3)}, optional={"v": NESTED, "w": NESTED})
ORDERS = st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte", "$eq", "$ne"]), st.integers(-3, 3), min_size=1)
FILTERS = st.fixed_dictionaries(
    {}, optional={"n": ORDERS, "v": NESTED, "w": st.dictionaries(st.sampled_from(["$eq", "$ne"]), NESTED, min_size=1)}
)
PATHS = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=2).map(tuple)
CONDITIONS = st.builds(MatchCondition, st.sampled_from(["prefix", "suffix"]), PATHS)
BATCHES = st.lists(
    st.lists(
        st.one_of(
            st.tuples(NAMESPACES, KEYS, VALUES).map(lambda given: PutOp(*given)),
            st.tuples(NAMESPACES, KEYS, st.none()).map(lambda given: PutOp(*given)),
            st.tuples(NAMESPACES, KEYS).map(lambda given: GetOp(*given)),
            st.tuples(NAMESPACES | st.just(()), FILTERS, st.just(100)).map(lambda given: SearchOp(*given)),
            st.tuples(
                st.lists(CONDITIONS, max_size=2).map(tuple),
                st.none() | st.integers(1, 3),
                st.integers(0, 5),
                st.integers(0, 2),
            ).map(lambda given: ListNamespacesOp(*given)),
        ),
        max_size=5,
    ),
    max_size=8,
)


class PlainMemory(InMemoryStore):
    """LangGraph's store without its memory of namespaces that are empty, or were only asked for."""

    def _handle_list_namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        for namespace in [namespace for namespace, items in self._data.items() if not items]:
            del self._data[namespace]
        return super()._handle_list_namespaces(op)


def answer(result: Any) -> Any:
    """What both stores must agree on: their times differ, and the order of items of several namespaces."""
    if isinstance(result, Item):
        return (result.namespace, result.key, result.value)
    if isinstance(result, list) and result and isinstance(result[0], Item):
        # LangGraph's store goes through one namespace after the other.
        return sorted((answer(item) for item in result), key=lambda told: told[0])
    return result


@given(batches=BATCHES)
@settings(max_examples=150, deadline=None)
def test_any_operations_have_langgraph_s_answers(batches: list[list[Any]]) -> None:
    """Whatever is put, deleted, read, filtered and listed: as `InMemoryStore`."""
    with chromadb.Client() as client:
        ours, theirs = ChromaPluginStore(client=client), PlainMemory()
        for batch in batches:
            assert list(map(answer, ours.batch(batch))) == list(map(answer, theirs.batch(batch)))


TEXTS = st.sampled_from(["tea", "green tea", "black coffee", "a bike", "bike and tea"])
PUTS = st.lists(st.tuples(KEYS, st.lists(TEXTS, max_size=3, unique=True), st.booleans()), max_size=8)


@given(puts=PUTS, query=TEXTS, limit=st.integers(1, 5))
@settings(max_examples=80, deadline=None)
def test_searches_by_meaning_have_langgraph_s_scores(puts: list[Any], query: str, limit: int) -> None:
    """The same scores in the same order, from the vectors of all texts of an item."""
    config: Any = {"embed": Words(), "dims": 256, "fields": ["texts[*]"]}
    with chromadb.Client() as client:
        ours, theirs = ChromaPluginStore(client=client, index=config), InMemoryStore(index=config)
        for key, texts, indexed in puts:
            theirs.delete(("a",), key)  # it would keep the vectors of the old value
            for store in (ours, theirs):
                store.put(("a",), key, {"texts": texts}, index=None if indexed else False)
        found, expected = (store.search(("a",), query=query, limit=limit) for store in (ours, theirs))
        assert [item.score is None for item in found] == [item.score is None for item in expected]
        scores = [[item.score for item in items if item.score is not None] for items in (found, expected)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-5)


# -- in a graph ------------------------------------------------------------------------------------------------------


class State(TypedDict):
    said: str
    remembered: list[str]


async def test_a_compiled_graph_remembers(semantic: ChromaPluginStore) -> None:
    """`compile(store=...)`: nodes are given the store, and threads share what they put there, sync and async."""

    def remember(state: State, *, store: BaseStore) -> dict[str, Any]:
        known = store.search(("memories",), query=state["said"], limit=1)
        store.put(("memories",), state["said"], {"text": state["said"]})
        return {"remembered": [item.value["text"] for item in known]}

    builder = StateGraph(State)
    builder.add_node("remember", remember)
    builder.add_edge(START, "remember")
    builder.add_edge("remember", END)
    graph = builder.compile(store=semantic)
    assert graph.invoke({"said": "I drink green tea", "remembered": []})["remembered"] == []
    graph.invoke({"said": "I ride a bike", "remembered": []})
    last = await graph.ainvoke({"said": "Is there green tea?", "remembered": []})
    assert last["remembered"] == ["I drink green tea"]


def test_a_tool_is_given_the_store(semantic: ChromaPluginStore) -> None:
    """`InjectedStore` in a tool of an agent."""

    @tool
    def recall(question: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
        """What is known."""
        return store.search(("u",), query=question, limit=1)[0].value["text"]  # type: ignore[no-any-return]

    fill(semantic)
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([recall]))
    builder.set_entry_point("tools")
    calls = [{"name": "recall", "args": {"question": "coffee"}, "id": "1", "type": "tool_call"}]
    answered = builder.compile(store=semantic).invoke({"messages": [AIMessage("", tool_calls=calls)]})
    assert answered["messages"][-1].content == "black coffee in the morning"
