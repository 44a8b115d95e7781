from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_plugin.embedding_functions import HashingEmbeddingFunction
from chroma_plugin.errors import InvalidArgumentError

FUNCTION = HashingEmbeddingFunction()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=40), max_size=5))
def test_every_text_has_a_unit_vector(texts: list[str]) -> None:
    """Vectors have length 1, those of blank texts 0; a text's vector does not depend on the others."""
    vectors = FUNCTION(texts)

    assert vectors.shape == (len(texts), 384)
    assert vectors.dtype == np.float32
    for text, vector in zip(texts, vectors, strict=True):
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6) or not vector.any()
        np.testing.assert_array_equal(FUNCTION([text])[0], vector)


def test_blank_texts_are_zero() -> None:
    """There is nothing to hash in an empty text."""
    assert not FUNCTION(["", "  \n\t"]).any()


def test_shared_words_and_parts_of_words_are_near() -> None:
    """Common words count most, common parts of words a little, other words nothing; case and width do not count."""
    query, same_words, same_stem, other = FUNCTION(
        ["compress a file", "a FILE to ｃｏｍｐｒｅｓｓ", "compressing files", "weather in Paris"]
    )

    assert query @ same_words > query @ same_stem > query @ other + 0.2


def test_it_is_the_same_in_every_process() -> None:
    """Python's own random hashing has no part in it."""
    code = (
        "from chroma_plugin.embedding_functions import HashingEmbeddingFunction as H;"
        "print(H(32)(['Grüße, compress ☂ this file'])[0].tobytes().hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    here = HashingEmbeddingFunction(32)(["Grüße, compress ☂ this file"])[0]
    assert outputs == {f"{here.tobytes().hex()}\n".encode()}


def test_stored_vectors_stay_valid() -> None:
    """The vector of a text never changes between releases: collections hold it."""
    np.testing.assert_allclose(
        HashingEmbeddingFunction(8)(["compress a file"])[0],
        [-0.3823596, 0.5353034, 0.1529438, -0.5353034, 0.4588315, 0.0, 0.1529438, -0.1529438],
        atol=1e-6,
    )


def test_its_configuration_builds_it_again() -> None:
    """The dimension is remembered."""
    again = HashingEmbeddingFunction.build_from_config(HashingEmbeddingFunction(64).get_config())

    assert again.dimension == 64


@pytest.mark.parametrize("wrong", [0, 7, -1, 1.5, "384", True, None])
def test_wrong_dimensions_are_refused(wrong: Any) -> None:
    """The dimension is an int of at least 8."""
    with pytest.raises(InvalidArgumentError, match="dimension must be an int"):
        HashingEmbeddingFunction(wrong)


def test_a_single_str_is_refused() -> None:
    """Its characters are no texts."""
    with pytest.raises(InvalidArgumentError, match="list of str"):
        FUNCTION("text")  # type: ignore[arg-type]
