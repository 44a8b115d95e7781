"""Texts that are cut out of the bytes in which they stand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin import compiled
from chroma_plugin.toolkit.text_rows import SlicedTextRows, TextRows

COLUMNS = 3
ANY = st.text(st.characters(), max_size=12)
"""Halves of surrogate pairs among them."""
ROWS = st.lists(st.tuples(*[st.none() | ANY] * COLUMNS), max_size=40)
Row = Sequence[str | None]
Make = Callable[[Any, Any, Any], TextRows]

needs_compiled = pytest.mark.skipif(not compiled.IS_THERE, reason="nothing is compiled")


def compiled_rows(data: Any, starts: Any, lengths: Any) -> TextRows:
    from chroma_plugin.compiled import _native

    return _native.TextRows(data, starts, lengths)


WAYS = [SlicedTextRows, pytest.param(compiled_rows, marks=needs_compiled)]


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def laid_out(rows: Sequence[Row]) -> tuple[Any, Any, Any]:
    encoded = [[None if text is None else utf8(text) for text in row] for row in rows]
    lengths = np.array([[-1 if text is None else len(text) for text in row] for row in encoded], dtype=np.int32)
    lengths = lengths.reshape(-1, COLUMNS)
    starts = np.concatenate([[0], np.maximum(lengths, 0).sum(axis=1).cumsum()]).astype(np.int64)
    return b"".join(text or b"" for row in encoded for text in row), starts, lengths


@pytest.mark.parametrize("make", WAYS)
@given(rows=ROWS, data=st.data())
def test_they_are_what_was_written(make: Make, rows: list[Row], data: st.DataObject) -> None:
    """Of any rows, in any order and as often as one likes; of any columns."""
    numbers = st.lists(st.integers(0, len(rows) - 1), max_size=60) if rows else st.just([])
    wanted, columns = data.draw(numbers), data.draw(st.lists(st.integers(0, COLUMNS - 1), max_size=4))
    texts = make(*laid_out(rows))

    decoded = texts.decoded(np.array(wanted, dtype=np.intp), columns)
    encoded = texts.encoded(np.array(wanted, dtype=np.intp), columns)

    assert decoded == [[rows[row][column] for row in wanted] for column in columns]
    assert encoded == [[None if text is None else utf8(text) for text in column] for column in decoded]


@pytest.mark.parametrize("make", WAYS)
@given(values=st.lists(st.none() | st.dictionaries(ANY, st.integers()), max_size=40))
def test_one_list_holds_the_json_of_all(make: Make, values: list[Any]) -> None:
    rows = [("id", None if value is None else json.dumps(value), None) for value in values]
    texts = make(*laid_out(rows))

    whole = texts.json(np.arange(len(rows))[::-1].copy(), 1)

    assert json.loads(whole) == values[::-1]


WRONG = [-(2**63), -(2**31), -1, 3, 100, 2**31 - 1, 2**40, 2**63 - 1]


@needs_compiled
class TestWhatIsWrong:
    """Whatever the arrays hold, nothing is read but the data."""

    def refused(self, data: Any, starts: Any, lengths: Any, row: int = 1, column: int = 1) -> None:
        texts, rows = compiled_rows(data, starts, lengths), np.array([0, row], dtype=np.intp)
        for read in (texts.encoded, texts.decoded):
            with pytest.raises(ValueError, match="no such texts"):
                read(rows, [0, column])
        with pytest.raises(ValueError, match="no such texts"):
            texts.json(rows, column)

    @pytest.fixture
    def parts(self) -> tuple[Any, Any, Any]:
        return laid_out([("a", "b", None), ("c", "d", "e"), ("f", None, "g")])

    @pytest.mark.parametrize("row", WRONG)
    def test_rows(self, parts: tuple[Any, Any, Any], row: int) -> None:
        self.refused(*parts, row=row)

    @pytest.mark.parametrize("column", WRONG)
    def test_columns(self, parts: tuple[Any, Any, Any], column: int) -> None:
        self.refused(*parts, column=column)

    @pytest.mark.parametrize("start", [-(2**63), -1, 7, 8, 2**31, 2**63 - 1])
    def test_starts(self, parts: tuple[Any, Any, Any], start: int) -> None:
        data, starts, lengths = parts
        starts[1] = start
        self.refused(data, starts, lengths)

    @pytest.mark.parametrize("length", [6, 100, 2**31 - 1])
    @pytest.mark.parametrize("column", [0, 1])
    def test_lengths(self, parts: tuple[Any, Any, Any], length: int, column: int) -> None:
        data, starts, lengths = parts
        lengths[1, column] = length
        self.refused(data, starts, lengths)

    def test_data(self, parts: tuple[Any, Any, Any]) -> None:
        data, starts, lengths = parts
        self.refused(data[:3], starts, lengths)

    def test_arrays_of_different_rows(self, parts: tuple[Any, Any, Any]) -> None:
        data, starts, lengths = parts
        for wrong in [(data, starts[:0], lengths), (data, starts, lengths.reshape(-1)[1:])]:
            with pytest.raises(ValueError, match="the same rows"):
                compiled_rows(*wrong)

    def test_texts_that_are_no_utf_8(self) -> None:
        texts = compiled_rows(b"\xff", np.array([0, 1], dtype=np.int64), np.array([[1]], dtype=np.int32))
        with pytest.raises(UnicodeDecodeError):
            texts.decoded(np.array([0], dtype=np.intp), [0])

    def test_what_is_no_column(self, parts: tuple[Any, Any, Any]) -> None:
        columns: Any = ["a"]
        texts = compiled_rows(*parts)
        with pytest.raises(TypeError):
            texts.decoded(np.array([0], dtype=np.intp), columns)

    @given(data=st.data())
    def test_numbers_at_random(self, data: st.DataObject) -> None:
        """What is not refused lies within the data."""
        numbers = st.integers(-3, 12) | st.sampled_from([number for number in WRONG if abs(number) < 2**31])
        count = data.draw(st.integers(1, 5))
        starts = np.array(data.draw(st.lists(numbers, min_size=count + 1, max_size=count + 1)), dtype=np.int64)
        lengths = np.array(data.draw(st.lists(numbers, min_size=2 * count, max_size=2 * count)), dtype=np.int32)
        texts, rows = compiled_rows(b"0123456789", starts, lengths), np.arange(count, dtype=np.intp)
        try:
            found = texts.decoded(rows, [0, 1])
        except ValueError:
            return
        assert all(text is None or text in "0123456789" for column in found for text in column)
