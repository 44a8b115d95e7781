"""Retrieval by embedding, by keywords and by both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from chroma_plugin_haystack import (
    ChromaPluginDocumentStore,
    ChromaPluginEmbeddingRetriever,
    ChromaPluginHybridRetriever,
    ChromaPluginKeywordRetriever,
)
from haystack import Document
from haystack.document_stores.types import DuplicatePolicy, FilterPolicy
from haystack.utils import Secret

import chroma_plugin as chromadb
from chroma_plugin.errors import InvalidDimensionError

DOCUMENTS = [
    Document(id="cat", content="A cat sleeps on the sofa", meta={"kind": "pet", "n": 1}, embedding=[1.0, 0.0]),
    Document(id="dog", content="A dog sleeps in the garden", meta={"kind": "pet", "n": 2}, embedding=[1.0, 1.0]),
    Document(id="car", content="A car stands in the garden", meta={"kind": "thing", "n": 3}, embedding=[0.0, 1.0]),
    Document(id="note", content="The garden sleeps", meta={"kind": "note", "n": 4}),
    Document(id="image", meta={"kind": "image", "n": 5}, embedding=[-1.0, 0.0]),
]
PETS = {"field": "meta.kind", "operator": "==", "value": "pet"}


@pytest.fixture
def filled(document_store: ChromaPluginDocumentStore) -> ChromaPluginDocumentStore:
    document_store.write_documents(DOCUMENTS)
    return document_store


def ids(result: dict[str, list[Document]]) -> list[str]:
    return [document.id for document in result["documents"]]


def test_by_embedding(filled: ChromaPluginDocumentStore) -> None:
    """The most similar come first, with their similarity; documents without an embedding never come."""
    retriever = ChromaPluginEmbeddingRetriever(filled)
    result = retriever.run(query_embedding=[2.0, 0.0])
    assert ids(result) == ["cat", "dog", "car", "image"]
    scores = [document.score for document in result["documents"]]
    assert scores == pytest.approx([1.0, 0.5**0.5, 0.0, -1.0], abs=1e-6)
    assert result["documents"][0].content == DOCUMENTS[0].content
    assert result["documents"][0].meta == DOCUMENTS[0].meta
    assert result["documents"][0].embedding is None

    assert ids(retriever.run([2.0, 0.0], filters=PETS)) == ["cat", "dog"]
    assert ids(retriever.run([2.0, 0.0], top_k=1)) == ["cat"]
    assert retriever.run([2.0, 0.0], top_k=0) == {"documents": []}
    scaled = retriever.run([2.0, 0.0], scale_score=True, return_embedding=True)["documents"]
    assert [document.score for document in scaled] == pytest.approx([1.0, (0.5**0.5 + 1) / 2, 0.5, 0.0], abs=1e-6)
    assert scaled[1].embedding == [1.0, 1.0]


@pytest.mark.parametrize(
    ("space", "raw", "scaled"),
    [
        ("l2", [1.0, 0.5, 1 / 3, 1 / 5], [1.0, 0.5, 1 / 3, 1 / 5]),
        ("ip", [1.0, 1.0, 0.0, -1.0], [0.5025] * 2 + [0.5, 0.4975]),
    ],
)
def test_scores_in_other_spaces(space: Any, raw: list[float], scaled: list[float]) -> None:
    """Higher is more similar in each; scaled scores are from 0 to 1."""
    store = ChromaPluginDocumentStore(distance_function=space)
    store.write_documents(DOCUMENTS)
    for scale, expected in ((False, raw), (True, scaled)):
        found = store.embedding_retrieval([1.0, 0.0], scale_score=scale)
        assert [document.score for document in found] == pytest.approx(expected, abs=1e-4)


def test_zeros_are_an_embedding_like_any_other(document_store: ChromaPluginDocumentStore) -> None:
    """What keeps a document out is that it has no embedding, not that its vector is zero."""
    document_store.write_documents([Document(id="zeros", embedding=[0.0, 0.0]), Document(id="none")])
    assert [document.id for document in document_store.embedding_retrieval([1.0, 0.0])] == ["zeros"]
    document_store.write_documents([Document(id="none", embedding=[1.0, 0.0])], policy=DuplicatePolicy.OVERWRITE)
    assert [document.id for document in document_store.embedding_retrieval([1.0, 0.0])] == ["none", "zeros"]


def test_by_keywords(filled: ChromaPluginDocumentStore) -> None:
    """Documents with the words, best first; those without an embedding too, those without text never."""
    retriever = ChromaPluginKeywordRetriever(filled)
    both = ids(retriever.run(query="GARDEN sleeps"))
    assert both[:2] == ["note", "dog"]
    assert set(both[2:]) == {"cat", "car"}
    result = retriever.run(query="sofa")
    assert ids(result) == ["cat"]
    assert result["documents"][0].score > 0
    assert ids(retriever.run(query="garden", filters=PETS)) == ["dog"]
    assert len(retriever.run(query="garden", top_k=1)["documents"]) == 1
    assert retriever.run(query="zebra")["documents"] == []
    [scaled] = retriever.run(query="sofa", scale_score=True)["documents"]
    assert 0.5 < scaled.score < 1
    with pytest.raises(ValueError, match="query"):
        retriever.run(query="")


@pytest.mark.parametrize("fusion", ["rrf", "relative"])
def test_by_both(filled: ChromaPluginDocumentStore, fusion: Any) -> None:
    """Both sides count; the weight moves the result from one to the other."""
    retriever = ChromaPluginHybridRetriever(filled, fusion=fusion, scale_score=True)
    result = retriever.run(query="cat sofa", query_embedding=[1.0, 0.0])
    assert ids(result)[0] == "cat"
    assert result["documents"][0].score == pytest.approx(1.0)
    assert set(ids(result)) == {"cat", "dog", "car", "image"}

    assert "note" in ids(retriever.run(query="garden", query_embedding=[1.0, 0.0]))
    assert ids(retriever.run(query="garden", query_embedding=[1.0, 0.0], alpha=1.0)) == ["cat", "dog", "car", "image"]
    assert set(ids(retriever.run(query="garden", query_embedding=[1.0, 0.0], alpha=0.0))) == {"dog", "car", "note"}
    pets = retriever.run(query="garden", query_embedding=[1.0, 0.0], filters=PETS, alpha=0.25)
    assert ids(pets) == ["dog", "cat"]


def test_what_hybrid_retrieval_refuses(filled: ChromaPluginDocumentStore) -> None:
    """Unknown fusions, weights out of range, and a query that nothing embeds."""
    for wrong in ({"fusion": "sum"}, {"alpha": 1.5}, {"alpha": "1"}):
        with pytest.raises(ValueError, match=r"fusion|alpha"):
            ChromaPluginHybridRetriever(filled, **wrong)
    with pytest.raises(ValueError, match="embedding"):
        ChromaPluginHybridRetriever(filled).run(query="garden")
    with pytest.raises(InvalidDimensionError):
        ChromaPluginEmbeddingRetriever(filled).run([1.0, 0.0, 0.0])
    for top_k in (-1, 1.5, True):
        with pytest.raises(ValueError, match="top_k"):
            filled.embedding_retrieval([1.0, 0.0], top_k=top_k)  # type: ignore[arg-type]


def test_an_empty_store_finds_nothing(document_store: ChromaPluginDocumentStore) -> None:
    assert document_store.embedding_retrieval([1.0, 0.0]) == []
    assert document_store.bm25_retrieval("text") == []
    assert document_store.hybrid_retrieval("text", [1.0, 0.0]) == []


def test_filter_policies(filled: ChromaPluginDocumentStore) -> None:
    """The filters of a run replace those of the component, or are merged with them."""
    second = {"field": "meta.n", "operator": ">", "value": 1}
    for policy, found in ((FilterPolicy.REPLACE, ["dog", "car", "image"]), (FilterPolicy.MERGE, ["dog"])):
        retriever = ChromaPluginEmbeddingRetriever(filled, filters=PETS, filter_policy=policy)
        assert ids(retriever.run([1.0, 0.0])) == ["cat", "dog"]
        assert ids(retriever.run([1.0, 0.0], filters=second)) == found


def test_components_are_written_down_whole() -> None:
    """Every parameter comes back, and so does the store's place."""
    store = ChromaPluginDocumentStore("papers", host="example.org", token=Secret.from_env_var("TOKEN", strict=False))
    common = {"filters": PETS, "top_k": 3, "scale_score": True, "filter_policy": FilterPolicy.MERGE}
    for component in (
        ChromaPluginEmbeddingRetriever(store, return_embedding=True, **common),
        ChromaPluginKeywordRetriever(store, **common),
        ChromaPluginHybridRetriever(store, fusion="relative", alpha=0.25, candidates=7, **common),
    ):
        written = component.to_dict()
        again = type(component).from_dict(written)
        assert again.to_dict() == written
        assert again.filter_policy is FilterPolicy.MERGE
        assert written["init_parameters"]["document_store"] == store.to_dict()


