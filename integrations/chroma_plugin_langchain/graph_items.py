"""How the items of a LangGraph store are kept as records.

An item is one record, and one more for each vector after the first. The id of a record is JSON text of the namespace
and the key (and the number of the vector), so that no label or key can be taken for another. The document of the
item's record is its value as JSON; everything that searches look at is flat metadata::

    record        "item", or "vector" for the further vectors
    namespace_0   the first label of the namespace, namespace_1 the second, ...
    value.color   the value's entry "color", when it is a str, a number or a bool
    indexed       whether the record has a vector to be found by
    expires_at    seconds since the epoch, and ttl, in minutes: only of items that expire
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from langgraph.store.base import InvalidNamespaceError, Item

from chroma_plugin.errors import InvalidArgumentError

Namespace = tuple[str, ...]
Vector = npt.NDArray[np.float32]

ITEM: Final = "item"
VECTOR: Final = "vector"
VALUE: Final = "value."
_LARGEST: Final = 2**63 - 1
_HUGE: Final = 1.7976931348623157e308


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item together with what only the store needs to know."""

    item: Item
    vectors: tuple[Vector, ...] = ()
    ttl: float | None = None
    expires_at: float | None = None

    def records(self, placeholder: Vector) -> Iterator[tuple[str, Vector, dict[str, Any], str | None]]:
        """The id, embedding, metadata and document of each record; the placeholder is for what has no vector."""
        metadata = self._metadata()
        first = self.vectors[0] if self.vectors else placeholder
        facts = {
            "created_at": self.item.created_at.isoformat(),
            "updated_at": self.item.updated_at.isoformat(),
            "vectors": len(self.vectors),
        }
        document = json_text(self.item.value)
        yield item_id(self.item.namespace, self.item.key), first, {"record": ITEM, **metadata, **facts}, document
        ids = vector_ids(self.item.namespace, self.item.key, len(self.vectors))
        for id, vector in zip(ids, self.vectors[1:], strict=True):
            yield id, vector, {"record": VECTOR, **metadata}, None

    def _metadata(self) -> dict[str, Any]:
        expiry = {} if self.expires_at is None else {"ttl": self.ttl, "expires_at": self.expires_at}
        return {
            "indexed": bool(self.vectors),
            **in_namespace(self.item.namespace),
            **expiry,
            **filterable(self.item.value),
        }


def item_id(namespace: Namespace, key: str) -> str:
    """The id of an item's record."""
    return _compact([checked_namespace(namespace), key])


def vector_ids(namespace: Namespace, key: str, vectors: int) -> list[str]:
    """The ids of the records of the second and all further vectors."""
    return [_compact([namespace, key, number]) for number in range(1, vectors)]


def named_by(id: str) -> tuple[Namespace, str]:
    """The namespace and the key in the id of any record of an item."""
    namespace, key, *_ = json.loads(id)
    return tuple(namespace), key


def checked_namespace(namespace: Any) -> Namespace:
    """The namespace as it is. Raises InvalidNamespaceError when a label is not a non-empty str."""
    for label in namespace:
        if not isinstance(label, str) or not label:
            raise InvalidNamespaceError(f"Namespace labels must be non-empty str, got {label!r} in {namespace!r}.")
    return tuple(namespace)


def in_namespace(prefix: Sequence[str]) -> dict[str, str]:
    """The metadata of records whose namespace begins with these labels; as a filter, it finds exactly those."""
    return {f"namespace_{depth}": label for depth, label in enumerate(prefix)}


def filterable(value: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of the entries that filters of the collection can decide about."""
    scalars = ((VALUE + key, _scalar(entry)) for key, entry in value.items() if is_text(key))
    return {key: entry for key, entry in scalars if entry is not None}


def is_text(value: str) -> bool:
    """Whether it can be written as UTF-8, as metadata must be: no lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _scalar(entry: Any) -> str | int | float | bool | None:
    """The entry as metadata can hold it; None when it can't."""
    if isinstance(entry, str):
        return entry if is_text(entry) else None
    if isinstance(entry, int) and abs(entry) > _LARGEST:
        # Larger than every integer that a filter of the collection may name, and so it is ordered right.
        return math.copysign(min(_magnitude(entry), _HUGE), entry)
    return entry if isinstance(entry, (bool, int, float)) else None


def _magnitude(entry: int) -> float:
    try:
        return float(abs(entry))
    except OverflowError:
        return _HUGE


def json_text(value: Any) -> str:
    """The value as JSON. Raises InvalidArgumentError for what JSON has no form for, NaN and infinity included."""
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"The value of an item must be plain JSON: {error}.") from error


def plain_value(value: Any) -> dict[str, Any]:
    """A copy of an item's value. Raises InvalidArgumentError when it is not a mapping with str keys."""
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(f"The value of an item must be a dict, got {type(value).__name__}.")
    wrong = [key for key in value if not isinstance(key, str)]
    if wrong:
        raise InvalidArgumentError(f"The keys of an item's value must be str, got {wrong[0]!r}.")
    plain: dict[str, Any] = json.loads(json_text(dict(value)))
    return plain


def stored_item(id: str, metadata: Mapping[str, Any], document: str) -> Item:
    """The item that a record stands for."""
    namespace, key = named_by(id)
    return Item(
        value=json.loads(document),
        key=key,
        namespace=namespace,
        created_at=datetime.fromisoformat(metadata["created_at"]),
        updated_at=datetime.fromisoformat(metadata["updated_at"]),
    )


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
