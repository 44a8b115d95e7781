"""Documents come back whole, and writes are all or nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from chroma_plugin_haystack import ChromaPluginDocumentStore
from haystack import Document
from haystack.dataclasses import ByteStream, SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chroma_plugin as chromadb
from chroma_plugin.errors import InvalidArgumentError, InvalidDimensionError

WHOLE = Document(
    id="whole",
    content="Text with ä, 漢字 and\nlines.",
    blob=ByteStream(bytes(range(256)), meta={"at": datetime(2024, 5, 1, tzinfo=UTC)}, mime_type="image/png"),
    meta={
        "none": None,
        "nested": {"deep": {"list": [1, 1.0, True, None, "x", {"born": date(1815, 12, 10)}]}, "": "empty key"},
        "when": datetime(2024, 5, 1, 12, 30, 15, 123456),
        "zoned": datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        "day": date(2024, 5, 1),
        "text that is a date": "2024-05-01",
        "many": [datetime(2024, 1, 1), "2024-01-01", [date(2024, 1, 1)]],
        "float": 1.0,
        "int": 2**53 + 1,
    },
    score=0.25,
    embedding=[0.1, -0.2, math.pi],
    sparse_embedding=SparseEmbedding([1, 30_000], [0.1, 0.9]),
)
ODD_KEYS = {
    "": 1,
    "#document": 2,
    "$eq": 3,
    "chroma:document": 4,
    "_haystack:score": 5,
    "_haystack:key:#a": 6,
    "a.b": 7,
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab._:#", max_size=3), inner, max_size=3),
    max_leaves=8,
)
anything = st.builds(
    Document,
    id=st.uuids().map(str),
    content=st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
    meta=st.dictionaries(st.text("ab._:#$", max_size=4), json_values, max_size=4),
    score=st.none() | st.floats(-10, 10),
    embedding=st.none() | st.lists(st.floats(-1e30, 1e30), min_size=3, max_size=3),
    sparse_embedding=st.none() | st.just(SparseEmbedding([0, 2], [0.5, 1.5])),
    blob=st.none() | st.builds(ByteStream, st.binary(max_size=20), mime_type=st.none() | st.just("text/plain")),
)


def test_a_document_comes_back_whole(document_store: ChromaPluginDocumentStore) -> None:
    """Every field, of every type, exactly."""
    documents = [
        WHOLE,
        Document(id="empty"),
        Document(id="no text", embedding=[1.0, 2.0, 3.0]),
        Document(id="empty text", content=""),
        Document(id="odd keys", meta=dict(ODD_KEYS)),
    ]
    document_store.write_documents(documents)
    found = document_store.filter_documents()

    assert found == documents
    deep = found[0].meta["nested"]["deep"]["list"]
    assert [type(value) for value in deep[:3]] == [int, float, bool]
    assert type(found[0].meta["when"]) is datetime
    assert type(found[0].meta["day"]) is date
    assert document_store.filter_documents({"field": "meta.#document", "operator": "==", "value": 2}) == documents[4:]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=st.lists(anything, max_size=4))
def test_any_document_comes_back_whole(document_store: ChromaPluginDocumentStore, documents: list[Document]) -> None:
    """Whatever JSON and dates can hold."""
    document_store.embedding_dim = 3
    document_store.delete_all_documents()
    document_store.write_documents(documents)
    assert document_store.filter_documents() == documents


def test_embeddings_that_are_float32_cost_nothing(collection: chromadb.Collection) -> None:
    """Only what float32 would change is kept beside the vector, and only if wanted."""
    exact, rounded = [1 / 3, 2 / 3], np.array([1 / 3, 2 / 3], np.float32).tolist()
    store = ChromaPluginDocumentStore(collection=collection)
    store.write_documents([Document(id="float32", embedding=rounded), Document(id="float64", embedding=exact)])
    assert collection.get("float32")["metadatas"] == [None]
    assert [document.embedding for document in store.filter_documents()] == [rounded, exact]

    store = ChromaPluginDocumentStore(collection=collection, exact_embeddings=False)
    store.write_documents([Document(id="float64", embedding=exact)], policy=DuplicatePolicy.OVERWRITE)
    assert collection.get("float64")["metadatas"] == [None]
    assert store.filter_documents({"field": "id", "operator": "==", "value": "float64"})[0].embedding == rounded


def test_meta_reads_well_in_other_programs(collection: chromadb.Collection) -> None:
    """Meta is the record's metadata, key by key, dates as ISO 8601; and any record is a document."""
    store = ChromaPluginDocumentStore(collection=collection)
    store.write_documents([Document(id="a", content="text", meta={"n": 1, "day": date(2024, 5, 1)}, embedding=[1.0])])
    metadata = collection.get("a", where={"day": "2024-05-01"})["metadatas"][0]
    assert {key: metadata[key] for key in ("n", "day")} == {"n": 1, "day": "2024-05-01"}

    collection.add(ids="b", embeddings=[2.0], documents="other", metadatas={"n": 2})
    collection.update(ids="a", metadatas={"day": "no date any more"})
    [a, b] = store.filter_documents()
    assert b == Document(id="b", content="other", meta={"n": 2}, embedding=[2.0])
    assert a.meta == {"n": 1, "day": "no date any more"}


