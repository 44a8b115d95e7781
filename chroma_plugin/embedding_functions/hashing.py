"""An embedding function of words and parts of words, without a model."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.embedding_functions.inputs import checked_texts
from chroma_plugin.embedding_functions.protocol import Documents, EmbeddingFunction
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.types import Matrix
from chroma_plugin.wording import shown

_WORD: Final = re.compile(r"\w+")
_GRAM: Final = 4
# A word has many four-grams; without this they would outweigh it.
_GRAM_WEIGHT: Final = 0.4


class HashingEmbeddingFunction(EmbeddingFunction[Documents]):
    """Texts are near when they share words, or parts of words.

    **It knows no meaning**: "car" and "automobile" are far apart.

    For tests, for examples without a download, and for text in which the very words count. The words and the
    four-character pieces of the text are hashed into ``dimension`` signed slots. The same text has the same vector in
    every process and on every platform; vectors have length 1, that of a blank text is zero. ``dimension`` is at least
    8, by default 384.
    """

    def __init__(self, dimension: int = 384) -> None:
        self.dimension = _checked_dimension(dimension)

    def __call__(self, input: Documents) -> Matrix:
        texts = checked_texts(input)
        embeddings = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            embeddings[row] = self._embed(text)
        return embeddings

    @staticmethod
    def name() -> str:
        return "hashing"

    def get_config(self) -> dict[str, Any]:
        return {"dimension": self.dimension}

    @staticmethod
    def build_from_config(config: Mapping[str, Any]) -> HashingEmbeddingFunction:
        return HashingEmbeddingFunction(config.get("dimension", 384))

    def _embed(self, text: str) -> npt.NDArray[np.float32]:
        vector = np.zeros(self.dimension)
        for (kind, feature), count in Counter(_features(text)).items():
            slot, sign = _place(kind + feature)
            weight = 1.0 if kind == "w" else _GRAM_WEIGHT
            vector[slot % self.dimension] += sign * weight * (1 + math.log(count))
        length = float(np.linalg.norm(vector))
        return (vector / (length or 1.0)).astype(np.float32)


def _checked_dimension(dimension: Any) -> int:
    if not isinstance(dimension, int) or isinstance(dimension, bool) or dimension < 8:
        raise InvalidArgumentError(f"dimension must be an int of at least 8; it is {shown(dimension)}.")
    return dimension


def _features(text: str) -> Iterator[tuple[str, str]]:
    plain = unicodedata.normalize("NFKC", text).casefold()
    for word in _WORD.findall(plain):
        yield "w", word
    spaced = f" {' '.join(plain.split())} "
    if spaced.strip():
        for start in range(max(1, len(spaced) - _GRAM + 1)):
            yield "g", spaced[start : start + _GRAM]


@lru_cache(maxsize=1 << 16)
def _place(feature: str) -> tuple[int, int]:
    """A large number, and 1 or -1, from a hash that is the same everywhere (Python's own differs between processes)."""
    number = int.from_bytes(blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
    return number >> 1, 1 if number & 1 else -1
