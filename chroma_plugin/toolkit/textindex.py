"""Which rows have a word, and how often: an inverted index that grows with the rows of a table.

It is built when a text is first searched, and brought up to date by each search with the rows that came since. Rows
never change, so nothing in it does: what is dead is left out by whoever reads. It can be thrown away at any time.

Like Lucene's, it consists of segments, which are never changed, each over a stretch of rows. New rows become a small
one; neighbours are merged so that each is at least twice as large as the next: there are few, and a row is moved a
few times at most. A posting, one word in one row, takes 5 bytes, or a little more where a text has a word over 255
times.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.frozen import frozen
from chroma_plugin.ranking import bm25
from chroma_plugin.ranking.bm25 import Scores
from chroma_plugin.ranking.words import words_of
from chroma_plugin.toolkit.columns import Mask
from chroma_plugin.toolkit.growing import Growing
from chroma_plugin.toolkit.vectors import RowNumbers

Codes = npt.NDArray[np.int64]
Lengths = npt.NDArray[np.int32]
Frequencies = npt.NDArray[np.unsignedinteger[Any]]

_NO_DOCUMENT: Final = -1
_ROW_BITS: Final = 32
_CHARACTERS_AT_ONCE: Final = 4 << 20
"""About how much text is split into words at a time: each word is a Python string for a moment."""


@frozen(eq=False)
class Segment:
    """The words of a stretch of rows."""

    words: npt.NDArray[np.int32]
    """The codes of the words that stand there, ascending."""
    starts: npt.NDArray[np.int64]
    """Where the postings of each of those begin, and where the last ones end."""
    rows: npt.NDArray[np.int32]
    """The rows of all postings, word by word, ascending in each."""
    frequencies: Frequencies
    """How often the word stands there."""

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self.words, self.starts, self.rows, self.frequencies))

    def find(self, code: int) -> slice:
        """The postings of a word."""
        place = int(self.words.searchsorted(np.int32(code)))  # of the same type, or all words would be converted
        if place == len(self.words) or self.words[place] != code:
            return slice(0, 0)
        return slice(int(self.starts[place]), int(self.starts[place + 1]))

    def codes(self) -> Codes:
        """The word of each posting."""
        return np.repeat(self.words, np.diff(self.starts)).astype(np.int64)


@frozen(eq=False)
class Indexed:
    """The index at one moment."""

    length: int
    """Rows from this one on are not in it."""
    lengths: Lengths
    """How many words each row has; -1: it has no document."""
    segments: tuple[Segment, ...]
    code_of: dict[str, int]

    def postings(self, word: str) -> tuple[RowNumbers, Frequencies]:
        """The rows that have the word, ascending, and how often each has it."""
        code = self.code_of.get(word, -1)
        found = [(segment, segment.find(code)) for segment in (_NOTHING, *self.segments)]
        rows = np.concatenate([segment.rows[place] for segment, place in found]).astype(np.intp)
        return rows, np.concatenate([segment.frequencies[place] for segment, place in found])


@frozen(eq=False)
class Counts:
    """What there is in the live rows of one view."""

    alive: Mask
    documents: int
    handicaps: Scores
    """Of each row by its length; see `bm25.handicaps`."""


class _Vocabulary(dict[str, int]):
    """A number for each word, given when it is first met."""

    def __missing__(self, word: str) -> int:
        code = self[word] = len(self)
        return code


class TextIndex:
    """The index of one table."""

    def __init__(self) -> None:
        self._extending = threading.Lock()
        self._code_of = _Vocabulary()
        self._lengths = Growing(np.int32)
        self._now = Indexed(0, self._lengths[:], (), self._code_of)
        self._counts: Counts | None = None

    @property
    def nbytes(self) -> int:
        """Of the arrays; a distinct word is a Python string besides, of about 130 bytes."""
        handicaps = 0 if self._counts is None else self._counts.handicaps.nbytes
        return self._lengths.nbytes + handicaps + sum(segment.nbytes for segment in self._now.segments)

    def up_to(self, documents: Sequence[str | None], length: int) -> Indexed:
        """The index of at least the first ``length`` rows, brought up to date now."""
        if self._now.length < length:
            with self._extending:
                for first, last in _pieces(documents, self._now.length, length):
                    self._extend(documents[first:last], first, last)
        return self._now

    def count(self, alive: Mask) -> Counts:
        """What the rows hold of which ``alive``, the mask of a view, is True; all of them are in the index."""
        counts = self._counts
        if counts is None or counts.alive is not alive:
            counts = self._counts = _counted(self._now.lengths[: len(alive)], alive)
        return counts

    def keep_up(self, documents: Sequence[str | None], length: int) -> None:
        """The same, if there is an index at all."""
        if self._now.length:
            self.up_to(documents, length)

    def moved(self, rows: RowNumbers, length: int) -> TextIndex:
        """The index of a table that has those rows of the ``length`` rows here, in that order; an empty one, which is
        built when it is needed, if this one is not up to date.
        """
        index = TextIndex()
        with self._extending:
            if self._now.length >= length:
                index._take(self._now, rows)
        return index

    def _extend(self, documents: Sequence[str | None], first: int, last: int) -> None:
        words: list[str] = []
        lengths = np.full(last - first, _NO_DOCUMENT, dtype=np.int32)
        for place, document in enumerate(documents):
            if document is not None:
                before = len(words)
                words += words_of(document)
                lengths[place] = len(words) - before
        codes = np.fromiter(map(self._code_of.__getitem__, words), np.int64, len(words))
        rows = np.repeat(np.arange(first, last), np.maximum(lengths, 0))
        keys, frequencies = np.unique(codes << _ROW_BITS | rows, return_counts=True)
        segments = _merged(self._now.segments, _segment(keys, frequencies))
        self._lengths.extend(lengths)
        self._publish(last, segments)

    def _take(self, other: Indexed, rows: RowNumbers) -> None:
        """Be the index of those rows; words that none of them has are forgotten."""
        new_row = np.full(other.length, -1, dtype=np.int64)
        new_row[rows] = np.arange(len(rows))
        every = (_NOTHING, *other.segments)
        codes = np.concatenate([segment.codes() for segment in every])
        places = new_row[np.concatenate([segment.rows for segment in every])]
        frequencies = np.concatenate([segment.frequencies for segment in every])
        kept = np.flatnonzero(places >= 0)
        used, codes = np.unique(codes[kept], return_inverse=True)
        new_code = dict(zip(used.tolist(), range(len(used)), strict=True))
        self._code_of.update((word, new_code[code]) for word, code in other.code_of.items() if code in new_code)
        keys = codes << _ROW_BITS | places[kept]
        order = np.argsort(keys)
        self._lengths.extend(other.lengths[rows])
        self._publish(len(rows), _merged((), _segment(keys[order], frequencies[kept][order])))

    def _publish(self, length: int, segments: tuple[Segment, ...]) -> None:
        self._now = Indexed(length, self._lengths[:], segments, self._code_of)


def _counted(lengths: Lengths, alive: Mask) -> Counts:
    living = lengths[alive & (lengths != _NO_DOCUMENT)]
    words = int(living.sum(dtype=np.int64))
    # Without a word nothing is divided by the average.
    return Counts(alive, len(living), bm25.handicaps(lengths, words / len(living) if words else 1.0))


def _pieces(documents: Sequence[str | None], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Stretches of rows that are not too much at once."""
    start, characters = first, 0
    for row in range(first, last):
        characters += len(documents[row] or "")
        if characters > _CHARACTERS_AT_ONCE:
            yield start, row + 1
            start, characters = row + 1, 0
    if start < last:
        yield start, last