@pytest.mark.parametrize("policy", [DuplicatePolicy.NONE, DuplicatePolicy.FAIL])
def test_a_duplicate_fails_and_nothing_is_written(
    document_store: ChromaPluginDocumentStore, policy: DuplicatePolicy
) -> None:
    """With an id that is there, or one that stands twice, none of the documents is written."""
    old = Document(id="old", content="old")
    document_store.write_documents([old])
    for documents in (
        [Document(id="new"), Document(id="old", content="changed")],
        [Document(id="new"), Document(id="twice"), Document(id="twice", content="again")],
    ):
        with pytest.raises(DuplicateDocumentError, match=r"old|twice"):
            document_store.write_documents(documents, policy=policy)
        assert document_store.filter_documents() == [old]


def test_skip_and_overwrite(document_store: ChromaPluginDocumentStore) -> None:
    """SKIP keeps the first and counts what it wrote; OVERWRITE keeps the last, whole, and counts what it was given."""
    document_store.embedding_dim = 2
    first = [Document(id="a", content="1", meta={"x": 1}, embedding=[1.0, 0.0]), Document(id="b", content="1")]
    second = [Document(id="a", content="2"), Document(id="c", content="2"), Document(id="c", content="3")]
    assert document_store.write_documents(first) == 2
    assert document_store.write_documents(second, policy=DuplicatePolicy.SKIP) == 1
    assert document_store.filter_documents() == [*first, second[1]]
    assert document_store.write_documents(second, policy=DuplicatePolicy.OVERWRITE) == 3
    assert document_store.filter_documents() == [second[0], first[1], second[2]]


@pytest.mark.parametrize(
    "bad",
    [
        Document(id="bad", meta={"x": object()}),
        Document(id="bad", meta={"x": math.nan}),
        Document(id="bad", meta={"x": 2**64}),
        Document(id="bad", meta={1: "x"}),
        Document(id="bad", content="\ud800"),
        Document(id="bad", embedding=[math.inf, 1.0]),
        Document(id="bad", blob=ByteStream(b"x", meta={"x": object()})),
        Document(id="bad", sparse_embedding=SparseEmbedding([1], [math.nan])),
        Document(id="bad", embedding=[1.0, 2.0, 3.0]),
        Document(id="bad", embedding=[1e300, 1.0]),
    ],
    ids=["object", "nan", "int", "key", "text", "inf", "blob", "sparse", "length", "float32"],
)
def test_what_cannot_be_kept_is_refused(document_store: ChromaPluginDocumentStore, bad: Document) -> None:
    """With a ValueError that names it, before anything is written."""
    with pytest.raises(ValueError):
        document_store.write_documents([Document(id="good", embedding=[1.0, 2.0]), bad])
    assert document_store.count_documents() == 0


@pytest.mark.parametrize("bad", [None, 5, "documents", {"id": "a"}, [None], [Document(id="a"), {"id": "b"}]])
def test_what_is_no_list_of_documents(document_store: ChromaPluginDocumentStore, bad: Any) -> None:
    with pytest.raises(ValueError, match="documents"):
        document_store.write_documents(bad)


def test_no_documents_and_generators(document_store: ChromaPluginDocumentStore) -> None:
    """Nothing is written for nothing; any iterable is a list."""
    assert document_store.write_documents([]) == 0
    assert document_store.write_documents(Document(id=f"{n}") for n in range(3)) == 3  # type: ignore[arg-type]
    document_store.delete_documents([])
    document_store.delete_documents(["0", "0", "unknown", ""])
    assert document_store.count_documents() == 2


