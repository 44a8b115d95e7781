"""Metadata of records and of collections: checked, copied, numpy scalars made Python's.

The fast path looks at all values of many rows together and only asks for types and extremes. What it can't wave
through goes row by row through the slow path, which converts or explains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.operands import python_scalar
from chroma_plugin.requests.many import as_list, not_empty, pieces
from chroma_plugin.requests.shown import kind
from chroma_plugin.requests.texts import storable
from chroma_plugin.requests.uncollected import uncollected
from chroma_plugin.wording import plain_dict, shown

MAX_DEPTH: Final = 32
"""How deep lists and dicts may be nested inside a value."""
_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**63 - 1


def metadata_column(value: Any) -> list[dict[str, Any] | None] | None:
    """One dict or a list of dicts and Nones, as copies; None when the argument is left out.

    An empty dict is no metadata: it becomes None.
    """
    if value is None:
        return None
    rows: list[Any] = (
        [value] if isinstance(value, Mapping) else not_empty(as_list(value, "metadatas", "a dict"), "metadatas")
    )
    if not set(map(type, rows)) - {dict, type(None)} and all(map(_is_plain, pieces(rows))):
        with uncollected:
            return [row.copy() if row else None for row in rows]
    return [None if row is None else _checked(row, f"metadatas[{number}]") for number, row in enumerate(rows)]


def collection_metadata(value: Any) -> dict[str, Any] | None:
    """The metadata of a collection, by the same rules; ``{}`` becomes None."""
    return None if value is None else _checked(value, "metadata")


def is_key(key: str) -> bool:
    """Whether records may have this metadata key."""
    return not _key_fault(key)


def _is_plain(given: Sequence[dict[Any, Any] | None]) -> bool:
    """Whether all keys are good and all values are scalars within bounds."""
    rows = [row for row in given if row]
    keys: set[Any] = set().union(*rows)
    if any(type(key) is not str or _key_fault(key) for key in keys):
        return False
    strings: list[str] = []
    integers: list[int] = []
    floats: list[float] = []
    others: list[bool | None] = []
    keep: dict[type, Callable[[Any], None]] = {
        str: strings.append,
        int: integers.append,
        float: floats.append,
        bool: others.append,
        type(None): others.append,
    }
    try:
        for value in chain.from_iterable(map(dict.values, rows)):
            keep[type(value)](value)
    except KeyError:
        return False
    return (
        (not integers or (min(integers) >= _SMALLEST and max(integers) <= _LARGEST))
        # The sum of finite floats may overflow; then the slow path looks at each.
        and math.isfinite(sum(floats))
        and storable(chain(keys, strings))
    )


def _checked(row: Any, where: str) -> dict[str, Any] | None:
    if not isinstance(row, Mapping):
        raise InvalidArgumentError(f"{where} must be a dict or None, not {kind(row)}.")
    given = plain_dict(row, where)
    return {_key(key, where): _value(value, f"{where}[{shown(key)}]", 0) for key, value in given.items()} or None


def _key(key: Any, where: str) -> str:
    fault = _key_fault(key) if isinstance(key, str) else "a key must be a str"
    if fault:
        raise InvalidArgumentError(f"{where} has the key {kind(key)}: {fault}.")
    return _text(key, where)


def _key_fault(key: str) -> str:
    if not key:
        return "a key has at least one character"
    if key[0] in "#$":
        return "keys that begin with '#' or '$' belong to filters"
    return "that name is reserved" if key == "chroma:document" else ""


def _value(value: Any, where: str, depth: int) -> Any:
    value = python_scalar(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        return _integer(int(value), where)
    if isinstance(value, float):
        return _finite(float(value), where)
    if isinstance(value, (list, Mapping)):
        return _nested(value, where, depth)
    raise InvalidArgumentError(
        f"{where} is {kind(value)}; a value is a str, int, float, bool, None, or a list or dict of those."
    )


def _nested(value: list[Any] | Mapping[Any, Any], where: str, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        raise InvalidArgumentError(f"{where.split('[')[0]} is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, list):
        items = as_list(value, where, "a value")
        return [_value(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(items)]
    given = plain_dict(value, where)
    return {_inner_key(key, where): _value(item, f"{where}[{shown(key)}]", depth + 1) for key, item in given.items()}


def _inner_key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise InvalidArgumentError(f"{where} has the key {kind(key)}: a key must be a str.")
    return _text(key, where)


def _text(text: str, where: str) -> str:
    if not storable((text,)):
        raise InvalidArgumentError(f"{where} holds a lone surrogate, which can't be stored as UTF-8: {shown(text)}.")
    return str.__str__(text)


def _integer(value: int, where: str) -> int:
    if not _SMALLEST <= value <= _LARGEST:
        raise InvalidArgumentError(f"{where} is {shown(value)}, which does not fit into 64 bits; store it as a str.")
    return value


def _finite(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise InvalidArgumentError(
            f"{where} is {value}; a float must be finite. Use None for a value that is not there."
        )
    return value
