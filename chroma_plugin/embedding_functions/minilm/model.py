"""Texts to vectors: word pieces, then the network. Loaded once per process, on first use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from threading import Lock
from typing import Any, Final

import numpy as np

from chroma_plugin.embedding_functions.minilm import files, weights
from chroma_plugin.embedding_functions.minilm.forward import Network
from chroma_plugin.types import Matrix

MAX_TOKENS: Final = 256
"""Of a longer text only the beginning counts, with the two marks around it."""
PACK: Final = 1024
"""Tokens that go through the network together: enough for full speed, 6 MB in the widest layer."""

_loading: Final = Lock()


def model() -> Model:
    """The model, loaded by the first caller while others wait.

    Raises ModelUnavailableError; the next call tries again.
    """
    with _loading:
        return _load()


@cache
def _load() -> Model:
    from safetensors.numpy import load
    from tokenizers import Tokenizer

    contents = weights.load().contents
    tokenizer = Tokenizer.from_buffer(contents[files.TOKENIZER.name])
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return Model(tokenizer, Network(load(contents[files.MODEL.name])))


class Model:
    """Immutable once made; any number of threads may use it."""

    def __init__(self, tokenizer: Any, network: Network) -> None:
        self._tokenizer = tokenizer
        self._network = network

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors: float32 of shape (len(texts), 384), in the order of the texts."""
        # One by one: encode_batch starts threads, which a later fork of the process would lose.
        tokens = [self._tokenizer.encode(_encodable(text)).ids for text in texts]
        result = np.empty((len(texts), files.DIMENSION), np.float32)
        for rows in _packs([len(ids) for ids in tokens]):
            result[rows] = self._network([tokens[row] for row in rows])
        return result


def _encodable(text: str) -> str:
    """The text with lone surrogates, which are no characters, replaced by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _packs(lengths: Sequence[int]) -> Iterator[list[int]]:
    """All positions, shortest text first, in packs of about `PACK` tokens."""
    pack: list[int] = []
    tokens = 0
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        if pack and tokens + lengths[position] > PACK:
            yield pack
            pack, tokens = [], 0
        pack.append(position)
        tokens += lengths[position]
    if pack:
        yield pack
