from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from chroma_plugin.embedding_functions import DefaultEmbeddingFunction, ONNXMiniLM_L6_V2, identity
from chroma_plugin.embedding_functions.minilm.gelu import gelu
from chroma_plugin.errors import EmbeddingFunctionError, InvalidArgumentError

MIXED = [
    "",
    "a",
    "The cat sat on the mat.",
    "😀 naïve 東京 café",
    "tail " * 90,
    "b",
    "word " * 300,
    "\ud800 alone",
    "a",
]

# Components 0, 1, 2, 191, 382, 383 as torch computes them with transformers' BertModel in float64 from the same
# weights: mean of the last hidden states of at most 256 tokens, scaled to length 1.
KNOWN = {
    "The quick brown fox jumps over the lazy dog.": [0.0439335, 0.0589344, 0.0481784, -0.0500745, 0.0561065, 0.1020639],
    "naïve café — 東京 😀 zero\u200bwidth": [0.0970977, 0.0478093, 0.0557317, 0.0075556, -0.1112156, -0.0155987],
    "word " * 400: [-0.0081237, -0.095586, -0.0386731, -0.0117622, 0.0870923, 0.0152406],
}


@pytest.mark.parametrize("text", KNOWN, ids=["short", "unicode", "truncated"])
def test_vectors_are_those_of_the_reference_implementation(minilm: DefaultEmbeddingFunction, text: str) -> None:
    """The vectors are those of the published model, to 1e-6."""
    vector = minilm([text])[0]

    np.testing.assert_allclose(vector[[0, 1, 2, 191, 382, 383]], KNOWN[text], atol=1e-6)


def test_near_meaning_is_near(minilm: DefaultEmbeddingFunction) -> None:
    """A paraphrase without a common word is nearer than an unrelated sentence."""
    sentence, paraphrase, unrelated = minilm(
        ["A physician treats patients.", "The doctor is caring for sick people.", "Stocks fell on Monday."]
    )

    assert sentence @ paraphrase > sentence @ unrelated + 0.3


def test_shape_type_and_length(minilm: DefaultEmbeddingFunction) -> None:
    """One float32 vector of 384 numbers and length 1 for each text, also for empty, foreign and broken ones."""
    vectors = minilm(MIXED)

    assert vectors.shape == (len(MIXED), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_vector_does_not_depend_on_its_company(minilm: DefaultEmbeddingFunction) -> None:
    """A text has the same vector alone and among others of all lengths, in its own place."""
    texts = [*MIXED, *(f"document {number} " * (3 * number) for number in range(12))]

    together = minilm(texts)

    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_allclose(minilm([text])[0], vector, atol=1e-5)


def test_long_texts_are_cut(minilm: DefaultEmbeddingFunction) -> None:
    """The first 254 word pieces count (256 with the two marks), and nothing after them."""
    beginning = "river " * 254

    whole, longer, shorter = minilm([beginning, beginning + "volcano " * 50, "river " * 253])

    np.testing.assert_allclose(longer, whole, atol=1e-6)
    assert np.abs(shorter - whole).max() > 1e-5


def test_no_texts(minilm: DefaultEmbeddingFunction) -> None:
    """No texts give no vectors, of the right width."""
    assert minilm([]).shape == (0, 384)


@pytest.mark.parametrize("wrong", ["one text", [b"bytes"], [None], [1]])
def test_only_lists_of_str(minilm: DefaultEmbeddingFunction, wrong: object) -> None:
    """A single str and other types are refused: their parts would be embedded as texts."""
    with pytest.raises(InvalidArgumentError, match="takes a list of str"):
        minilm(wrong)  # type: ignore[arg-type]


def test_threads_share_one_model(minilm: DefaultEmbeddingFunction) -> None:
    """Calls from several threads at once give what one call gives."""
    expected = minilm(MIXED)

    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(lambda _: DefaultEmbeddingFunction()(MIXED), range(4)):
            np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_chromadb_name_is_the_same_model(minilm: DefaultEmbeddingFunction) -> None:
    """ONNXMiniLM_L6_V2 takes chromadb's argument and gives the default function's vectors."""
    function = ONNXMiniLM_L6_V2(preferred_providers=["CPUExecutionProvider"])

    np.testing.assert_array_equal(function(["hello"]), minilm(["hello"]))
    assert function.name() == "onnx_mini_lm_l6_v2"
    assert function.default_space() == "cosine"


def test_nothing_is_loaded_before_the_first_text(bare_machine: Path) -> None:
    """Making the function, naming and describing it need no files."""
    stored = identity(DefaultEmbeddingFunction())

    assert stored is not None
    assert stored["name"] == "default"
    assert stored["config"]["dimension"] == 384
    assert isinstance(DefaultEmbeddingFunction.build_from_config(stored["config"]), DefaultEmbeddingFunction)


def test_configurations_of_chroma_are_understood() -> None:
    """Chroma stores an empty configuration for the same model."""
    assert isinstance(DefaultEmbeddingFunction.build_from_config({}), DefaultEmbeddingFunction)


def test_other_weights_are_refused() -> None:
    """A collection that was made with other weights is not embedded into with these."""
    with pytest.raises(EmbeddingFunctionError, match="other weights"):
        DefaultEmbeddingFunction.build_from_config({"weights_sha256": "0" * 64})


def test_gelu_is_exact_to_single_precision() -> None:
    """The activation agrees with the exact error function to 3e-7 around zero and to rounding far from it."""
    from math import erf, sqrt

    values = np.concatenate([np.linspace(-14, 14, 40001), [0.0, -0.0, 1e-30, -1e-30, 200.0, -200.0]]).astype(np.float32)
    exact = np.array([value * 0.5 * (1 + erf(value / sqrt(2))) for value in values.astype(float).tolist()])

    ours = values.copy()
    gelu(ours)

    np.testing.assert_allclose(ours, exact, atol=3e-7, rtol=2e-7)
