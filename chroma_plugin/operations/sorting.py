"""The order of ``order_by``, for stores that have none of their own.

Bools come first, then numbers, then strings (by code point); descending turns all of that round. Records without the
field, or with None, a list or a dict in it, come last either way. Equal records keep the order they had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from chroma_plugin.filters.ast import DOCUMENT, ID, Path
from chroma_plugin.types import NO_FIELDS, Field, Order, Records

_RANKS: Final[Mapping[type, int]] = {bool: 0, int: 1, float: 1, str: 2}
_UNSORTED: Final = 3


def fields_to_sort(order: Sequence[Order]) -> frozenset[Field]:
    """The columns that have to be read for it."""
    paths = {by.path for by in order}
    documents: frozenset[Field] = frozenset(("documents",)) if DOCUMENT in paths else NO_FIELDS
    metadatas: frozenset[Field] = frozenset(("metadatas",)) if paths - {DOCUMENT, ID} else NO_FIELDS
    return documents | metadatas


def sorted_records(records: Records, order: Sequence[Order]) -> Records:
    """The same records in that order."""
    rows = list(range(len(records)))
    # A stable sort by the least important key first is a sort by all of them.
    for by in reversed(order):
        rows = _sorted_by(records, by, rows)
    return records.take(rows)


def _sorted_by(records: Records, by: Order, rows: list[int]) -> list[int]:
    value = _reader(records, by.path)
    keys = {row: _rank(value(row)) for row in rows}
    sortable = [row for row in rows if keys[row][0] != _UNSORTED]
    sortable.sort(key=keys.__getitem__, reverse=by.descending)
    return sortable + [row for row in rows if keys[row][0] == _UNSORTED]


def _rank(value: Any) -> tuple[int, Any]:
    return _RANKS.get(type(value), _UNSORTED), value


def _reader(records: Records, path: Path) -> Callable[[int], Any]:
    """The value of a field in the record at a position; None when it is missing."""
    if path == ID:
        return records.ids.__getitem__
    if path == DOCUMENT:
        return (records.documents or ()).__getitem__
    metadatas = records.metadatas or ()
    return lambda row: _walk(metadatas[row], path.parts)


def _walk(value: Any, parts: tuple[str, ...]) -> Any:
    for part in parts:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
