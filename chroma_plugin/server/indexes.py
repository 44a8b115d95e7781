"""Chroma's ``schema`` on the wire: how embeddings are searched, which is a collection's configuration written in
another way, and which keys have which index (`chroma_plugin.server.keys`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from chroma_plugin.errors import InvalidArgumentError, UnsupportedError
from chroma_plugin.requests.metadata import is_key
from chroma_plugin.requests.shown import kind
from chroma_plugin.server.keys import BY_TYPE, DOCUMENT_KEY, FULL_TEXT, SECTION, Schema, default, is_on
from chroma_plugin.wording import did_you_mean, shown

_EMBEDDING: Final = "#embedding"
_DEFAULTS: Final = "defaults"
_SPARSE: Final = "sparse_vector_index"
_VECTOR: Final = "vector_index"
_DEFAULT_SPACE: Final = "l2"
_DEFAULT_FUNCTION: Final = {"type": "known", "name": "default", "config": {}}
_FILTERS: Final = tuple(BY_TYPE.values())
_STRING: Final = BY_TYPE[str]
_TYPE_OF: Final = {
    FULL_TEXT: "string",
    _STRING: "string",
    BY_TYPE[int]: "int",
    BY_TYPE[float]: "float",
    BY_TYPE[bool]: "bool",
}
"""Under which type of value an index stands."""
_SPANN: Final = (
    "space", "search_nprobe", "write_nprobe", "ef_construction", "ef_search", "max_neighbors",
    "reassign_neighbor_count", "split_threshold", "merge_threshold",
)  # fmt: skip


# -- out -------------------------------------------------------------------------------------------------------------


def described(configuration: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The schema that a collection of this configuration and these keys has, in Chroma's form."""
    hnsw = dict(configuration.get("hnsw") or {})
    function = configuration.get("embedding_function")
    config = {"space": hnsw.pop("space", _DEFAULT_SPACE), "hnsw": hnsw}
    config |= {} if function is None else {"embedding_function": function}
    keys = {key: _types(indexes) for key, indexes in (schema.get("keys") or {}).items()}
    return {
        _DEFAULTS: {
            **_types({FULL_TEXT: False} | {index: default(schema, index) for index in _FILTERS}),
            "float_list": {_VECTOR: _index(False, config)},
            "sparse_vector": {
                _SPARSE: _index(False, {"embedding_function": {"type": "unknown"}, "bm25": False}),
            },
        },
        "keys": {
            **keys,
            _EMBEDDING: {"float_list": {_VECTOR: _index(True, {**config, "source_key": DOCUMENT_KEY})}},
            DOCUMENT_KEY: _types({FULL_TEXT: is_on(schema, DOCUMENT_KEY, FULL_TEXT), _STRING: False}),
        },
    }


def _types(indexes: Mapping[str, bool]) -> dict[str, dict[str, Any]]:
    """Indexes, each under its type of value."""
    types: dict[str, dict[str, Any]] = {}
    for index, on in indexes.items():
        types.setdefault(_TYPE_OF[index], {})[index] = _index(on, {})
    return types


def _index(on: bool, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"enabled": on, "config": config}


# -- in --------------------------------------------------------------------------------------------------------------


def configuration(schema: Mapping[str, Any], beside: Mapping[str, Any] | None) -> dict[str, Any]:
    """The configuration that a schema asks for. Clients send one ``beside`` it, for its embedding function.

    Raises InvalidArgumentError for what is no schema, for an index where there can't be one, and when the two
    contradict each other; UnsupportedError for what would have to be left out.
    """
    kept = _kept(schema)
    if schema.get("cmek") is not None:
        raise UnsupportedError("There is no encryption with keys of customers here: leave cmek out of the schema.")
    asked: dict[str, Any] = {}
    for level in (_part(schema, _DEFAULTS), _part(schema, "keys", _EMBEDDING)):
        config = _part(level, "float_list", _VECTOR, "config")
        asked |= {name: value for name, value in config.items() if value is not None}
    if asked.get("source_key", DOCUMENT_KEY) != DOCUMENT_KEY:
        raise InvalidArgumentError(f"Vector index can only source from #document, not {shown(asked['source_key'])}.")
    beside = beside or {}
    hnsw = {**_part(asked, "hnsw"), **_served(_part(asked, "spann"), "the schema")}
    also = {name: value for name, value in _part(beside, "hnsw").items() if value is not None}
    for name in also.keys() & hnsw.keys():
        if also[name] != hnsw[name]:
            raise InvalidArgumentError(f"{name} is {shown(hnsw[name])} in the schema and not in the configuration.")
    # Clients write l2 where none was chosen, and beside a schema the space of the embedding function.
    space = {"space": asked["space"]} if asked.get("space") not in (None, _DEFAULT_SPACE) else {}
    return {
        "hnsw": {**also, **hnsw, **space},
        "spann": beside.get("spann"),
        "embedding_function": _one_of(asked.get("embedding_function"), beside.get("embedding_function")),
        SECTION: kept,
    }


