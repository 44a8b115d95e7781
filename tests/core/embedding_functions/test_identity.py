from __future__ import annotations

from typing import Any

import pytest

from chroma_plugin.embedding_functions import (
    DefaultEmbeddingFunction,
    EmbeddingFunction,
    HashingEmbeddingFunction,
    ONNXMiniLM_L6_V2,
    check_same,
    default_space,
    identity,
    supported_spaces,
)
from chroma_plugin.errors import EmbeddingFunctionError


def unnamed(input: list[str]) -> list[list[float]]:
    return [[1.0] for _ in input]


class Configured(EmbeddingFunction[Any]):
    def __init__(self, **config: Any) -> None:
        self.config = config

    def __call__(self, input: Any) -> Any:
        return [[1.0] for _ in input]

    @staticmethod
    def name() -> str:
        return "configured"

    def get_config(self) -> dict[str, Any]:
        return self.config

    def supported_spaces(self) -> list[Any]:
        return ["ip"]

    def default_space(self) -> Any:
        return "ip"


class OnlyCall(EmbeddingFunction[Any]):
    def __call__(self, input: Any) -> Any:
        return [[1.0] for _ in input]


class AnsweringNotImplemented(OnlyCall):
    """As chromadb's base class answers."""

    @staticmethod
    def name() -> Any:
        return NotImplemented


# -- what is stored --------------------------------------------------------------------------------------------------


def test_none_is_stored_as_none() -> None:
    """A collection without an embedding function remembers that."""
    assert identity(None) is None


def test_a_named_function_is_known() -> None:
    """Name and configuration are stored in Chroma's form."""
    assert identity(HashingEmbeddingFunction(64)) == {"type": "known", "name": "hashing", "config": {"dimension": 64}}


def test_the_default_function_stores_its_weights() -> None:
    """The digest of the weights and the dimension are stored, so that two models are never mixed."""
    stored = identity(DefaultEmbeddingFunction())

    assert stored is not None
    assert stored["name"] == "default"
    assert stored["config"]["dimension"] == 384
    assert len(stored["config"]["weights_sha256"]) == 64


@pytest.mark.parametrize("function", [unnamed, OnlyCall(), AnsweringNotImplemented()])
def test_a_function_without_a_name_is_legacy(function: Any) -> None:
    """What has no name is stored as such, not under an invented one."""
    assert identity(function) == {"type": "legacy"}


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), b"bytes"])
def test_a_configuration_that_is_no_json_is_refused(value: Any) -> None:
    """What can't be stored is told when it would be stored."""
    with pytest.raises(EmbeddingFunctionError, match="'configured' is not plain JSON"):
        identity(Configured(value=value))


def test_the_stored_form_does_not_change_with_the_function() -> None:
    """It is a copy: a configuration that changes later leaves it alone."""
    function = Configured(model_name="a", nested={"list": [1]})
    stored = identity(function)

    function.config["nested"]["list"].append(2)

    assert stored is not None
    assert stored["config"] == {"model_name": "a", "nested": {"list": [1]}}


# -- the same or not -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        (None, unnamed),
        (None, DefaultEmbeddingFunction()),
        ({"type": "legacy"}, unnamed),
        ({"type": "legacy"}, DefaultEmbeddingFunction()),
        ({"type": "known", "name": "default", "config": {}}, DefaultEmbeddingFunction()),
        ({"type": "known", "name": "default", "config": {}}, ONNXMiniLM_L6_V2()),
        ({"type": "known", "name": "onnx_mini_lm_l6_v2", "config": {}}, DefaultEmbeddingFunction()),
        ({"type": "known", "name": "default", "config": {}}, None),
        (identity(DefaultEmbeddingFunction()), DefaultEmbeddingFunction()),
        (identity(Configured(model_name="a", device="cpu")), Configured(model_name="a", device="cuda")),
        (identity(Configured(model_name="a")), Configured(device="cpu")),
    ],
)
def test_what_fits_is_accepted(stored: Any, given: Any) -> None:
    """The same name and settings that do not change the vectors, no stored name, or no function at all."""
    check_same(stored, given, "docs")


@pytest.mark.parametrize(
    ("stored", "given", "says"),
    [
        (identity(DefaultEmbeddingFunction()), HashingEmbeddingFunction(), "'default', not with 'hashing'"),
        (identity(HashingEmbeddingFunction()), unnamed, "'hashing', not with unnamed"),
        (identity(HashingEmbeddingFunction(64)), HashingEmbeddingFunction(128), "dimension was 64, is 128"),
        (identity(Configured(model_name="a")), Configured(model_name="b"), "model_name was 'a', is 'b'"),
        (
            {"type": "known", "name": "default", "config": {"weights_sha256": "other"}},
            DefaultEmbeddingFunction(),
            "weights_sha256 was 'other'",
        ),
        ({"type": "known", "name": "openai", "config": {}}, DefaultEmbeddingFunction(), "'openai', not with 'default'"),
    ],
)
def test_another_function_is_refused(stored: Any, given: Any, says: str) -> None:
    """Another name, or other vectors under the name, is an error with the collection, both sides and the ways on."""
    with pytest.raises(EmbeddingFunctionError) as caught:
        check_same(stored, given, "docs")

    assert "'docs'" in str(caught.value)
    assert says in str(caught.value)
    assert "make a new collection" in str(caught.value)


# -- spaces ----------------------------------------------------------------------------------------------------------


def test_a_function_names_its_spaces() -> None:
    """What a function says about distances is passed on."""
    assert default_space(Configured()) == "ip"
    assert supported_spaces(Configured()) == ["ip"]


@pytest.mark.parametrize("function", [None, unnamed, OnlyCall()])
def test_silent_functions_fit_every_space(function: Any) -> None:
    """A function that does not say has Chroma's default, l2, and fits all three."""
    assert default_space(function) == "l2"
    assert sorted(supported_spaces(function)) == ["cosine", "ip", "l2"]
