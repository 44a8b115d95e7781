"""What a filter can ask about a record's metadata, as things Milvus compares without a doubt.

Milvus coerces when it compares JSON values, and differently from release to release. So a record has, beside its
metadata, an array of *tokens*: hashes of sentences such as "the field a equals the str x". Equality of values, with
their types, is equality of hashes. Numbers are kept again as doubles, under the hash of their field, to be ordered.
Neither a key nor a value of a user is ever part of an expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import orjson

from chroma_plugin.filters import Kind, kind_of
from chroma_plugin.types import Metadata

ORDERED: Final = 2**53
"""Below this every int is a double; above, order is left to the core."""

LONG: Final = 100
"""Characters of a value from which on nobody remembers its token."""
_NAMES: Final = {kind: kind.name for kind in Kind}

Parts = tuple[str, ...]


def key(id: str) -> str:
    """The primary key of a record: of one length, whatever the id is."""
    return _hash("id", id)


@lru_cache(4096)  # the fields are the same in every record
def exists(parts: Parts) -> str:
    """The field is there."""
    return _hash("exists", *parts)


def equals(parts: Parts, value: Any) -> str:
    """The field holds a scalar equal to this one."""
    return _hash("equals", *_canonical(value), *parts) if _is_long(value) else _equals(parts, value)


def has(parts: Parts, value: Any) -> str:
    """The field is a list with an element equal to this scalar."""
    return _hash("has", *_canonical(value), *parts)


@lru_cache(4096, typed=True)  # so do many values stand in many records
def _equals(parts: Parts, value: Any) -> str:
    return _hash("equals", *_canonical(value), *parts)


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > LONG


@lru_cache(4096)
def number(parts: Parts) -> str:
    """The name under which the number of this field stands; as a token: the field is a number."""
    return _hash("number", *parts)


def of(metadata: Metadata | None) -> tuple[list[str], dict[str, float]]:
    """The tokens and the numbers of a record."""
    tokens: dict[str, None] = {}
    numbers: dict[str, float] = {}
    for parts, value in _fields(metadata or {}):
        tokens[exists(parts)] = None
        kind = kind_of(value)
        if kind is Kind.LIST:
            tokens.update((has(parts, item), None) for item in value if kind_of(item) < Kind.LIST)
        elif kind < Kind.LIST:
            tokens[equals(parts, value)] = None
        if kind is Kind.NUMBER:
            tokens[number(parts)] = None
            numbers[number(parts)] = float(value)
    return list(tokens), numbers


def _fields(metadata: Mapping[str, Any]) -> Iterator[tuple[Parts, Any]]:
    """Every field at every depth."""
    pending: list[tuple[Parts, Any]] = [((name,), value) for name, value in metadata.items()]
    while pending:
        parts, value = pending.pop()
        yield parts, value
        if isinstance(value, Mapping):
            pending.extend(((*parts, name), inner) for name, inner in value.items())


def _canonical(value: Any) -> tuple[str, str]:
    """The same for equal values, and only for those."""
    kind = kind_of(value)
    if kind is Kind.NUMBER and value == int(value):
        value = int(value)  # 1 equals 1.0, and -0.0 equals 0
    return _NAMES[kind], str(value)


def _hash(*words: str) -> str:
    return blake2b(orjson.dumps(words), digest_size=16).hexdigest()