async def test_the_awaited_twins_answer_the_same(async_store: ChromaPluginDocumentStore) -> None:
    """By embedding, by keywords and by both, with a Collection and with an AsyncCollection."""
    await async_store.write_documents_async(DOCUMENTS)
    plain = ChromaPluginDocumentStore()
    plain.write_documents(DOCUMENTS)
    for kind, query in (
        (ChromaPluginEmbeddingRetriever, {"query_embedding": [1.0, 0.5]}),
        (ChromaPluginKeywordRetriever, {"query": "garden sleeps"}),
        (ChromaPluginHybridRetriever, {"query": "garden", "query_embedding": [1.0, 0.5]}),
    ):
        awaited = await kind(async_store).run_async(**query)
        expected = kind(plain).run(**query)
        assert ids(awaited) == ids(expected)
        assert [document.score for document in awaited["documents"]] == pytest.approx(
            [document.score for document in expected["documents"]], abs=1e-5
        )


class Waits(dict[str, Any]):
    """A filter that can only be read while the event loop goes on."""

    def __init__(self, begun: threading.Event, loop_went_on: threading.Event) -> None:
        super().__init__(PETS)
        self._begun, self._loop_went_on = begun, loop_went_on

    def __contains__(self, key: object) -> bool:
        self._begun.set()
        assert self._loop_went_on.wait(30), "the event loop was blocked"
        return super().__contains__(key)


