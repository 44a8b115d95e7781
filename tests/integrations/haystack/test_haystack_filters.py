"""Filters mean what Haystack's own `document_matches_filter` says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import chroma_plugin_haystack
import pytest
from haystack import Document
from haystack.errors import FilterError
from haystack.utils.filters import document_matches_filter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chroma_plugin as chromadb

EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
MOMENTS = [
    datetime(2024, 2, 29, 10, 30),
    datetime(2024, 2, 29, 10, 30, tzinfo=UTC),
    datetime(2024, 3, 1, 0, 30, tzinfo=EAST),
    datetime(2024, 2, 28, 22, 30, tzinfo=WEST),
    datetime(2024, 3, 1),
    datetime(1, 1, 1, tzinfo=EAST),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=WEST),
]
DATES = [
    *MOMENTS,
    *[moment.isoformat() for moment in MOMENTS],
    "2024-02-29",
    "2024-02-29T10:30",
    "2024-02-29 10:30:00.000",
    "2024-02-29T10:30:00Z",
    "2024-03-01",
]
NOT_DATES = ["", "alpha", "Alpha", "Zürich", "2024-02-30", "2024-02-29x", "True", "None"]
NUMBERS = [-1, 0, 1, 2, 0.0, 1.0, 1.5, -0.5, 2**53 + 1, float(2**53), True, False]
HUGE = [2**70, float("inf"), float("-inf"), float("nan")]
NESTED = [[], [1], [True], ["alpha"], {}, {"x": 1}, {"x": {"y": "alpha"}}, {"x": [1, None]}]

scalars = st.sampled_from([None, *NUMBERS, *DATES, *NOT_DATES])
values = st.one_of(scalars, st.sampled_from(NESTED))
metas = st.dictionaries(st.sampled_from(["a", "b", "#a", "a.b", "_haystack:score"]), values, max_size=4) | (
    st.builds(lambda value: {"a": {"x": value, "y": {"z": value}}}, values)
)
documents = st.builds(
    lambda content, meta, score: {"content": content, "meta": meta, "score": score},
    st.sampled_from([None, "", "alpha", "2024-02-29", "text of a document"]),
    metas,
    st.sampled_from([None, 0.5, 1.0]),
)
FIELDS = ["a", "meta.a", "meta.b", "meta.#a", "meta.a.b", "meta.a.x", "meta.a.y.z", "meta.missing", "id", "content"]
FIELDS += ["score", "content.x", "nothing.at.all", "meta._haystack:score", "meta._haystack:no_embedding"]
fields = st.sampled_from(FIELDS)
operands = st.one_of(values, st.sampled_from([*HUGE, "1", "\ud800"]))
comparisons = st.one_of(
    st.builds(dict, field=fields, operator=st.sampled_from(["==", "!="]), value=operands),
    st.builds(dict, field=fields, operator=st.sampled_from(["in", "not in"]), value=st.lists(operands, max_size=4)),
    st.builds(
        dict,
        field=fields,
        operator=st.sampled_from([">", ">=", "<", "<="]),
        value=st.sampled_from([None, *NUMBERS, *DATES, *HUGE]),
    ),
)
filters = st.recursive(
    comparisons,
    lambda inner: st.builds(
        dict, operator=st.sampled_from(["AND", "OR", "NOT"]), conditions=st.lists(inner, max_size=3)
    ),
    max_leaves=6,
)


def matches(condition: dict[str, Any], document: Document, strict: bool) -> bool:
    """What Haystack says; where it raises because a document's value can't be compared, the document does not match."""
    if "field" in condition:
        try:
            return document_matches_filter(condition, document, strict_datetime_comparison=strict)
        except (FilterError, TypeError):
            return False
    parts = [matches(part, document, strict) for part in condition["conditions"]]
    return any(parts) if condition["operator"] == "OR" else all(parts) is (condition["operator"] == "AND")


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_documents=st.lists(documents, max_size=6), condition=filters, strict=st.booleans())
def test_filters_mean_what_haystack_says(
    collection: chromadb.Collection, given_documents: list[dict[str, Any]], condition: dict[str, Any], strict: bool
) -> None:
    """Any filter selects, on any documents, those that Haystack's own function selects."""
    store = chroma_plugin_haystack.ChromaPluginDocumentStore(
        collection=collection, strict_datetime_comparison=strict, embedding_dim=1
    )
    store.delete_all_documents()
    written = [Document(id=f"id{number}", **fields) for number, fields in enumerate(given_documents)]
    store.write_documents(written)

    expected = [document for document in written if matches(condition, document, strict)]
    assert store.filter_documents(condition) == expected
    assert store.count_documents_by_filter(condition) == len(expected)