def _segment(keys: Codes, frequencies: npt.NDArray[Any]) -> Segment:
    """A segment of postings that are sorted by their keys: the word's code, then the row."""
    codes = keys >> _ROW_BITS
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    return Segment(
        words=codes[starts].astype(np.int32),
        starts=np.append(starts, len(keys)),
        rows=(keys & (1 << _ROW_BITS) - 1).astype(np.int32),
        frequencies=frequencies.astype(np.min_scalar_type(frequencies.max(initial=0))),
    )


_NOTHING: Final = _segment(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint8))


def _merged(segments: tuple[Segment, ...], new: Segment) -> tuple[Segment, ...]:
    """The segments with one more at the end."""
    while segments and len(segments[-1].rows) < 2 * len(new.rows):
        segments, new = segments[:-1], _joined(segments[-1], new)
    return (*segments, new) if len(new.rows) else segments


def _joined(front: Segment, back: Segment) -> Segment:
    """One segment of two, the rows of the second above those of the first."""
    codes = np.concatenate([front.codes(), back.codes()])
    # Two ascending stretches: the stable sort only merges them.
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    return Segment(
        words=codes[starts].astype(np.int32),
        starts=np.append(starts, len(codes)),
        rows=np.concatenate([front.rows, back.rows])[order],
        frequencies=np.concatenate([front.frequencies, back.frequencies])[order],
    )
