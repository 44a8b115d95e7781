"""BM25 as Lucene computes it: how well a document fits the words of a query.

For each word of the query, as often as it stands there, a document that has the word f times gets::

    idf x f / (f + k1 x (1 - b + b x length / average length)),    idf = ln(1 + (n - d + 0.5) / (d + 0.5))

where n is the number of documents, d how many of them have the word, and lengths are in words. It is Lucene's
``BM25Similarity`` and the "Lucene (accurate)" variant of Kamphuis, de Vries, Boytsov, Lin: Which BM25 Do You Mean?,
ECIR 2020, https://doi.org/10.1007/978-3-030-45442-5_4, in which a score is never negative. Everything is float64, in
the order of operations of the library bm25s, so that scores are the same to the last bit.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

K1: Final = 1.5
"""How slowly more occurrences of a word saturate."""
B: Final = 0.75
"""How much long documents pay for their length, from 0 to 1."""

Scores = npt.NDArray[np.float64]


def idf(having: int, documents: int) -> float:
    """What a word weighs that so many of so many documents have."""
    return math.log(1 + (documents - having + 0.5) / (having + 0.5))


def handicaps(lengths: npt.NDArray[Any], average: float) -> Scores:
    """What documents of so many words pay for their length: the part of the formula in which no word stands."""
    paid: Scores = K1 * ((1 - B) + B * lengths / average)
    return paid


def saturation(frequencies: npt.NDArray[Any], paid: Scores) -> Scores:
    """The share of the weight of a word that each document gets, which has the word so often and pays so much."""
    shares: Scores = frequencies / (paid + frequencies)
    return shares
