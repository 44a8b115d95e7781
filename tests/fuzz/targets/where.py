"""The filter parser, on JSON and on Python objects: a checked filter that runs, or InvalidArgumentError."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters import keep, parse_where
from chroma_plugin.filters.wire import from_wire, to_wire
from chroma_plugin.types import Records

RECORDS = Records(
    ids=["a", "b"],
    documents=["one apple", None],
    metadatas=[{"n": 1, "tags": ["x", 2], "in": {"k": 1.5}}, None],
)
SEEDS = [
    json.dumps(where).encode()
    for where in (
        {"n": 1},
        {"n": {"$gt": 1, "$lte": 2.5}},
        {"$and": [{"n": {"$in": [1, "x", None, True]}}, {"$not": {"tags": {"$contains": "x"}}}]},
        {"$or": [{"#document": {"$regex": "(?i)app+le$"}}, {"#id": {"$ne": "a"}}]},
        {"in": {"$exists": False}, "n": {"$nin": [2**62]}},
        {"$contains": "apple"},
        {"and": [{"path": ["in", "k"], "op": "$lt", "value": 2}, {"not": {"path": "#id", "op": "$eq", "value": "a"}}]},
        {"or": [{"path": "#document", "op": "$regex", "value": "a{2,5}|[b-d]\\w"}]},
    )
]
_ODD: list[Any] = [
    float("nan"),
    2**70,
    b"x",
    (1,),
    {1},
    np.int8(3),
    np.float32("inf"),
    object(),
    "\ud800",
    range(5),
    None,
]


def one(data: bytes) -> None:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return
    odd = _ODD[len(data) % len(_ODD)]
    for read in (
        lambda: parse_where(value),
        lambda: parse_where(None, where_document=value),
        lambda: parse_where(_replaced(value, odd)),
        lambda: from_wire(value),
    ):
        try:
            found = read()
        except InvalidArgumentError:
            continue
        if found is not None:
            rows = keep(found, RECORDS)
            assert keep(from_wire(to_wire(found)), RECORDS) == rows


def _replaced(value: Any, odd: Any, depth: int = 0) -> Any:
    """The value with something odd in place of its innermost ones."""
    if depth > 50:
        return odd
    if isinstance(value, dict):
        return {key: _replaced(inner, odd, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, odd, depth + 1) for inner in value]
    return odd
