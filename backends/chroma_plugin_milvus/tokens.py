"""What a filter can ask about a record's metadata, as things Milvus compares without a doubt.

Milvus coerces when it compares JSON values, and differently from release to release. So a record has, beside its
metadata, an array of *tokens*: hashes of sentences such as "the field a equals the str x". Equality of values, with
their types, is equality of hashes. Numbers are kept again as doubles, under the hash of their field, to be ordered.
Neither a key nor a value of a user is ever part of an expression, only ids that every parser reads alike.
"""

from __future__ import annotations

import re
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
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/@=+-]{1,200}")
_HASHED: Final = "#"
"""What the key of any other id begins with."""

Parts = tuple[str, ...]


def key(id: str) -> str:
    """The primary key of a record: its id, or a hash of one that is long or holds what an expression could not."""
    return id if _PLAIN.fullmatch(id) else _HASHED + _hash("id", id)


def is_hashed(key: str) -> bool:
    """Whether the key is not the id itself."""
    return key.startswith(_HASHED)


@lru_cache(4096)  # the fields are the same in every record
def exists(parts: Parts) -> str:
    """The field is there."""
    return _hash("exists", *parts)


def equals(parts: Parts, value: Any) -> str:
    """The field holds a scalar equal to this one."""
    return _hash("equals", *_canonical(value), *parts)


def has(parts: Parts, value: Any) -> str:
    """The field is a list with an element equal to this scalar."""
    return _hash("has", *_canonical(value), *parts)


@lru_cache(4096)
def number(parts: Parts) -> str:
    """The name under which the number of this field stands; as a token: the field is a number."""
    return _hash("number", *parts)


def of(metadata: Metadata | None) -> tuple[list[str], dict[str, float]]:
    """The tokens and the numbers of a record."""
    tokens: list[str] = []
    numbers: dict[str, float] = {}
    for parts, value in _fields(metadata or {}):
        kind = kind_of(value)
        if kind < Kind.LIST:
            is_long = kind is Kind.STR and len(value) > LONG
            tokens += _about(parts, value) if is_long else _remembered(parts, value)
        else:
            tokens.append(exists(parts))
        if kind is Kind.NUMBER:
            numbers[number(parts)] = float(value)
        elif kind is Kind.LIST:
            tokens += dict.fromkeys(has(parts, item) for item in value if kind_of(item) < Kind.LIST)
    return tokens, numbers


def _about(parts: Parts, value: Any) -> Parts:
    """The tokens of a field that holds this scalar."""
    there = (exists(parts), equals(parts, value))
    return (*there, number(parts)) if kind_of(value) is Kind.NUMBER else there


_remembered: Final = lru_cache(4096, typed=True)(_about)  # many values stand in many records


def _fields(metadata: Mapping[str, Any]) -> Iterator[tuple[Parts, Any]]:
    """Every field at every depth."""
    pending: list[tuple[Parts, Any]] = [((name,), value) for name, value in metadata.items()]
    while pending:
        parts, value = pending.pop()
        yield parts, value
        if isinstance(value, dict):
            pending.extend(((*parts, name), inner) for name, inner in value.items())


def _canonical(value: Any) -> tuple[str, str]:
    """The same for equal values, and only for those."""
    kind = kind_of(value)
    if kind is Kind.NUMBER and value == int(value):
        value = int(value)  # 1 equals 1.0, and -0.0 equals 0
    return _NAMES[kind], str(value)


def _hash(*words: str) -> str:
    return blake2b(orjson.dumps(words), digest_size=16).hexdigest()
