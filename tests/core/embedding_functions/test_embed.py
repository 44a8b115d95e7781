from __future__ import annotations

import sys
import time
from typing import Any, Protocol

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_plugin.embedding_functions import embed
from chroma_plugin.errors import EmbeddingFunctionError


class Terminal(Protocol):
    def getvalue(self) -> str: ...


def lengths(input: list[str]) -> list[list[float]]:
    return [[float(len(text)), 1.0] for text in input]


@pytest.mark.parametrize(
    "convert",
    [
        list,
        np.array,
        lambda v: np.array(v, np.float64),
        lambda v: [np.array(x) for x in v],
        lambda v: np.array(v, int),
        tuple,
    ],
    ids=["lists", "array", "float64", "list of arrays", "ints", "tuple"],
)
def test_every_usual_outcome_becomes_a_float32_matrix(convert: Any) -> None:
    """Lists, tuples and arrays of numbers are taken."""
    matrix = embed(lambda input: convert(lengths(input)), ["abc", ""])

    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    np.testing.assert_array_equal(matrix, [[3, 1], [0, 1]])


@settings(deadline=None, max_examples=40)
@given(count=st.integers(0, 600))
def test_every_text_gets_its_own_vector_in_order(count: int) -> None:
    """However many texts there are and however they are split into calls, row i belongs to text i."""
    matrix = embed(lambda input: [[float(text), 0.5] for text in input], [str(number) for number in range(count)])

    assert len(matrix) == count
    np.testing.assert_array_equal(matrix[:, :1].ravel(), np.arange(count)[: matrix[:, :1].size])


def test_calls_get_at_most_128_texts() -> None:
    """Many documents are split, a few are not."""
    calls: list[int] = []

    def counting(input: list[str]) -> list[list[float]]:
        calls.append(len(input))
        return lengths(input)

    embed(counting, ["x"] * 300)
    embed(counting, ["x"] * 128)

    assert max(calls[:-1]) <= 128
    assert sum(calls[:-1]) == 300
    assert calls[-1] == 128


def test_queries_go_to_embed_query() -> None:
    """A function that embeds queries differently does."""

    class Asymmetric:
        def __call__(self, input: list[str]) -> list[list[float]]:
            return [[1.0] for _ in input]

        def embed_query(self, input: list[str]) -> list[list[float]]:
            return [[2.0] for _ in input]

    assert embed(Asymmetric(), ["q"]).item() == 1.0
    assert embed(Asymmetric(), ["q"], query=True).item() == 2.0


def test_without_a_function_the_error_says_what_to_do() -> None:
    """Texts for a collection without an embedding function are an error with both ways out."""
    with pytest.raises(EmbeddingFunctionError, match=r"embeddings=.*embedding_function="):
        embed(None, ["text"])


def wrong_outcomes() -> list[Any]:
    return [
        pytest.param(None, "None", id="nothing"),
        pytest.param([[1.0, 2.0]], "1 vectors for 2 texts", id="too few"),
        pytest.param([[1.0]] * 3, "3 vectors for 2 texts", id="too many"),
        pytest.param([1.0, 2.0], "shape (2,)", id="one vector"),
        pytest.param([[[1.0]], [[2.0]]], "shape (2, 1, 1)", id="three dimensions"),
        pytest.param([[], []], "shape (2, 0)", id="empty vectors"),
        pytest.param([[1.0], [1.0, 2.0]], "no array", id="ragged"),
        pytest.param([["1.0"], ["2.0"]], "'1.0'", id="strings"),
        pytest.param([[True], [False]], "True", id="booleans"),
        pytest.param([[1.0], [None]], "None", id="a None inside"),
        pytest.param([[1.0], [float("nan")]], "text 1", id="NaN"),
        pytest.param([[float("inf")], [1.0]], "text 0", id="infinity"),
        pytest.param([[1e300], [1.0]], "beyond float32", id="too large"),
        pytest.param("ab", "'ab'", id="a string"),
        pytest.param({"a": [1.0]}, "'a'", id="a dict"),
    ]


@pytest.mark.parametrize(("outcome", "says"), wrong_outcomes())
def test_a_wrong_outcome_is_told(outcome: Any, says: str) -> None:
    """What is not one finite vector for each text is refused, with the function's name and what it returned."""

    def faulty(input: list[str]) -> Any:
        return outcome

    with pytest.raises(EmbeddingFunctionError) as caught:
        embed(faulty, ["a", "b"])

    assert "faulty" in str(caught.value)
    assert says in str(caught.value)


def test_a_dimension_that_changes_between_calls_is_told() -> None:
    """All batches must have one dimension."""

    def drifting(input: list[str]) -> list[list[float]]:
        return [[1.0] * (2 if "first" in input else 3) for _ in input]

    with pytest.raises(EmbeddingFunctionError, match=r"drifting.*\[2, 3\]"):
        embed(drifting, ["first", *["x"] * 200])


def test_its_own_errors_pass_through_with_a_note() -> None:
    """An error of the function keeps its type and says where it came from."""

    def failing(input: list[str]) -> Any:
        raise TimeoutError("no answer")

    with pytest.raises(TimeoutError, match="no answer") as caught:
        embed(failing, ["a", "b"])
    assert "failing" in caught.value.__notes__[0]
    assert "2 texts" in caught.value.__notes__[0]


# -- the progress bar --------------------------------------------------------------------------------------------------


def slow(input: list[str]) -> list[list[float]]:
    time.sleep(0.6)
    return lengths(input)


def test_long_work_shows_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    """Embedding for more than a second shows how far it is."""
    monkeypatch.setattr(sys, "stderr", terminal)

    embed(slow, ["x"] * 384)

    assert "Embedding" in terminal.getvalue()
    assert "/384" in terminal.getvalue()


def test_quick_work_shows_nothing(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    """A second is not worth a bar."""
    monkeypatch.setattr(sys, "stderr", terminal)

    embed(lengths, ["x"] * 1000)

    assert "Embedding" not in terminal.getvalue()


def test_no_bar_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """In logs and pipes nothing is printed."""
    embed(slow, ["x"] * 384)

    assert capfd.readouterr() == ("", "")
