"""Ids: distinct non-empty strings."""

from __future__ import annotations

from collections import Counter
from typing import Any

from chroma_plugin.errors import DuplicateIDError, InvalidArgumentError
from chroma_plugin.requests.many import as_list, examples, not_empty
from chroma_plugin.requests.shown import kind
from chroma_plugin.requests.texts import refuse_unstorable


def written_ids(value: Any) -> list[str]:
    """The ids of records to write: one id or a list, not empty."""
    if value is None:
        raise InvalidArgumentError("ids is missing: give one id, or a list with one id for each record.")
    ids = wanted_ids(value)
    not_empty(ids, "ids")
    return ids


def wanted_ids(value: Any) -> list[str]:
    """The ids of records to look up: one id or a list; an empty list is no record at all."""
    ids = [value] if isinstance(value, str) else as_list(value, "ids", "an id (str)")
    if set(map(type, ids)) - {str}:
        ids = [_id(row, id) for row, id in enumerate(ids)]
    distinct = set(ids)
    if "" in distinct:
        raise InvalidArgumentError(f"ids[{ids.index('')}] is the empty string; an id has at least one character.")
    if len(distinct) != len(ids):
        doubled = [id for id, times in Counter(ids).items() if times > 1]
        raise DuplicateIDError(f"ids must be distinct, but these stand more than once: {examples(doubled)}.")
    refuse_unstorable(ids, "ids")
    return ids


def _id(row: int, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError(f"ids[{row}] must be a str, not {kind(value)}.")
    return str.__str__(value)
