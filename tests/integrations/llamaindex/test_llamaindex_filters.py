"""Filters mean what llama-index's own in-memory store takes them to mean, on every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from chroma_plugin_llamaindex import ChromaPluginVectorStore
from chroma_plugin_llamaindex.filters import where_of
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters import leaves as leaves_of

Part = MetadataFilter | MetadataFilters
OPERATORS = list(FilterOperator)
CONDITIONS = [None, *FilterCondition]
OF_LISTS = (FilterOperator.IN, FilterOperator.NIN, FilterOperator.ANY, FilterOperator.ALL)
OF_TEXT = (FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE)
OF_ORDER = (FilterOperator.GT, FilterOperator.GTE, FilterOperator.LT, FilterOperator.LTE)
OF_MEMBERS = (FilterOperator.CONTAINS, FilterOperator.ANY, FilterOperator.ALL)

TEXTS = ["", "a", "A", "b", "abc", "aBC", "é", "É", "b.c*", "1", "None"]
NUMBERS = [0, 1, 2, -1, 0.0, 1.0, 1.5, 2**53, 2**53 + 1, float(2**53)]
LISTS = [[], ["a"], ["a", "abc"], ["B"], [0], [1, 2], [1.5, True], [False], [None], [["a"]]]
VALUES = [None, *TEXTS, *NUMBERS, True, False, *LISTS, {}, {"a": 1}]
METADATAS: list[dict[str, Any]] = [
    {},
    *[{"x": value} for value in VALUES],
    *[{"x": value, "y": VALUES[-1 - row]} for row, value in enumerate(VALUES)],
]
NODES = {
    f"n{row}": TextNode(id_=f"n{row}", text=f"text {row}", metadata=metadata, embedding=[1.0, row / 10])
    for row, metadata in enumerate(METADATAS)
}


@pytest.fixture(scope="module", params=["memory", "duckdb", "rest"])
def filled(
    request: pytest.FixtureRequest, opened: Callable[[str, Path], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ChromaPluginVectorStore]:
    with opened(request.param, tmp_path_factory.mktemp("filters")) as client:
        store = ChromaPluginVectorStore(client.create_collection(f"f-{uuid4().hex}", embedding_function=None))
        store.add(list(NODES.values()))
        yield store


def expected(part: Part, metadata: dict[str, Any]) -> bool:
    """What llama-index says of each filter, put together as it says."""
    if isinstance(part, MetadataFilter):
        return expected_of_one(part, metadata)
    if not part.filters:
        return True
    matches = [expected(inner, metadata) for inner in part.filters]
    if part.condition is FilterCondition.NOT:
        return not any(matches)
    return any(matches) if part.condition is FilterCondition.OR else all(matches)


def expected_of_one(part: MetadataFilter, metadata: dict[str, Any]) -> bool:
    """Where llama-index fails, nothing matches. Two differences are ours: a dict does not contain its keys, and an
    empty list counts as None throughout, also for ``all []``.
    """
    value = metadata.get(part.key)
    if isinstance(value, dict) and part.operator in OF_MEMBERS and part.value != []:
        return False
    if value == [] and part.operator is FilterOperator.ALL:
        return False
    try:
        return build_metadata_filter_fn(lambda _: metadata, MetadataFilters(filters=[part]))("id")
    except TypeError:
        return False


def found(store: ChromaPluginVectorStore, filters: MetadataFilters) -> list[str]:
    return [node.node_id for node in store.get_nodes(filters=filters)]


def wanted(filters: MetadataFilters) -> list[str]:
    return [id for id, node in NODES.items() if expected(filters, node.metadata)]


def operands(operator: FilterOperator) -> st.SearchStrategy[Any]:
    texts, numbers = st.sampled_from(TEXTS), st.sampled_from(NUMBERS)
    if operator in OF_LISTS:
        ints = st.sampled_from([number for number in NUMBERS if type(number) is int])
        floats = st.sampled_from([number for number in NUMBERS if type(number) is float])
        return st.one_of(*[st.lists(each, max_size=3) for each in (texts, ints, floats)])
    if operator in OF_TEXT:
        return texts
    return texts | numbers if operator in OF_ORDER else texts | numbers | st.none()


def leaves() -> st.SearchStrategy[MetadataFilter]:
    return st.sampled_from(OPERATORS).flatmap(
        lambda operator: st.builds(
            MetadataFilter,
            key=st.sampled_from(["x", "y", "never there"]),
            operator=st.just(operator),
            value=operands(operator),
        )
    )


def groups(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[MetadataFilters]:
    return st.builds(MetadataFilters, filters=st.lists(inner, max_size=3), condition=st.sampled_from(CONDITIONS))


ALL_FILTERS = groups(st.recursive(leaves(), groups, max_leaves=6))


@given(filters=ALL_FILTERS)
@settings(max_examples=150, deadline=None)
def test_filters_mean_what_llama_index_means(filled: ChromaPluginVectorStore, filters: MetadataFilters) -> None:
    """Any filter, nested as deep as one likes, finds exactly the nodes that llama-index's function accepts."""
    assert found(filled, filters) == wanted(filters)


