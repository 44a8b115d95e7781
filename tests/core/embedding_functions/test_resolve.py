from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from chroma_plugin.embedding_functions import (
    EmbeddingFunction,
    HashingEmbeddingFunction,
    adapt,
    embed,
    identity,
    register_embedding_function,
    resolve,
)
from chroma_plugin.errors import (
    EmbeddingFunctionError,
    InvalidArgumentError,
    MissingDependencyError,
    PluginError,
)
from chroma_plugin.plugins import EmbeddingSpec, PluginManager, hookimpl

BUILT_IN_ONLY = PluginManager(discover=False)


class Plugin:
    @hookimpl
    def register_embedding_functions(self) -> list[EmbeddingSpec]:
        return [
            EmbeddingSpec(
                name="needy",
                load="missing_module:Needy",
                requires=("missing_module",),
                install="pip install needy",
            ),
            EmbeddingSpec(name="lexical", load="chroma_plugin.embedding_functions:HashingEmbeddingFunction"),
        ]


@register_embedding_function
class Repeated(EmbeddingFunction[Any]):
    """Registered for this process: the length of a text, ``width`` times; of a query, negative."""

    def __init__(self, width: int = 2) -> None:
        self.width = width

    def __call__(self, input: Any) -> Any:
        return [[float(len(text))] * self.width for text in input]

    def embed_query(self, input: Any) -> Any:
        return [[-float(len(text))] * self.width for text in input]

    @staticmethod
    def name() -> str:
        return "test-repeated"

    def get_config(self) -> dict[str, Any]:
        return {"width": self.width}

    @staticmethod
    def build_from_config(config: Mapping[str, Any]) -> Repeated:
        return Repeated(config["width"])


# -- what a collection remembers is found again ------------------------------------------------------------------------


def test_a_built_in_function_is_built_as_it_was() -> None:
    """The stored name and configuration give a function with the same vectors and the same stored form."""
    function = HashingEmbeddingFunction(64)
    stored = identity(function)

    again = resolve(stored, BUILT_IN_ONLY)

    np.testing.assert_array_equal(embed(again, ["some words"]), function(["some words"]))
    assert identity(again) == stored


def test_a_registered_class_is_found_by_its_name() -> None:
    """A class with the decorator opens its collections in this process, queries included."""
    again = resolve(identity(Repeated(3)), BUILT_IN_ONLY)

    np.testing.assert_array_equal(embed(again, ["abc"]), [[3, 3, 3]])
    np.testing.assert_array_equal(embed(again, ["abc"], query=True), [[-3, -3, -3]])


def test_a_registered_class_can_be_given_by_name() -> None:
    """The name does where an embedding function is asked for."""
    assert isinstance(adapt("test-repeated", BUILT_IN_ONLY), Repeated)


def test_a_plug_in_s_function_is_found() -> None:
    """A function that a plug-in registers opens its collections."""
    again = resolve({"type": "known", "name": "lexical", "config": {"dimension": 16}}, PluginManager([Plugin()]))

    assert embed(again, ["words"]).shape == (1, 16)


@pytest.mark.parametrize("stored", [None, {"type": "legacy"}, {"type": "unknown"}, {}, {"type": "known"}])
def test_no_name_resolves_to_none(stored: Any) -> None:
    """A collection that stores no name has no function until one is passed, and embedding says so."""
    function = resolve(stored, BUILT_IN_ONLY)

    assert function is None
    with pytest.raises(EmbeddingFunctionError, match="has no embedding function"):
        embed(function, ["text"])


def test_an_unknown_function_fails_when_text_is_embedded() -> None:
    """The collection opens; the error comes with the first text, names the function and says what to do."""
    stored = {"type": "known", "name": "openai", "config": {"model_name": "m"}}
    function = resolve(stored, BUILT_IN_ONLY)
    assert identity(function) == stored

    with pytest.raises(EmbeddingFunctionError, match=r"'openai', which is not registered.*embedding_function="):
        embed(function, ["text"])


@pytest.mark.parametrize("name", ["this:that", "antigravity", "os.path", "../x", "antigravity:main"])
def test_an_unknown_name_imports_nothing(name: str) -> None:
    """A stored name is looked up, never imported."""
    import sys

    function = resolve({"type": "known", "name": name, "config": {}}, BUILT_IN_ONLY)
    before = set(sys.modules)

    with pytest.raises(EmbeddingFunctionError, match="not registered"):
        embed(function, ["text"])
    assert not {"this", "antigravity"} & (set(sys.modules) - before)


def test_a_missing_package_is_told_when_text_is_embedded() -> None:
    """A function whose package is not installed opens, and embedding names the line that installs it."""
    function = resolve({"type": "known", "name": "needy", "config": {}}, PluginManager([Plugin()]))

    with pytest.raises(MissingDependencyError, match="pip install needy"):
        embed(function, ["text"])


# -- registering -------------------------------------------------------------------------------------------------------


def test_the_decorator_gives_the_class_back() -> None:
    """With and without parentheses, and again for the same definition, as a notebook does."""
    assert register_embedding_function(Repeated) is Repeated
    assert register_embedding_function()(Repeated) is Repeated


def test_two_classes_can_t_share_a_name() -> None:
    """The second one is refused, and both are named."""

    class Other(Repeated):
        pass

    with pytest.raises(PluginError, match=r"test-repeated.*Repeated and .*Other"):
        register_embedding_function(Other)


@pytest.mark.parametrize("taken", ["default", "hashing", "onnx_mini_lm_l6_v2"])
def test_built_in_names_are_taken(taken: str) -> None:
    """A class can't stand for the built-in function that collections already name."""

    class Impostor(Repeated):
        @staticmethod
        def name() -> str:
            return taken

    with pytest.raises(PluginError, match="built-in"):
        register_embedding_function(Impostor)


@pytest.mark.parametrize("wrong", [Repeated(), "test-repeated", object])
def test_only_named_classes_are_registered(wrong: Any) -> None:
    """Instances, strings and classes without a name are refused."""
    with pytest.raises(InvalidArgumentError):
        register_embedding_function(wrong)


def test_the_built_in_functions_are_plug_ins() -> None:
    """Default and hashing come through the hook that everybody uses."""
    names = {spec.name for spec in BUILT_IN_ONLY.embedding_functions()}

    assert {"default", "hashing"} <= names
