"""Chroma's schemas, as another way to write a configuration."""

from __future__ import annotations

from typing import Any

import pytest

from chroma_plugin.errors import InvalidArgumentError, UnsupportedError
from chroma_plugin.server import indexes

DEFAULT = {"type": "known", "name": "default", "config": {}}
OTHER = {"type": "known", "name": "other", "config": {"a": 1}}


def schema(index: str = "vector_index", key: str = "#embedding", kind: str = "float_list", **index_fields: Any) -> Any:
    return {"defaults": {}, "keys": {key: {kind: {index: {"enabled": True, "config": {}, **index_fields}}}}}


def test_a_schema_reads_back_as_its_configuration() -> None:
    """What is described of a configuration asks for that configuration."""
    hnsw = {"space": "cosine", "ef_search": 77, "max_neighbors": 24}
    configuration = {"hnsw": hnsw, "spann": None, "embedding_function": OTHER}

    assert indexes.configuration(indexes.described(configuration, {}), None) == {**configuration, "schema": {}}


def test_an_empty_schema_asks_for_nothing() -> None:
    """Nothing in the schema leaves everything to the configuration beside it."""
    beside = {"hnsw": {"space": "ip", "ef_search": None}, "embedding_function": OTHER}

    assert indexes.configuration({}, beside) == {
        "hnsw": {"space": "ip"},
        "spann": None,
        "embedding_function": OTHER,
        "schema": {},
    }


def test_the_space_of_the_schema_is_meant() -> None:
    """The client writes the space of its default embedding function beside every schema."""
    asked = schema(config={"space": "cosine", "hnsw": {"ef_search": 33}})
    read = indexes.configuration(asked, {"hnsw": {"space": "l2"}, "embedding_function": DEFAULT})

    assert read["hnsw"] == {"space": "cosine", "ef_search": 33}
    assert read["embedding_function"] == DEFAULT


@pytest.mark.parametrize(("inside", "beside"), [(OTHER, DEFAULT), (DEFAULT, OTHER), (OTHER, None), (OTHER, OTHER)])
def test_the_function_that_was_chosen_is_meant(inside: Any, beside: Any) -> None:
    """A default function, which the client writes by itself, gives way to one that was chosen."""
    read = indexes.configuration(schema(config={"embedding_function": inside}), {"embedding_function": beside})

    assert read["embedding_function"] == OTHER


@pytest.mark.parametrize(
    ("asked", "beside"),
    [
        (schema(config={"hnsw": {"ef_search": 1}}), {"hnsw": {"ef_search": 2}}),
        (schema(config={"embedding_function": OTHER}), {"embedding_function": {**OTHER, "config": {}}}),
        ({"keys": 3}, None),
        ({"keys": {"#embedding": {"float_list": [1]}}}, None),
        (schema(config={"hnsw": "fast"}), None),
    ],
)
def test_what_contradicts_itself_is_refused(asked: Any, beside: Any) -> None:
    """Two answers to one question, and what is no schema, are an InvalidArgumentError."""
    with pytest.raises(InvalidArgumentError):
        indexes.configuration(asked, beside)


SWITCHED = {
    "defaults": {"bool_inverted_index": False},
    "keys": {
        "tag": {"string_inverted_index": False, "int_inverted_index": True},
        "title": {"fts_index": False, "string_inverted_index": True},
        "#document": {"fts_index": False},
    },
}


def test_what_is_kept_about_keys_reads_back() -> None:
    """What was switched on and off for each key and each type of value comes back as it was."""
    described = indexes.described({"hnsw": {"space": "l2"}}, SWITCHED)

    assert indexes.configuration(described, None)["schema"] == SWITCHED


def test_spann_in_a_schema_is_served_by_hnsw() -> None:
    """Its space is kept, its own parameters mean nothing here."""
    asked = schema(config={"space": "cosine", "spann": {"search_nprobe": 16, "ef_construction": 120}})

    assert indexes.configuration(asked, None)["hnsw"] == {"space": "cosine"}


@pytest.mark.parametrize(
    "asked",
    [
        schema(config={"source_key": "title"}),
        schema(config={"spann": {"fast": 1}}),
        schema("sparse_vector_index", "words", "sparse_vector"),
        schema("fts_index", "title", "string"),
        schema("vector_index", "title"),
        schema("string_inverted_index", "#document", "string"),
        schema("string_inverted_index", "#score", "string"),
        schema("string_inverted_index", "", "string"),
        schema("int_inverted_index", "year", "int", enabled="no"),
        {"defaults": {"string": {"fts_index": {"enabled": True}}}},
        {"defaults": {"float_list": {"vector_index": {"enabled": True}}}},
    ],
)
def test_an_index_that_there_cannot_be_is_refused(asked: Any) -> None:
    """As Chroma's own server on one machine refuses it."""
    with pytest.raises(InvalidArgumentError):
        indexes.configuration(asked, None)


def test_a_key_of_a_customer_is_refused() -> None:
    """Nothing is encrypted, so nothing pretends to be."""
    with pytest.raises(UnsupportedError):
        indexes.configuration({"cmek": {"provider": "x"}}, None)