@pytest.mark.parametrize(
    "filters",
    [
        ["field", "meta.a"],
        {"field": "meta.a"},
        {"field": "meta.a", "operator": "=="},
        {"field": "meta.a", "value": 1},
        {"field": 5, "operator": "==", "value": 1},
        {"field": "meta.a", "operator": "$eq", "value": 1},
        {"field": "meta.a", "operator": [], "value": 1},
        {"field": "meta.a", "operator": "AND", "value": 1},
        {"field": "meta.a", "operator": "in", "value": "alpha"},
        {"field": "meta.a", "operator": "not in", "value": (1, 2)},
        {"field": "meta.a", "operator": ">", "value": "alpha"},
        {"field": "meta.a", "operator": "<=", "value": [1]},
        {"field": "meta.a", "operator": "<", "value": {"x": 1}},
        {"field": "embedding", "operator": "==", "value": [1.0]},
        {"field": "meta", "operator": "==", "value": {}},
        {"operator": "AND"},
        {"operator": "XOR", "conditions": []},
        {"operator": "AND", "conditions": {"field": "meta.a", "operator": "==", "value": 1}},
        {"operator": "OR", "conditions": ["meta.a"]},
        {"conditions": []},
        {"meta.a": 1},
    ],
    ids=repr,
)
def test_malformed_filters(document_store: Any, filters: Any) -> None:
    """A malformed filter raises FilterError, on an empty store and everywhere a filter is taken."""
    for call in (
        document_store.filter_documents,
        document_store.count_documents_by_filter,
        document_store.delete_by_filter,
        lambda filters: document_store.update_by_filter(filters, {"a": 1}),
        lambda filters: document_store.embedding_retrieval([1.0, 2.0], filters),
        lambda filters: document_store.bm25_retrieval("text", filters),
        lambda filters: document_store.get_metadata_field_unique_values("a", filters=filters),
    ):
        with pytest.raises(FilterError):
            call(filters)


def test_a_filter_that_is_too_deep_or_large(document_store: Any) -> None:
    """Is a FilterError, never a crash, even when it contains itself."""
    deep: dict[str, Any] = {"field": "meta.a", "operator": "==", "value": 1}
    for _ in range(1000):
        deep = {"operator": "NOT", "conditions": [deep]}
    endless: dict[str, Any] = {"operator": "AND", "conditions": []}
    endless["conditions"].append(endless)
    leaf = {"field": "meta.a", "operator": "==", "value": "x"}
    for filters in (deep, endless, {"operator": "OR", "conditions": [leaf] * 20_000}):
        with pytest.raises(FilterError):
            document_store.filter_documents(filters)


def test_many_values(document_store: Any) -> None:
    """A list of thousands of values is one condition."""
    document_store.write_documents([Document(id=f"id{n}", meta={"n": n}) for n in range(20)])
    ids = {"field": "id", "operator": "in", "value": [f"id{n}" for n in range(10, 15_000)]}
    numbers = {"field": "meta.n", "operator": "not in", "value": [*range(2, 15_000)]}
    assert document_store.count_documents_by_filter(ids) == 10
    assert [document.id for document in document_store.filter_documents(numbers)] == ["id0", "id1"]


def test_embeddings_and_blobs_are_there_or_not(document_store: Any) -> None:
    """``embedding``, ``sparse_embedding`` and ``blob`` are compared with None."""
    from haystack.dataclasses import ByteStream, SparseEmbedding

    document_store.write_documents(
        [
            Document(id="plain"),
            Document(id="dense", embedding=[1.0, 2.0]),
            Document(id="sparse", sparse_embedding=SparseEmbedding([1], [0.5])),
            Document(id="blob", blob=ByteStream(b"x")),
        ]
    )

    def found(field: str, operator: str, value: Any = None) -> list[str]:
        matching = document_store.filter_documents({"field": field, "operator": operator, "value": value})
        return [document.id for document in matching]

    assert found("embedding", "!=") == ["dense"]
    assert found("embedding", "in", [None]) == ["plain", "sparse", "blob"]
    assert found("sparse_embedding", "!=") == ["sparse"]
    assert found("blob", "==") == ["plain", "dense", "sparse"]
    assert found("meta", "==") == []


def test_records_of_other_programs_are_filtered_the_same(collection: chromadb.Collection) -> None:
    """Dates too: nothing of ours has to be in a record."""
    collection.add(
        ids=["old", "new", "none"],
        embeddings=[[1, 0], [0, 1], [1, 1]],
        metadatas=[{"date": "1999-12-31T23:00:00"}, {"date": "2024-05-01"}, None],
    )
    store = chroma_plugin_haystack.ChromaPluginDocumentStore(collection=collection)
    newer = {"field": "meta.date", "operator": ">", "value": datetime(2000, 1, 1)}
    assert [document.id for document in store.filter_documents(newer)] == ["new"]
