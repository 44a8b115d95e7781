"""Chroma's ``schema``: which key has which index. Here it is another way to write a collection's configuration.

Every key can be filtered and every document searched, whatever was asked for, so a schema may choose how embeddings are
searched, and the rest has to be as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from chroma_plugin.errors import InvalidArgumentError, UnsupportedError
from chroma_plugin.requests.shown import kind
from chroma_plugin.wording import shown

_EMBEDDING: Final = "#embedding"
_DOCUMENT: Final = "#document"
_ON: Final[Mapping[str, Any]] = {"enabled": True, "config": {}}
_OFF: Final[Mapping[str, Any]] = {"enabled": False, "config": {}}
_DEFAULT_SPACE: Final = "l2"
_DEFAULT_FUNCTION: Final = {"type": "known", "name": "default", "config": {}}
_NEVER: Final = {"sparse_vector_index": "There are no sparse vectors here."}
"""Indexes that nothing here could serve."""
_FILTERED: Final = ("string_inverted_index", "int_inverted_index", "float_inverted_index", "bool_inverted_index")


def described(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The schema that a collection of this configuration has, in Chroma's form."""
    hnsw = dict(configuration.get("hnsw") or {})
    function = configuration.get("embedding_function")
    config = {"space": hnsw.pop("space", "l2"), "hnsw": hnsw}
    config |= {} if function is None else {"embedding_function": function}
    return {
        "defaults": {
            "string": {"fts_index": _OFF, "string_inverted_index": _ON},
            "float_list": {"vector_index": {"enabled": False, "config": config}},
            "sparse_vector": {
                "sparse_vector_index": {
                    "enabled": False,
                    "config": {"embedding_function": {"type": "unknown"}, "bm25": False},
                }
            },
            "int": {"int_inverted_index": _ON},
            "float": {"float_inverted_index": _ON},
            "bool": {"bool_inverted_index": _ON},
        },
        "keys": {
            _EMBEDDING: {
                "float_list": {"vector_index": {"enabled": True, "config": {**config, "source_key": _DOCUMENT}}}
            },
            _DOCUMENT: {"string": {"fts_index": _ON, "string_inverted_index": _OFF}},
        },
    }


def configuration(schema: Mapping[str, Any], beside: Mapping[str, Any] | None) -> dict[str, Any]:
    """The configuration that a schema asks for. Clients send one ``beside`` it, for its embedding function.

    Raises InvalidArgumentError for what is no schema and when the two contradict each other, UnsupportedError for an
    index that there can't be, or that would have to be left out.
    """
    _check_indexes(schema)
    if schema.get("cmek") is not None:
        raise UnsupportedError("There is no encryption with keys of customers here: leave cmek out of the schema.")
    asked: dict[str, Any] = {}
    for level in (_part(schema, "defaults"), _part(schema, "keys", _EMBEDDING)):
        config = _part(level, "float_list", "vector_index", "config")
        asked |= {name: value for name, value in config.items() if value is not None}
    if asked.get("spann") is not None:
        raise UnsupportedError("There is no SPANN index here; configure 'hnsw' instead.")
    if asked.get("source_key", _DOCUMENT) != _DOCUMENT:
        raise UnsupportedError(f"Embeddings are made from the document here, not from {shown(asked['source_key'])}.")
    beside = beside or {}
    hnsw = _part(asked, "hnsw")
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
    }


def _one_of(asked: Any, beside: Any) -> Any:
    """The function that is meant: clients write their default one where none was chosen."""
    chosen = [function for function in (asked, beside) if function not in (None, _DEFAULT_FUNCTION)]
    if len(chosen) == 2 and chosen[0] != chosen[1]:
        raise InvalidArgumentError("The schema and the configuration have different embedding functions.")
    return chosen[0] if chosen else asked or beside


def _check_indexes(schema: Mapping[str, Any]) -> None:
    for key, name, index in _indexes(schema):
        enabled = index.get("enabled")
        if name in _NEVER and enabled:
            raise UnsupportedError(f"{_NEVER[name]} The schema enables one for {shown(key)}.")
        served = ("fts_index",) if key == _DOCUMENT else _FILTERED
        if name in served and enabled is False:
            raise UnsupportedError(
                f"The schema switches {name} of {shown(key)} off, but everything can be filtered here. Leave it on."
            )


def _indexes(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Each index with its key and its name."""
    keys = {"defaults": _part(schema, "defaults"), **_part(schema, "keys")}
    for key in keys:
        for kind_of_value in (types := _part(keys, key)):
            for name in (indexes := _part(types, kind_of_value)):
                yield key, name, _part(indexes, name)


def _part(value: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """What stands at the path; nothing is an empty object."""
    for name in path:
        value = value.get(name) or {}
        if not isinstance(value, Mapping):
            raise InvalidArgumentError(f"{'.'.join(path)} in the schema must be an object, not {kind(value)}.")
    return value