def without_spann(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration for HNSW, which serves what SPANN was asked for, as Chroma's own server does on one machine: the
    space is kept, the parameters of the other index mean nothing here. The answer shows what it became.
    """
    spann = configuration.get("spann")
    if spann is None:
        return dict(configuration)
    if configuration.get("hnsw") is not None:
        raise InvalidArgumentError("Multiple vector index configurations provided: give hnsw or spann.")
    return {**configuration, "hnsw": _served(_part(configuration, "spann"), "configuration['spann']"), "spann": None}


def _served(spann: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The part of SPANN's parameters that HNSW has as well."""
    for name, value in spann.items():
        if name not in _SPANN:
            raise InvalidArgumentError(f"{where} has no parameter {shown(name)}.{did_you_mean(str(name), _SPANN)}")
        if name != "space" and value is not None and type(value) is not int:
            raise InvalidArgumentError(f"{where}: {name} must be an integer, not {kind(value)}.")
    return {} if spann.get("space") is None else {"space": spann["space"]}


def _one_of(asked: Any, beside: Any) -> Any:
    """The function that is meant: clients write their default one where none was chosen."""
    chosen = [function for function in (asked, beside) if function not in (None, _DEFAULT_FUNCTION)]
    if len(chosen) == 2 and chosen[0] != chosen[1]:
        raise InvalidArgumentError("The schema and the configuration have different embedding functions.")
    return chosen[0] if chosen else asked or beside


def _kept(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen about keys, without what is so by default."""
    defaults = {index: on for index, on in _switches(None, _part(schema, _DEFAULTS)) if index in _FILTERS and not on}
    keys: dict[str, dict[str, bool]] = {}
    for key in (given := _part(schema, "keys")):
        indexes = {index: on for index, on in _switches(key, _part(given, key)) if index in _TYPE_OF}
        if key == DOCUMENT_KEY:
            indexes = {} if indexes.get(FULL_TEXT, True) else {FULL_TEXT: False}
        keys |= {key: indexes} if indexes else {}
    return {name: value for name, value in ((_DEFAULTS, defaults), ("keys", keys)) if value}


def _switches(key: str | None, types: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Each index of a key, checked, and whether it is on; the defaults have no key."""
    if key not in (None, _EMBEDDING, DOCUMENT_KEY) and not is_key(key):
        raise InvalidArgumentError(f"The schema has indexes for {shown(key)}, which no metadata can have as a key.")
    for kind_of_value in types:
        for index in (indexes := _part(types, kind_of_value)):
            on = _part(indexes, index).get("enabled")
            if on is None:
                continue
            if type(on) is not bool:
                raise InvalidArgumentError(f"enabled of {shown(index)} must be true or false, not {kind(on)}.")
            if on:
                _check_on(key, index)
            yield index, on


def _check_on(key: str | None, index: str) -> None:
    where = "by default" if key is None else f"on {shown(key)}"
    if index == _SPARSE:
        raise InvalidArgumentError(
            f"Sparse vector indexing is not enabled in local and single-node servers such as this one: "
            f"the schema must not enable it {where}."
        )
    if index == FULL_TEXT and key != DOCUMENT_KEY:
        raise InvalidArgumentError(f"A full-text index can only be enabled on '#document', not {where}.")
    if index == _VECTOR and key != _EMBEDDING:
        raise InvalidArgumentError(f"A vector index can only be enabled on '#embedding', not {where}.")
    if index == _STRING and key == DOCUMENT_KEY:
        raise InvalidArgumentError(f"{_STRING} can't be enabled {where}, which has {FULL_TEXT}.")


def _part(value: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """What stands at the path; nothing is an empty object."""
    for name in path:
        value = value.get(name) or {}
        if not isinstance(value, Mapping):
            raise InvalidArgumentError(f"{'.'.join(path)} in the schema must be an object, not {kind(value)}.")
    return value
