from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from chroma_plugin.embedding_functions import (
    DefaultEmbeddingFunction,
    Documents,
    EmbeddingFunction,
    Embeddings,
    HashingEmbeddingFunction,
    adapt,
    embed,
    identity,
)
from chroma_plugin.errors import InvalidArgumentError, UnknownPluginError
from chroma_plugin.plugins import PluginManager

BUILT_IN_ONLY = PluginManager(discover=False)


class Lengths(EmbeddingFunction):
    def __call__(self, input: Documents) -> Embeddings:
        return [[len(text), 1.0] for text in input]


class Subscripted(EmbeddingFunction[Documents]):
    def __call__(self, input: Documents) -> Embeddings:
        return [np.array([len(text), 1.0]) for text in input]


def test_none_stays_none() -> None:
    """No function is no function."""
    assert adapt(None) is None


@pytest.mark.parametrize("make", [Lengths, Subscripted])
def test_a_subclass_with_only_a_call_works(make: type[EmbeddingFunction[Any]]) -> None:
    """A class written for chromadb, with or without a type in brackets, is used as it is."""
    function = make()

    assert adapt(function) is function
    np.testing.assert_array_equal(embed(adapt(function), ["abc", ""]), [[3, 1], [0, 1]])
    np.testing.assert_array_equal(embed(adapt(function), ["abc"], query=True), [[3, 1]])


@pytest.mark.parametrize(
    "function",
    [lambda input: [[len(text)] for text in input], partial(map, lambda text: [len(text)]), Lengths().__call__],
    ids=["lambda", "partial", "method"],
)
def test_any_callable_is_taken_as_it_is(function: Any) -> None:
    """A plain function needs no class around it."""
    assert adapt(function) is function


def test_langchain_embeddings_are_wrapped() -> None:
    """Documents go to embed_documents, queries to embed_query, and the vectors are LangChain's own."""
    langchain = DeterministicFakeEmbedding(size=6)
    function = adapt(langchain)

    np.testing.assert_array_equal(embed(function, ["a", "b"]), np.float32(langchain.embed_documents(["a", "b"])))
    np.testing.assert_array_equal(embed(function, ["a"], query=True), np.float32([langchain.embed_query("a")]))
    assert identity(function) == {"type": "legacy"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("default", DefaultEmbeddingFunction),
        ("onnx_mini_lm_l6_v2", DefaultEmbeddingFunction),
        ("hashing", HashingEmbeddingFunction),
    ],
)
def test_a_name_is_built_with_its_defaults(name: str, expected: type) -> None:
    """The built-in functions can be given by name."""
    assert type(adapt(name, BUILT_IN_ONLY)) is expected


def test_an_unknown_name_is_told() -> None:
    """A name that nothing registered is an error that repeats it."""
    with pytest.raises(UnknownPluginError, match="no_such_function"):
        adapt("no_such_function", BUILT_IN_ONLY)


@pytest.mark.parametrize("wrong", [1, ["default"], {"name": "default"}, b"default"])
def test_the_error_says_what_is_accepted(wrong: Any) -> None:
    """Anything else is refused, with what was seen and what would do."""
    with pytest.raises(InvalidArgumentError, match=re.escape(repr(wrong))) as caught:
        adapt(wrong)

    for accepted in ("EmbeddingFunction", "callable", "LangChain", "'default'", "None"):
        assert accepted in str(caught.value)


def test_a_class_instead_of_an_instance_is_told() -> None:
    """Forgotten parentheses are named."""
    with pytest.raises(InvalidArgumentError, match=r"pass an instance, Lengths\(\.\.\.\)"):
        adapt(Lengths)


def test_importing_and_adapting_loads_nothing_heavy() -> None:
    """The package and what wraps LangChain come without LangChain, tokenizers, tqdm and DuckDB."""
    code = (
        "import sys; from chroma_plugin.utils import embedding_functions as e; e.DefaultEmbeddingFunction();"
        "from chroma_plugin.embedding_functions import adapt;"
        "adapt(type('E', (), {'embed_documents': list, 'embed_query': list})());"
        "print([m for m in ('langchain_core', 'tokenizers', 'safetensors', 'tqdm', 'duckdb') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert shown.strip() == "[]"
