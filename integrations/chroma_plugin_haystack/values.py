"""Values of meta as metadata holds them, and back.

Metadata holds what JSON does. Dates and datetimes are kept as ISO 8601 text; beside the key stands, as JSON text,
where they were: ``[["datetime"]]`` for the value itself, ``[["date", "born"], ["datetime", "visits", 0]]`` for what is
inside.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final, TypeAlias

from chroma_plugin_haystack.keys import PREFIX, meta_key, stored_key, types_key

Mark: TypeAlias = list[str | int]
"""A type and the way to a value of it: keys and positions, outermost first."""

_SCALARS: Final = frozenset((str, int, float, bool, type(None)))
_READ: Final[Mapping[str, Callable[[str], date]]] = {"date": date.fromisoformat, "datetime": datetime.fromisoformat}


def stored_meta(meta: Mapping[Any, Any]) -> dict[str, Any]:
    """Metadata that holds a document's meta. A key that is no str stays, for the collection to refuse."""
    metadata: dict[str, Any] = {}
    for name, value in meta.items():
        key = stored_key(name) if isinstance(name, str) else name
        if type(value) in _SCALARS:
            metadata[key] = value
            continue
        marks: list[Mark] = []
        metadata[key] = _plain(value, (), marks)
        if marks:
            metadata[types_key(key)] = json.dumps(marks)
    return metadata


def meta_of(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """The meta that a record's metadata holds."""
    if not metadata:
        return {}
    if not any(key.startswith(PREFIX) for key in metadata):
        return dict(metadata)
    found = ((meta_key(key), key) for key in metadata)
    return {name: _restored(metadata, key) for name, key in found if name is not None}


def _restored(metadata: Mapping[str, Any], key: str) -> Any:
    """The value under a metadata key, as it was given."""
    value = metadata[key]
    for kind, *way in json.loads(metadata.get(types_key(key)) or "[]"):
        # Another client may have changed the value since: then it stays as it is.
        with suppress(KeyError, IndexError, TypeError, ValueError):
            value = _replaced(value, way, _READ[kind])
    return value


def _plain(value: Any, way: tuple[str | int, ...], marks: list[Mark]) -> Any:
    if isinstance(value, date):
        marks.append(["datetime" if isinstance(value, datetime) else "date", *way])
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(item, (*way, key), marks) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, (*way, place), marks) for place, item in enumerate(value)]
    return value


def _replaced(value: Any, way: list[str | int], read: Callable[[str], date]) -> Any:
    """The value with what stands at the end of the way read anew; lists and dicts are changed in place."""
    if not way:
        return read(value)
    holder = value
    for step in way[:-1]:
        holder = holder[step]
    holder[way[-1]] = read(holder[way[-1]])
    return value


def walked(meta: Mapping[str, Any], parts: Iterable[str]) -> Any:
    """The value at the end of the keys, through nested dicts; None where there is none."""
    value: Any = meta
    for part in parts:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value