def test_where_the_dimension_comes_from(collection: chromadb.Collection) -> None:
    """From the embeddings, else from the collection, else from ``embedding_dim``, else 768."""
    store = ChromaPluginDocumentStore(collection=collection)
    store.write_documents([Document(id="a"), Document(id="b", embedding=[1.0, 2.0])])
    store.write_documents([Document(id="c")])
    assert collection.info()["dimension"] == 2
    with pytest.raises(InvalidDimensionError):
        store.write_documents([Document(id="d", embedding=[1.0])])


def test_a_dimension_that_is_told() -> None:
    """``embedding_dim`` decides for documents without embeddings, and refuses embeddings of other lengths."""
    client = chromadb.Client()
    for told, dimension in ((3, 3), (None, 768)):
        collection = client.create_collection(f"told-{told}", embedding_function=None)
        store = ChromaPluginDocumentStore(collection=collection, embedding_dim=told)
        store.write_documents([Document(id="a")])
        assert collection.info()["dimension"] == dimension
    with pytest.raises(InvalidDimensionError, match="embedding_dim=3"):
        ChromaPluginDocumentStore(client=client, embedding_dim=3).write_documents([Document(id="a", embedding=[1.0])])
    for bad in (0, -1, True, "3"):
        with pytest.raises(InvalidArgumentError, match="embedding_dim"):
            ChromaPluginDocumentStore(embedding_dim=bad)  # type: ignore[arg-type]


def test_update_by_filter_merges_and_keeps_the_rest(document_store: ChromaPluginDocumentStore) -> None:
    """Meta is merged key by key, with dates and Nones as they are; everything else of the document stays."""
    other = Document(id="other", meta={"kind": "other"})
    document_store.write_documents([replace(WHOLE, meta={"kind": "it", "when": datetime(2024, 1, 1)}), other])
    it = {"field": "meta.kind", "operator": "==", "value": "it"}
    for meta in (
        {"n": 1, "at": date(2024, 2, 2)},
        {"when": "no date", "at": {"day": date(2024, 3, 3)}},
        {"n": None, "#odd": 5, "when": datetime(2025, 1, 1)},
    ):
        before = document_store.filter_documents(it)[0]
        assert document_store.update_by_filter(it, meta) == 1
        after, untouched = document_store.filter_documents()
        assert after == replace(before, meta={**before.meta, **meta})
        assert untouched == other
    assert document_store.update_by_filter(it, {}) == 1


def test_no_filter_is_not_every_document(document_store: ChromaPluginDocumentStore) -> None:
    """Deleting and updating by an empty filter is refused; counting by it counts all."""
    from haystack.errors import FilterError

    document_store.write_documents([Document(id="a"), Document(id="b")])
    for empty in ({}, None):
        with pytest.raises(FilterError, match="delete_all_documents"):
            document_store.delete_by_filter(empty)  # type: ignore[arg-type]
        with pytest.raises(FilterError):
            document_store.update_by_filter(empty, {"x": 1})  # type: ignore[arg-type]
    assert document_store.count_documents_by_filter({}) == 2


def test_facts_about_meta(document_store: ChromaPluginDocumentStore) -> None:
    """Types, extremes and values, for nested and mixed values too."""
    metas: list[dict[str, Any]] = [
        {"n": 1, "mixed": 1, "list": [1], "day": date(2024, 1, 1), "none": None, "flag": True},
        {"n": 2.5, "mixed": "1", "list": [True], "day": date(2023, 1, 1), "flag": False},
        {"n": -1, "mixed": 1.0, "list": [1], "day": date(2025, 1, 1)},
    ]
    document_store.write_documents([Document(id=f"{n}", meta=meta) for n, meta in enumerate(metas)])

    types = {key: info["type"] for key, info in document_store.get_metadata_fields_info().items()}
    assert types == {"n": "float", "mixed": "keyword", "list": "keyword", "day": "keyword", "flag": "boolean"}
    assert document_store.get_metadata_field_min_max("n") == {"min": -1, "max": 2.5}
    assert document_store.get_metadata_field_min_max("day") == {"min": date(2023, 1, 1), "max": date(2025, 1, 1)}
    assert document_store.get_metadata_field_min_max("mixed") == {"min": None, "max": None}
    assert document_store.get_metadata_field_min_max("list") == {"min": None, "max": None}
    assert document_store.get_metadata_field_unique_values("list") == ([[1], [True]], 2)
    assert document_store.get_metadata_field_unique_values("mixed", size=2) == (["1", 1][::-1], 3)
    counts = document_store.count_unique_metadata_by_filter({}, ["mixed", "meta.list", "none", "missing"])
    assert counts == {"mixed": 3, "list": 2, "none": 0, "missing": 0}
