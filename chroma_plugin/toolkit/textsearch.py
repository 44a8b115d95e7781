"""The rows of a view whose documents fit a text best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chroma_plugin.filters.ast import Expr
from chroma_plugin.frozen import frozen
from chroma_plugin.ranking import bm25
from chroma_plugin.ranking.bm25 import Scores
from chroma_plugin.ranking.words import words_of
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.masks import mask
from chroma_plugin.toolkit.table import View
from chroma_plugin.toolkit.textindex import Counts, Indexed
from chroma_plugin.toolkit.vectors import RowNumbers

Found = tuple[RowNumbers, Scores]
"""Rows, best first, and their scores."""


@frozen
class BestTexts:
    """A search by text over one view. What is counted, is counted over all live rows."""

    view: View
    k: int
    among: RowNumbers | None
    """Only these rows may be found; None: any."""
    where: Expr | None

    def find(self, queries: Sequence[str]) -> list[Found]:
        """One answer per query: at most k rows, each with one of its words."""
        table = self.view.table
        index = table.words.up_to(table.documents, self.view.length)
        weighing = _Weighing(self.view, index, table.words.count(self.view.alive))
        return [self._best(*weighing.scores(words_of(query))) for query in queries]

    def _best(self, rows: RowNumbers, scores: Scores) -> Found:
        rows = self._qualifying(rows)
        own = scores[rows]
        if len(rows) > self.k:
            # Everything as good as the k-th: which of the equal ones come first is decided below.
            good = own >= np.partition(own, len(own) - self.k)[len(own) - self.k]
            rows, own = rows[good], own[good]
        order = np.lexsort((self.view.table.places[: self.view.length][rows], -own))[: self.k]
        return rows[order], own[order]

    def _qualifying(self, rows: RowNumbers) -> RowNumbers:
        if self.among is not None:
            rows = rows[self._marked(self.among)[rows]]
        if self.where is not None:
            # What a filter must ask row by row, is asked only of rows that were found.
            found = replace(self.view, alive=self._marked(rows))
            rows = rows[mask(found, self.where)[rows]]
        return rows

    def _marked(self, rows: RowNumbers) -> Mask:
        marked = np.zeros(self.view.length, dtype=np.bool_)
        marked[rows] = True
        return marked


@frozen
class _Weighing:
    """How much the words weigh in the live rows."""

    view: View
    index: Indexed
    counts: Counts

    def scores(self, words: Sequence[str]) -> tuple[RowNumbers, Scores]:
        """The rows that have one of the words, in any order, and the scores by row, shape (view.length,).

        It costs what the postings of the words do: the untouched parts of the scores are never looked at.
        """
        scores = np.zeros(self.view.length)
        weights_of = {word: self._weights(word) for word in words}
        found = [np.empty(0, dtype=np.intp)]
        for word in words:
            rows, weights = weights_of[word]
            before = scores[rows]
            found.append(rows[before == 0.0])  # a weight is never 0, so these are new
            scores[rows] = before + weights
        return np.concatenate(found), scores

    def _weights(self, word: str) -> tuple[RowNumbers, Scores]:
        rows, frequencies = self.index.postings(word)
        if self.index.length > self.view.length:
            before = rows < self.view.length
            rows, frequencies = rows[before], frequencies[before]
        alive = self.view.alive[rows]
        rows, frequencies = rows[alive], frequencies[alive]
        if not len(rows):
            return rows, np.empty(0)
        weight = bm25.idf(len(rows), self.counts.documents)
        return rows, weight * bm25.saturation(frequencies, self.counts.handicaps[rows])
