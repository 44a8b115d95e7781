"""Reading documents, and facts about the values in their meta."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from haystack import Document

from chroma_plugin_haystack.filters import where_of
from chroma_plugin_haystack.records import documents_of
from chroma_plugin_haystack.steps import Call, Steps
from chroma_plugin_haystack.values import meta_of

_WHOLE: Final = ("documents", "metadatas", "embeddings")
_KEYWORD: Final = "keyword"


def count(filters: Any, *, strict: bool) -> Steps[int]:
    where = yield from where_of(filters, strict=strict)
    number: int = yield Call("count", where=where)
    return number


def filtered(filters: Any, *, strict: bool) -> Steps[list[Document]]:
    """In the order of insertion."""
    where = yield from where_of(filters, strict=strict)
    found = yield Call("get", where=where, include=_WHOLE)
    return documents_of(found["ids"], found["documents"], found["metadatas"], found["embeddings"])


def count_unique(filters: Any, metadata_fields: Iterable[str], *, strict: bool) -> Steps[dict[str, int]]:
    metas = yield from _metas(filters, strict)
    return {key: len(_distinct(_values(metas, key))) for key in map(_key, metadata_fields)}


def fields_info() -> Steps[dict[str, dict[str, str]]]:
    metas = yield from _metas(None, False)
    types: dict[str, str] = {}
    for meta in metas:
        for key, value in meta.items():
            if value is not None:
                types[key] = _common(types.get(key), _type(value))
    return {key: {"type": name} for key, name in types.items()}


def min_max(metadata_field: str) -> Steps[dict[str, Any]]:
    metas = yield from _metas(None, False)
    values = [value for value in _values(metas, _key(metadata_field)) if not isinstance(value, (list, dict))]
    try:
        return {"min": min(values, default=None), "max": max(values, default=None)}
    except TypeError:  # numbers beside texts, dates with a time zone beside dates without
        return {"min": None, "max": None}


def unique_values(
    metadata_field: str, search_term: str | None, from_: int, size: int, filters: Any, *, strict: bool
) -> Steps[tuple[list[Any], int]]:
    metas = yield from _metas(filters, strict)
    values = _distinct(_values(metas, _key(metadata_field)))
    if search_term:
        wanted = search_term.lower()
        values = [value for value in values if wanted in str(value).lower()]
    values.sort(key=lambda value: (str(value), type(value).__name__))
    return values[from_ : from_ + size], len(values)


def _metas(filters: Any, strict: bool) -> Steps[list[dict[str, Any]]]:
    where = yield from where_of(filters, strict=strict)
    found = yield Call("get", where=where, include=["metadatas"])
    return [meta_of(metadata) for metadata in found["metadatas"]]


def _key(metadata_field: str) -> str:
    return metadata_field.removeprefix("meta.")


def _values(metas: Sequence[Mapping[str, Any]], key: str) -> Iterator[Any]:
    """The values under the key that are not None."""
    return (meta[key] for meta in metas if meta.get(key) is not None)


def _distinct(values: Iterable[Any]) -> list[Any]:
    """One of each, in order; 1, 1.0, True and "1" are four values."""
    firsts: dict[tuple[str, Any], Any] = {}
    for value in values:
        same = json.dumps(value, sort_keys=True, default=repr) if isinstance(value, (list, dict)) else value
        firsts.setdefault((type(value).__name__, same), value)
    return list(firsts.values())


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {int: "int", float: "float"}.get(type(value), _KEYWORD)


def _common(one: str | None, other: str) -> str:
    """The type of a field that holds values of both."""
    if one in (None, other):
        return other
    return "float" if {one, other} == {"int", "float"} else _KEYWORD
