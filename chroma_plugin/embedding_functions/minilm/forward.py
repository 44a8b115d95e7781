"""The forward pass of all-MiniLM-L6-v2 in numpy: token ids in, unit vectors out.

The tokens of all texts lie one after another as the rows of one matrix, without padding: every layer but the attention
works on rows alone, and the attention goes over runs of texts of one length. So a text's vector hardly depends on what
it is embedded together with (rounding of the matrix products only), and no work is spent on padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.embedding_functions.minilm.gelu import gelu
from chroma_plugin.frozen import frozen
from chroma_plugin.types import Matrix

LAYERS: Final = 6
HEADS: Final = 12
HIDDEN: Final = 384
HEAD: Final = HIDDEN // HEADS
EPSILON: Final = np.float32(1e-12)

Vector = npt.NDArray[np.float32]
Weights = Mapping[str, npt.NDArray[np.float32]]


@frozen
class Run:
    """Texts of one length that follow each other: rows ``start`` to ``start + texts * length``."""

    start: int
    texts: int
    length: int

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + self.texts * self.length)


@frozen
class Linear:
    """x @ weight.T + bias."""

    weight: Matrix
    bias: Vector

    def __call__(self, x: Matrix) -> Matrix:
        result: Matrix = x @ self.weight.T
        result += self.bias
        return result


@frozen
class LayerNorm:
    """Rows with mean 0 and variance 1, scaled and shifted; in place."""

    weight: Vector
    bias: Vector

    def __call__(self, x: Matrix) -> Matrix:
        x -= x.mean(axis=1, keepdims=True)
        variance = np.einsum("nd,nd->n", x, x) / np.float32(HIDDEN)
        x *= (1 / np.sqrt(variance + EPSILON))[:, None]
        x *= self.weight
        x += self.bias
        return x


@frozen
class Layer:
    """One of the six: attention, then a network of two linear maps, each added to its input and normalised."""

    query_key_value: Linear
    attended: Linear
    attended_norm: LayerNorm
    widen: Linear
    narrow: Linear
    narrow_norm: LayerNorm

    def __call__(self, x: Matrix, runs: Sequence[Run]) -> Matrix:
        attended = self.attended(_attention(self.query_key_value(x), runs))
        attended += x
        x = self.attended_norm(attended)
        wide = self.widen(x)
        gelu(wide)
        narrow = self.narrow(wide)
        narrow += x
        return self.narrow_norm(narrow)


class Network:
    """The network with its weights; immutable, so any number of threads may call it."""

    def __init__(self, weights: Weights) -> None:
        self._words = weights["embeddings.word_embeddings.weight"]
        # Every text is one segment, of type 0.
        self._positions = (
            weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = _layer_norm(weights, "embeddings.LayerNorm")
        self._layers = [_layer(weights, f"encoder.layer.{number}") for number in range(LAYERS)]

    def __call__(self, texts: Sequence[Sequence[int]]) -> Matrix:
        """Unit vectors: float32 of shape (len(texts), 384).

        The texts are given as token ids, **sorted by length**; none is empty.
        """
        runs = list(_runs(texts))
        x = self._words[np.concatenate([np.asarray(text, np.intp) for text in texts])]
        for run in runs:
            x[run.rows].reshape(run.texts, run.length, HIDDEN)[...] += self._positions[: run.length]
        x = self._norm(x)
        for layer in self._layers:
            x = layer(x, runs)
        pooled = np.concatenate([x[run.rows].reshape(run.texts, run.length, HIDDEN).mean(axis=1) for run in runs])
        pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
        return pooled


def _runs(texts: Sequence[Sequence[int]]) -> Iterator[Run]:
    start = 0
    for length, same in groupby(len(text) for text in texts):
        run = Run(start, sum(1 for _ in same), length)
        start = run.rows.stop
        yield run


def _attention(query_key_value: Matrix, runs: Sequence[Run]) -> Matrix:
    """Each token's mixture of the values of its own text: rows of ``query_key_value`` are (q, k, v) x heads x 32."""
    result = np.empty((len(query_key_value), HIDDEN), np.float32)
    for run in runs:
        split = query_key_value[run.rows].reshape(run.texts, run.length, 3, HEADS, HEAD)
        query, key, value = split.transpose(2, 0, 3, 1, 4)
        weights = query @ key.swapaxes(-1, -2)
        weights -= weights.max(axis=-1, keepdims=True)
        np.exp(weights, out=weights)
        mixed = weights @ value
        mixed /= weights.sum(axis=-1, keepdims=True)
        result[run.rows].reshape(run.texts, run.length, HEADS, HEAD)[...] = mixed.swapaxes(1, 2)
    return result


def _layer(weights: Weights, prefix: str) -> Layer:
    return Layer(
        query_key_value=_query_key_value(weights, f"{prefix}.attention.self"),
        attended=_linear(weights, f"{prefix}.attention.output.dense"),
        attended_norm=_layer_norm(weights, f"{prefix}.attention.output.LayerNorm"),
        widen=_linear(weights, f"{prefix}.intermediate.dense"),
        narrow=_linear(weights, f"{prefix}.output.dense"),
        narrow_norm=_layer_norm(weights, f"{prefix}.output.LayerNorm"),
    )


def _query_key_value(weights: Weights, prefix: str) -> Linear:
    """The three maps as one matrix product; the 1 / sqrt(32) of the attention is moved into the queries."""
    query, key, value = (_linear(weights, f"{prefix}.{name}") for name in ("query", "key", "value"))
    scale = np.float32(1 / np.sqrt(HEAD))
    return Linear(
        np.concatenate([query.weight * scale, key.weight, value.weight]),
        np.concatenate([query.bias * scale, key.bias, value.bias]),
    )


def _linear(weights: Weights, prefix: str) -> Linear:
    return Linear(weights[f"{prefix}.weight"], weights[f"{prefix}.bias"])


def _layer_norm(weights: Weights, prefix: str) -> LayerNorm:
    return LayerNorm(weights[f"{prefix}.weight"], weights[f"{prefix}.bias"])