async def test_the_event_loop_goes_on(async_store: ChromaPluginDocumentStore) -> None:
    """Whatever a call does with documents and filters, it does not do on the event loop."""

    def documents(begun: threading.Event, loop_went_on: threading.Event) -> Iterator[Document]:
        begun.set()
        assert loop_went_on.wait(30), "the event loop was blocked"
        yield from DOCUMENTS

    for operation in (
        lambda *events: async_store.write_documents_async(documents(*events)),
        lambda *events: async_store.filter_documents_async(Waits(*events)),
        lambda *events: async_store.count_documents_by_filter_async(Waits(*events)),
        lambda *events: async_store.count_unique_metadata_by_filter_async(Waits(*events), ["n"]),
        lambda *events: async_store.get_metadata_field_unique_values_async("n", filters=Waits(*events)),
        lambda *events: async_store.embedding_retrieval_async([1.0, 0.0], Waits(*events)),
        lambda *events: async_store.bm25_retrieval_async("garden", Waits(*events)),
        lambda *events: async_store.hybrid_retrieval_async("garden", [1.0, 0.0], Waits(*events)),
        lambda *events: async_store.update_by_filter_async(Waits(*events), {"seen": True}),
        lambda *events: async_store.delete_by_filter_async(Waits(*events)),
    ):
        begun, loop_went_on = threading.Event(), threading.Event()
        work = asyncio.ensure_future(operation(begun, loop_went_on))
        while not begun.is_set():
            await asyncio.sleep(0)
        loop_went_on.set()
        assert await work


async def test_many_tasks_at_once(async_store: ChromaPluginDocumentStore) -> None:
    """Thirty-two tasks write and search one store; each gets its own answer."""

    async def task(number: int) -> list[Document]:
        embedding = [1.0 if place == number else 0.0 for place in range(32)]
        await async_store.write_documents_async([Document(id=f"id{number}", embedding=embedding)])
        return await async_store.embedding_retrieval_async(embedding, top_k=1)

    answers = await asyncio.gather(*map(task, range(32)))
    assert [[document.id for document in answer] for answer in answers] == [[f"id{n}"] for n in range(32)]
    assert await async_store.count_documents_async() == 32


def test_every_method_has_an_awaited_twin() -> None:
    """With the same parameters."""
    import inspect

    exempt = {"to_dict", "from_dict", "close"}
    names = {name for name, _ in inspect.getmembers(ChromaPluginDocumentStore, callable) if not name.startswith("_")}
    for name in {name for name in names - exempt if not name.endswith("_async")}:
        method, twin = getattr(ChromaPluginDocumentStore, name), getattr(ChromaPluginDocumentStore, f"{name}_async")
        assert inspect.signature(method) == inspect.signature(twin)
        assert inspect.iscoroutinefunction(twin)


def test_a_store_of_another_client(collection: chromadb.Collection) -> None:
    """Two stores on one collection see each other's documents at once."""
    one, other = (ChromaPluginDocumentStore(collection=collection) for _ in range(2))
    one.write_documents(DOCUMENTS)
    assert other.filter_documents() == DOCUMENTS
