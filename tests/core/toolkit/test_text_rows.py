"""Texts that are cut out of the bytes in which they stand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin.toolkit.text_rows import SlicedTextRows, TextRows

COLUMNS = 3
ANY = st.text(st.characters(), max_size=12)
"""Halves of surrogate pairs among them."""
ROWS = st.lists(st.tuples(*[st.none() | ANY] * COLUMNS), max_size=40)
Row = Sequence[str | None]
Make = Callable[[Any, Any, Any], TextRows]


WAYS = [SlicedTextRows]


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
