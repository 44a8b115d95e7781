"""The texts of a table: rows that stand in a file, and behind them rows in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate
from typing import Final, overload

import numpy as np

from chroma_plugin.filters.regex import compile_regex, expression
from chroma_plugin.toolkit.text_file import TextFile
from chroma_plugin.toolkit.vectors import RowNumbers

Text = str | None


class Kind(IntEnum):
    """What a text is: the columns, in the order in which they stand in a file."""

    ID = 0
    DOCUMENT = 1
    METADATA = 2
    URI = 3


class Texts:
    """Appended by one writer, read by any number. A text is written once and never changed."""

    def __init__(self, file: TextFile | None = None) -> None:
        self.file: Final = file
        self.first: Final = 0 if file is None else len(file)
        """The first row that stands in memory."""
        self.late: Final[tuple[list[Text], ...]] = tuple([] for _ in Kind)
        """The rows from there on, a list for each column."""

    def __len__(self) -> int:
        return self.first + len(self.late[Kind.ID])

    def extend(self, columns: Sequence[Sequence[Text]]) -> None:
        """Append rows; ids come last, since their number is that of the rows."""
        for kind in reversed(Kind):
            self.late[kind].extend(columns[kind])

    def take(self, rows: RowNumbers, kinds: Sequence[Kind]) -> list[list[Text]]:
        """For each kind the texts of those rows."""
        if self.file is None:
            numbers = rows.tolist()
            return [[column[row] for row in numbers] for column in (self.late[kind] for kind in kinds)]
        if self._are_early(rows):
            return self.file.decoded(rows, kinds)
        return self._taken_from_both(self.file, rows, (rows < self.first).tolist(), kinds)

    def _are_early(self, rows: RowNumbers) -> bool:
        """Whether all of them stand in the file."""
        return not self.late[Kind.ID] or bool((rows < self.first).all())

    def _taken_from_both(
        self, file: TextFile, rows: RowNumbers, early: Sequence[bool], kinds: Sequence[Kind]
    ) -> list[list[Text]]:
        old = map(iter, file.decoded(rows[np.array(early)], kinds))
        late, first = [self.late[kind] for kind in kinds], self.first
        where = list(zip(rows.tolist(), early, strict=True))
        return [
            [next(before) if is_early else column[row - first] for row, is_early in where]
            for before, column in zip(old, late, strict=True)
        ]

    def column(self, kind: Kind) -> TextColumn:
        return TextColumn(self, kind)

    def encoded(self, rows: RowNumbers, kind: Kind) -> list[bytes | None]:
        """The texts of those rows in UTF-8, as they stand in a file."""
        if self.file is not None and self._are_early(rows):
            return self.file.encoded(rows, (kind,))[0]
        return [None if text is None else _encoded(text) for text in self.take(rows, (kind,))[0]]

    def json(self, rows: RowNumbers, kind: Kind) -> str | bytes:
        """The texts of those rows, which are JSON, as one list."""
        if self.file is not None and self._are_early(rows):
            return self.file.json(rows, kind)
        return f"[{','.join(['null' if text is None else text for text in self.take(rows, (kind,))[0]])}]"

    def holding(self, text: str, kind: Kind, length: int) -> RowNumbers:
        """The rows below `length` whose text of that kind holds this one."""
        early = _NO_ROWS if self.file is None else self.file.holding(_encoded(text), kind)
        late = _holding(self.late[kind][: max(length - self.first, 0)], text)
        return np.concatenate([early[early < length], np.array(late, dtype=np.intp) + self.first])

    def matching(self, pattern: str, kind: Kind, rows: RowNumbers) -> RowNumbers:
        """Those of the ascending rows whose text of that kind the pattern matches; it must be local (`literals`)."""
        early, late = rows[rows < self.first], rows[rows >= self.first]
        found = _NO_ROWS if self.file is None else self.file.matching(expression(pattern), kind)
        matches, texts = compile_regex(pattern), self.take(late, (kind,))[0]
        after = np.array([text is not None and matches(text) for text in texts], dtype=np.bool_)
        return np.concatenate([np.intersect1d(early, found, assume_unique=True), late[after]])


class TextColumn(Sequence[Text]):
    """One kind of the texts, as a sequence."""

    def __init__(self, texts: Texts, kind: Kind) -> None:
        self._texts, self._kind = texts, kind

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, rows: int) -> Text: ...
    @overload
    def __getitem__(self, rows: slice) -> list[Text]: ...
    def __getitem__(self, rows: int | slice) -> Text | list[Text]:
        if isinstance(rows, slice):
            return self._texts.take(np.arange(*rows.indices(len(self))), (self._kind,))[0]
        if rows >= self._texts.first:
            return self._texts.late[self._kind][rows - self._texts.first]
        return self._texts.take(np.array([rows]), (self._kind,))[0][0]


_NO_ROWS: Final = np.empty(0, dtype=np.intp)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _holding(texts: Sequence[Text], text: str) -> list[int]:
    """One search through all of them takes a third of the time of one in each, unless most hold the text."""
    if not text:
        return [row for row, own in enumerate(texts) if own is not None]
    whole = "".join([own or "" for own in texts])
    ends = list(accumulate(0 if own is None else len(own) for own in texts))
    found: list[int] = []
    place = whole.find(text)
    while place >= 0:
        row = bisect_right(ends, place)
        if place + len(text) <= ends[row]:
            found.append(row)
        place = whole.find(text, ends[row])
    return found