@given(filters=ALL_FILTERS, k=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_a_filter_never_costs_results(filled: ChromaPluginVectorStore, filters: MetadataFilters, k: int) -> None:
    """A search returns as many nodes as match, up to the number that was asked for, and none that does not match."""
    matching = wanted(filters)

    result = filled.query(VectorStoreQuery(query_embedding=[1.0, 0.0], similarity_top_k=k, filters=filters))

    # Each node is a step farther away than the one before.
    assert result.ids == matching[:k]


OPERAND_OF: dict[FilterOperator, list[Any]] = {
    operator: [["a", "abc"], [1, 2], []] if operator in OF_LISTS else ["a", ""] if operator in OF_TEXT else ["a", 1]
    for operator in OPERATORS
}


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_every_operator_in_every_condition(
    filled: ChromaPluginVectorStore, operator: FilterOperator, condition: FilterCondition | None
) -> None:
    """All 14 operators, alone and beside another filter, in AND, OR and NOT, and without a condition (AND)."""
    beside: Part = MetadataFilter(key="y", value="a", operator=FilterOperator.NE)
    for value in OPERAND_OF[operator]:
        part: Part = MetadataFilter(key="x", value=value, operator=operator)
        for parts in ([part], [part, beside], [beside, part]):
            filters = MetadataFilters(filters=parts, condition=condition)
            assert found(filled, filters) == wanted(filters)


def test_the_in_memory_store_of_llama_index_gives_the_same(local_store: ChromaPluginVectorStore) -> None:
    """Both stores, asked the same, return the same ids with the same similarities."""
    theirs = SimpleVectorStore()
    nodes = [
        TextNode(id_=f"n{row}", metadata={"topic": "ab"[row % 2], "year": row}, embedding=[1.0, row / 7, row % 3])
        for row in range(30)
    ]
    local_store.add(nodes)
    theirs.add(nodes)

    for condition in FilterCondition:
        query = VectorStoreQuery(
            query_embedding=[1.0, 1.0, 1.0],
            similarity_top_k=5,
            filters=MetadataFilters(
                filters=[
                    MetadataFilter(key="topic", value="a"),
                    MetadataFilter(key="year", value=12, operator=FilterOperator.GT),
                ],
                condition=condition,
            ),
        )
        ours, reference = local_store.query(query), theirs.query(query)
        assert ours.ids == reference.ids
        assert ours.similarities == pytest.approx(reference.similarities, abs=1e-6)


@pytest.mark.parametrize("inner", [None, *FilterCondition], ids=str)
def test_an_empty_nested_filter_matches_everything(filled: ChromaPluginVectorStore, inner: FilterCondition) -> None:
    """As it does at the top; so it changes nothing in AND, everything in OR, and nothing is left in NOT."""
    empty = MetadataFilters(filters=[], condition=inner)
    part = MetadataFilter(key="x", value="a")

    def both(condition: FilterCondition) -> list[str]:
        return found(filled, MetadataFilters(filters=[part, empty], condition=condition))

    assert found(filled, empty) == list(NODES)
    assert both(FilterCondition.AND) == found(filled, MetadataFilters(filters=[part])) != []
    assert both(FilterCondition.OR) == list(NODES)
    assert both(FilterCondition.NOT) == []


def test_numbers_0_and_1_find_bools(local_store: ChromaPluginVectorStore) -> None:
    """LlamaIndex's filters hold no bools; as in Python, 1 and 0 are equal to True and False."""
    local_store.add(
        [
            TextNode(id_="yes", metadata={"public": True}, embedding=[1.0]),
            TextNode(id_="no", metadata={"public": False}, embedding=[1.0]),
        ]
    )

    assert found(local_store, MetadataFilters(filters=[MetadataFilter(key="public", value=1)])) == ["yes"]
    assert found(local_store, MetadataFilters(filters=[MetadataFilter(key="public", value=0)])) == ["no"]


def test_text_in_other_letters_and_with_special_characters(local_store: ChromaPluginVectorStore) -> None:
    """Insensitive matching knows letters beyond ASCII, and nothing in the value is a pattern."""
    local_store.add([TextNode(id_="n", metadata={"t": "ÜBER (Größe) [1.5*] \\ \n ЖУК"}, embedding=[1.0])])

    def matches(value: str) -> bool:
        part = MetadataFilter(key="t", value=value, operator=FilterOperator.TEXT_MATCH_INSENSITIVE)
        return bool(found(local_store, MetadataFilters(filters=[part])))

    assert all(map(matches, ["über (GRÖ", "[1.5*] \\", "жук", "\n ж", ""]))
    assert not any(map(matches, ["ü.er", "[1?5*]", "über$"]))


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        (FilterOperator.EQ, ["a"]),
        (FilterOperator.GT, ["a"]),
        (FilterOperator.GT, None),
        (FilterOperator.IN, None),
        (FilterOperator.ANY, None),
        (FilterOperator.CONTAINS, ["a"]),
        (FilterOperator.TEXT_MATCH, 1),
        (FilterOperator.TEXT_MATCH_INSENSITIVE, ["a"]),
        (FilterOperator.EQ, 2**70),
    ],
)
def test_operands_that_make_no_sense_are_refused(
    local_store: ChromaPluginVectorStore, operator: FilterOperator, value: Any
) -> None:
    """With an error that names the key, and not with an answer."""
    filters = MetadataFilters(filters=[MetadataFilter(key="shelf", value=value, operator=operator)])

    with pytest.raises(InvalidArgumentError, match="shelf"):
        local_store.get_nodes(filters=filters)


