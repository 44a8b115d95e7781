"""Which metadata keys a collection has had, and which of them may be filtered: what Chroma's ``schema`` says besides
how embeddings are searched.

It is kept in the configuration, where only this server looks at it: ``{"schema": {"defaults": {index: on}, "keys":
{key: {index: on}}}}`` with only what was chosen or seen. A collection without it was not made through this protocol;
its keys are read from its records.
Whatever is in there, every key can be filtered, unless its owner switched its index off: then Chroma's clients get the
refusal that they ask for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from chroma_plugin.errors import ChromaError, InvalidArgumentError
from chroma_plugin.filters.ast import DOCUMENT, ID, Compare, Contains, Exists, Expr, In, Leaf, leaves
from chroma_plugin.sessions.open_collection import Opened
from chroma_plugin.types import CollectionInfo, Field, Metadata, Scan
from chroma_plugin.wording import shown

SECTION: Final = "schema"
DOCUMENT_KEY: Final = "#document"
FULL_TEXT: Final = "fts_index"
BY_TYPE: Final[Mapping[type, str]] = {
    str: "string_inverted_index",
    int: "int_inverted_index",
    float: "float_inverted_index",
    bool: "bool_inverted_index",
}
"""The index of each type of value; an element of a list counts like a value of its own."""
MOST_KEYS: Final = 1_000
"""No more are listed; they can be filtered all the same."""
_TYPE_NAMES: Final = {"string_inverted_index": "Str", "int_inverted_index": "Int", "float_inverted_index": "Float"}
_GLANCE: Final = 20_000
"""So many records at most are looked at to find out the keys of a collection that was filled in another way."""
_METADATAS: Final[frozenset[Field]] = frozenset(("metadatas",))
_NONE: Final[Mapping[str, Any]] = {}

Schema: TypeAlias = Mapping[str, Any]

_log: Final = logging.getLogger("chroma_plugin.server")
_glanced: Final[WeakKeyDictionary[Opened, Schema]] = WeakKeyDictionary()


def known(opened: Opened, *, look: bool = True) -> Schema:
    """What is kept, or else what a glance at the records shows; without ``look`` only one that was had before."""
    kept: Schema | None = opened.info.configuration.get(SECTION)
    if kept is not None:
        return kept
    if look and opened.info.dimension is not None and opened not in _glanced:
        with opened.reading() as store:
            batches = list(store.scan(Scan(limit=_GLANCE, fields=_METADATAS)))
        _glanced[opened] = grown(_NONE, [metadata for batch in batches for metadata in batch.metadatas or ()])
    return _glanced.get(opened, _NONE)


def keep(opened: Opened, metadatas: Sequence[Metadata | None]) -> None:
    """List the keys of records that were written, when there are new ones among them."""
    before = known(opened)
    if grown(before, metadatas) is before:
        return

    def changed(info: CollectionInfo) -> CollectionInfo:
        schema = grown(info.configuration.get(SECTION, before), metadatas)
        return replace(info, configuration={**info.configuration, SECTION: schema})

    try:
        opened.change(changed)
    except ChromaError as error:
        # The records are kept; that is what was asked for. The next write of such a key tries again.
        _log.warning("The keys of collection %r could not be listed: %s", opened.info.name, error)


def without(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as everybody else knows it."""
    return {name: section for name, section in configuration.items() if name != SECTION}


def grown(schema: Schema, metadatas: Sequence[Metadata | None]) -> Schema:
    """With the keys of these records; the same object when there is no new one."""
    keys: Mapping[str, Mapping[str, bool]] = schema.get("keys") or _NONE
    new: dict[str, dict[str, bool]] = {}
    for key, index in sorted(_pairs(metadatas)):
        if index not in keys.get(key, _NONE) and len(keys) + len(new) < MOST_KEYS:
            # Chroma lists both indexes of strings, of which only documents can have the other.
            both = {FULL_TEXT: False} if index == BY_TYPE[str] else {}
            new.setdefault(key, {}).update(both, **{index: default(schema, index)})
    if not new:
        return schema
    return {**schema, "keys": {**keys, **{key: {**keys.get(key, _NONE), **indexes} for key, indexes in new.items()}}}


def _pairs(metadatas: Sequence[Metadata | None]) -> set[tuple[str, str]]:
    """Each key with each index that one of its values belongs to."""
    types = {(key, type(value)) for metadata in metadatas if metadata for key, value in metadata.items()}
    if any(kind is list for _, kind in types):
        types |= {
            (key, type(element))
            for metadata in metadatas
            if metadata
            for key, value in metadata.items()
            if type(value) is list
            for element in value
        }
    return {(key, BY_TYPE[kind]) for key, kind in types if kind in BY_TYPE}


def default(schema: Schema, index: str) -> bool:
    """Whether a key that was not mentioned has this index."""
    on: bool = (schema.get("defaults") or _NONE).get(index, True)
    return on


def is_on(schema: Schema, key: str, index: str) -> bool:
    on: bool = (schema.get("keys") or _NONE).get(key, _NONE).get(index, default(schema, index))
    return on


def check_filter(info: CollectionInfo, where: Expr | None) -> None:
    """Raises InvalidArgumentError for a filter on what the schema of the collection switched off."""
    schema = info.configuration.get(SECTION)
    if where is None or not schema:
        return
    for leaf in leaves(where):
        if leaf.path == DOCUMENT and not is_on(schema, DOCUMENT_KEY, FULL_TEXT):
            raise InvalidArgumentError(
                "Cannot filter using full-text search because FTS indexing is disabled: the schema of the collection "
                "switched fts_index of '#document' off."
            )
        if leaf.path in (DOCUMENT, ID):
            continue
        key = leaf.path.parts[0]
        for index in _indexes(leaf):
            if not is_on(schema, key, index):
                raise InvalidArgumentError(
                    f"Cannot filter using metadata key {shown(key)} with type {_TYPE_NAMES.get(index, 'Bool')!r} "
                    f"because indexing is disabled: the schema of the collection switched {index} off."
                )


def _indexes(leaf: Leaf) -> Iterator[str]:
    """Those that a condition needs."""
    if isinstance(leaf, Exists):
        return
    values: tuple[Any, ...] = leaf.values if isinstance(leaf, In) else (_value(leaf),)
    yield from (BY_TYPE[type(value)] for value in values if type(value) in BY_TYPE)


def _value(leaf: Leaf) -> Any:
    return leaf.value if isinstance(leaf, (Compare, Contains)) else ""
