"""``order_by``: what the records of a get are sorted by."""

from __future__ import annotations

from typing import Any

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.ast import Path
from chroma_plugin.requests.metadata import is_key
from chroma_plugin.requests.shown import kind
from chroma_plugin.requests.texts import storable
from chroma_plugin.types import Order


def orders(value: Any) -> tuple[Order, ...]:
    """``"key"`` (ascending), ``"-key"`` (descending), a ``Key``, or a list of them, the most important first."""
    if value is None:
        return ()
    return tuple(_order(item) for item in (value if isinstance(value, (list, tuple)) else [value]))


def _order(value: Any) -> Order:
    if isinstance(value, Order):
        return value
    if isinstance(value, str):
        key = value.removeprefix("-")
        if is_key(key) and storable((key,)):
            return Order(Path((key,)), descending=value != key)
    from chroma_plugin.filters import Key

    if isinstance(value, Key):
        return Order(value.path)
    raise InvalidArgumentError(
        f"order_by must be a metadata key such as 'year' or '-year', or a Key, not {kind(value)}."
    )
