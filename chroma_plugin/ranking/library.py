"""BM25 by the library bm25s, over documents that are read once."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Final

import numpy as np

from chroma_plugin.errors import MissingDependencyError
from chroma_plugin.ranking.bm25 import K1, B, Scores
from chroma_plugin.ranking.words import words_of

_OTHER: Final = 0
"""Stands for every word that nobody asks for: only how many there are counts."""


class LibraryRanking:
    """Scores of the documents that are added, for queries that are known before. None is no document."""

    def __init__(self, queries: Sequence[str]) -> None:
        self._library = _imported()
        self._queries = [words_of(query) for query in queries]
        self._code_of = {word: code for code, word in enumerate({word for asked in self._queries for word in asked}, 1)}
        self._documents: list[list[int]] = []

    def add(self, documents: Sequence[str | None]) -> dict[int, int]:
        """More documents; of those that have one of the words, from the position here to the number among all."""
        code_of = self._code_of
        number_of = {}
        for position, document in enumerate(documents):
            if document is not None:
                codes = [code_of.get(word, _OTHER) for word in words_of(document)]
                if any(codes):
                    number_of[position] = len(self._documents)
                self._documents.append(codes)
        return number_of

    def scores(self) -> list[Scores]:
        """For each query the scores of all documents, in the order in which they were added; 0.0 without its words."""
        nothing = np.zeros(len(self._documents))
        if not any(map(any, self._documents)):
            return [nothing for _ in self._queries]
        index = self._library.BM25(k1=K1, b=B, method="lucene", dtype="float64")
        vocabulary = {"": _OTHER, **self._code_of}
        index.index((self._documents, vocabulary), create_empty_token=False, show_progress=False)
        return [index.get_scores(asked) if asked else nothing for asked in self._queries]


def _imported() -> ModuleType:
    try:
        import bm25s
    except ImportError as error:
        raise MissingDependencyError(
            "This backend has no text search of its own, so bm25s does it: pip install 'chroma-plugin[text]'"
        ) from error
    library: ModuleType = bm25s
    return library