def test_a_single_value_is_a_list_of_one(local_store: ChromaPluginVectorStore) -> None:
    """Where an operator takes a list, as language models tend to write it."""
    local_store.add([TextNode(id_=name, metadata={"tag": name}, embedding=[1.0]) for name in ("ab", "b")])

    for operator, ids in ((FilterOperator.IN, ["ab"]), (FilterOperator.NIN, ["b"]), (FilterOperator.ANY, ["ab"])):
        filters = MetadataFilters(filters=[MetadataFilter(key="tag", value="ab", operator=operator)])
        assert found(local_store, filters) == ids


def test_document_and_id_can_be_filtered_by(local_store: ChromaPluginVectorStore) -> None:
    """``#document`` and ``#id`` are fields here, as in every filter of a collection."""
    local_store.add([TextNode(id_="n1", text="red fox", embedding=[1.0]), TextNode(id_="n2", embedding=[1.0])])

    text = MetadataFilter(key="#document", value="FOX", operator=FilterOperator.TEXT_MATCH_INSENSITIVE)
    assert found(local_store, MetadataFilters(filters=[text])) == ["n1"]
    assert found(local_store, MetadataFilters(filters=[MetadataFilter(key="#id", value="n2")])) == ["n2"]


def test_filters_are_pushed_down() -> None:
    """A filter of any operator reaches the engine as one expression of the collection."""
    for operator in OPERATORS:
        for value in filter(None, OPERAND_OF[operator]):
            where = where_of(MetadataFilters(filters=[MetadataFilter(key="x", value=value, operator=operator)]))
            assert where is not None
            assert all(leaf.path.parts == ("x",) for leaf in leaves_of(where))


def test_many_doc_ids(local_store: ChromaPluginVectorStore) -> None:
    """Ten thousand documents in one restriction are no problem."""
    local_store.add(list(NODES.values()))
    doc_ids = [*map(str, range(10_000)), "None"]

    result = local_store.query(VectorStoreQuery(query_embedding=[1.0, 0.0], similarity_top_k=3, doc_ids=doc_ids))

    assert len(result.ids or []) == 3
