"""Dates in metadata and in filters.

A collection holds no dates. They are stored as ISO text that sorts as time does: an aware ``datetime`` in UTC, as
``2024-05-01T12:00:00.000000+00:00``, a naive one without the offset, a ``date`` as ``2024-05-01``. Which values of a
record are such text is kept beside them, under one more metadata key, ``chroma_plugin:types``, as JSON: without it text
that only looks like a date would come back as one. So dates come back as dates, aware ones in UTC, and filters compare
instants; other programs see readable text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, TypeAlias

from chroma_plugin.errors import InvalidArgumentError

TYPES_KEY: Final = "chroma_plugin:types"
"""The metadata key that says which values were dates. Documents never show it."""

_PLAIN: Final = frozenset((str, int, float, bool, type(None)))
_DEEPEST: Final = 32
"""Metadata is not nested deeper; the collection refuses it."""

Marks: TypeAlias = "str | dict[str, Marks] | None"
"""``"datetime"``, ``"date"``, or the marks of what is inside, by key or position."""


def date_text(value: date) -> str:
    """A ``datetime`` or a ``date`` as it is stored, which is how ``Key`` expressions take it.

    ``Key("at") > date_text(yesterday)``; in ``where`` dicts dates are written as they are.
    Raises InvalidArgumentError for an aware time that is outside of the years 1 to 9999 in UTC.
    """
    if not isinstance(value, datetime):
        return value.isoformat()
    if value.utcoffset() is not None:
        value = _in_utc(value)
    return value.isoformat(timespec="microseconds")


def stored_metadatas(rows: Sequence[Any]) -> Sequence[Any]:
    """Metadata as the collection takes it. What is wrong is left for the collection to refuse."""
    if all(_is_plain(row) for row in rows):
        return rows
    return [_stored(row) for row in rows]


def read_metadata(metadata: dict[str, Any] | None) -> dict[str, Any]:
    """Metadata as it was given, out of what a collection returned, which is changed on the way."""
    if not metadata:
        return {}
    told = metadata.pop(TYPES_KEY, None)
    if isinstance(told, str):
        _restore(metadata, _parsed(told))
    return metadata


def stored_filter(where: Any) -> Any:
    """The filter with its dates as they are stored."""
    try:
        return _comparable(where, {})
    except RecursionError:
        return where  # deeper than filters may be: the collection says so


def _is_plain(row: Any) -> bool:
    return not row or (type(row) is dict and TYPES_KEY not in row and _PLAIN.issuperset(map(type, row.values())))


def _stored(row: Any) -> Any:
    if not isinstance(row, Mapping):
        return row
    if TYPES_KEY in row:
        raise InvalidArgumentError(f"The metadata key {TYPES_KEY!r} is reserved: it tells which values are dates.")
    values, marks = _encoded(row, 0)
    return {**values, TYPES_KEY: json.dumps(marks)} if marks else values


def _encoded(value: Any, depth: int) -> tuple[Any, Marks]:
    if isinstance(value, date):
        return date_text(value), "datetime" if isinstance(value, datetime) else "date"
    if depth <= _DEEPEST and isinstance(value, Mapping):
        return _encoded_items(value.items(), depth)
    if depth <= _DEEPEST and isinstance(value, list):
        values, marks = _encoded_items(enumerate(value), depth)
        return list(values.values()), marks
    return value, None


def _encoded_items(items: Iterable[tuple[Any, Any]], depth: int) -> tuple[dict[Any, Any], Marks]:
    pairs = {key: _encoded(value, depth + 1) for key, value in items}
    marks: dict[str, Marks] = {str(key): mark for key, (_, mark) in pairs.items() if mark}
    return {key: value for key, (value, _) in pairs.items()}, marks or None


def _parsed(told: str) -> Any:
    try:
        return json.loads(told)
    except ValueError:
        return None  # somebody else's value under our key


def _restore(values: dict[str, Any] | list[Any], marks: Any) -> None:
    """Put dates in the place of their text. A value that somebody changed since is left as it is."""
    for key, mark in marks.items() if isinstance(marks, dict) else ():
        place: Any = int(key) if isinstance(values, list) and key.isdecimal() else key
        try:
            value = values[place]
        except (KeyError, IndexError, TypeError):
            continue
        if isinstance(value, (dict, list)):
            _restore(value, mark)
        elif isinstance(value, str):
            values[place] = _dated(value, mark)


def _dated(text: str, mark: Any) -> Any:
    try:
        return datetime.fromisoformat(text) if mark == "datetime" else date.fromisoformat(text)
    except ValueError:
        return text


def _comparable(value: Any, seen: dict[int, Any]) -> Any:
    if isinstance(value, date):
        return date_text(value)
    if not isinstance(value, (dict, list, tuple, set, frozenset)):
        return value
    if id(value) not in seen:
        seen[id(value)] = value  # a filter that contains itself is refused by the collection, not here
        if isinstance(value, dict):
            seen[id(value)] = {key: _comparable(operand, seen) for key, operand in value.items()}
        else:
            seen[id(value)] = [_comparable(operand, seen) for operand in value]
    return seen[id(value)]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise InvalidArgumentError(f"{value!r} has no date in UTC.") from error
