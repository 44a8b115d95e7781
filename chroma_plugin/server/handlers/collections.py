"""Collections: make, find, list, change, delete. An embedding function is data here: stored, never looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from chroma_plugin.errors import EmbeddingFunctionError, InvalidArgumentError, NotFoundError
from chroma_plugin.requests import configuration as configurations
from chroma_plugin.requests import names
from chroma_plugin.requests.metadata import collection_metadata
from chroma_plugin.requests.shown import kind
from chroma_plugin.server import indexes, keys
from chroma_plugin.server.bodies import Body
from chroma_plugin.server.call import Answer, Call, answer
from chroma_plugin.server.handlers.paging import page
from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.types import CollectionInfo, Metadata, Metric

_MAX_DEPTH: Final = 32
_FUNCTION_TYPES: Final = ("known", "legacy", "unknown")


def create(call: Call) -> Answer:
    call.served.check_database(call.tenant, call.database)
    body = call.body()
    info = _new(body, call.tenant, call.database)
    opened, _ = call.served.session.create(info, or_find=bool(body.given("get_or_create", bool)))
    return answer(described(opened))


def listed(call: Call) -> Answer:
    found = call.served.session.collections(call.tenant, call.database)
    return answer([described(opened, look=False) for opened in page(found, call.query)])


def count(call: Call) -> Answer:
    return answer(len(call.served.session.collections(call.tenant, call.database)))


def get(call: Call) -> Answer:
    return answer(described(_named(call)))


def get_by_id(call: Call) -> Answer:
    return answer(described(call.collection()))


def delete(call: Call) -> Answer:
    call.served.session.drop(_named(call).info.name, call.tenant, call.database)
    return answer({})


def modify(call: Call) -> Answer:
    opened = call.collection()
    body = call.body()
    new_name = body.given("new_name", str)
    name = None if new_name is None else names.collection_name(new_name)
    given = body.data("new_metadata", dict)
    metadata = collection_metadata(given)
    configuration = body.data("new_configuration", dict)
    function = _function(configuration)

    def changed(info: CollectionInfo) -> CollectionInfo:
        hnsw = configurations.modified(info.configuration.get("hnsw", {}), configuration, metadata)
        stored = info.configuration.get("embedding_function")
        return replace(
            info,
            name=name or info.name,
            metadata=info.metadata if given is None else metadata,
            configuration={**info.configuration, "hnsw": hnsw, "embedding_function": _same(stored, function)},
        )

    opened.change(changed)
    return answer({})


def described(opened: OpenCollection, *, look: bool = True) -> dict[str, Any]:
    """A collection on the wire; ``look``: into its records, when nothing else tells their keys."""
    info = opened.info
    sections = keys.without(info.configuration)
    return {
        "id": str(info.id),
        "name": info.name,
        "configuration_json": {"hnsw": None, "spann": None, "embedding_function": None, **sections},
        "schema": indexes.described(sections, keys.known(opened, look=look)),
        "metadata": info.metadata,
        "dimension": info.dimension,
        "tenant": info.tenant,
        "database": info.database,
        "log_position": 0,
        "version": 0,
    }


def _named(call: Call) -> OpenCollection:
    """The collection whose name, or else whose id, stands in the path."""
    name = call.path["collection"]
    try:
        return call.served.by_name(call.tenant, call.database, name)
    except NotFoundError as error:
        try:
            return call.served.by_id(call.tenant, call.database, name)
        except (InvalidArgumentError, NotFoundError):
            raise error from None


def _new(body: Body, tenant: str, database: str) -> CollectionInfo:
    name = names.collection_name(body.needed("name", str))
    metadata = collection_metadata(body.data("metadata", dict))
    configuration = indexes.without_spann(body.data("configuration", dict) or {})
    schema = body.data("schema", dict)
    switched: keys.Schema = {}
    if schema is not None:
        configuration = indexes.configuration(schema, configuration)
        switched = configuration.pop(keys.SECTION)
    return CollectionInfo(
        id=uuid4(),
        name=name,
        metadata=metadata,
        configuration={
            "hnsw": _hnsw(configuration, metadata),
            "spann": None,
            "embedding_function": _function(configuration),
            keys.SECTION: switched,
        },
        tenant=tenant,
        database=database,
    )


def _hnsw(configuration: Mapping[str, Any], metadata: Metadata | None) -> dict[str, Any]:
    """The parameters of the index. Where the configuration and the ``hnsw:*`` of the metadata differ, it wins, as in
    Chroma's own server, unless it says the default: clients write that by themselves.
    """
    defaults = configurations.created(None, None, Metric.L2.value)
    section = configurations.hnsw_section(configuration)
    chosen = {name: value for name, value in section.items() if value != defaults[name]}
    return {**defaults, **section, **configurations.legacy_section(metadata), **chosen}


def _function(configuration: Any) -> dict[str, Any] | None:
    """The embedding function of a configuration, as the plain data that it is."""
    value = (configuration or {}).get("embedding_function")
    if value is None:
        return None
    where = "configuration['embedding_function']"
    if type(value) is not dict or value.get("type") not in _FUNCTION_TYPES:
        raise InvalidArgumentError(f"{where} must be an object with a type of {_FUNCTION_TYPES}, not {kind(value)}.")
    if value["type"] != "known":
        return {"type": value["type"]}
    name, config = value.get("name"), value.get("config") or {}
    if type(name) is not str or not name or type(config) is not dict:
        raise InvalidArgumentError(f"{where} needs a name (a string) and a config (an object).")
    if is_deep(config):
        raise InvalidArgumentError(f"{where}['config'] is nested deeper than {_MAX_DEPTH} levels.")
    return {"type": "known", "name": name, "config": config}


def _same(stored: Any, given: dict[str, Any] | None) -> Any:
    """The function after a change: the new settings of the one that is stored."""
    if given is None or not stored or stored.get("type") != "known":
        return stored if given is None else given
    if given.get("name") != stored.get("name"):
        raise EmbeddingFunctionError(
            f"The collection was made with the embedding function {stored.get('name')!r}, not {given.get('name')!r}. "
            f"Vectors of two functions can't be compared: make a new collection."
        )
    return given


def is_deep(value: Any) -> bool:
    """Whether lists and objects stand inside one another beyond a sane depth."""
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > _MAX_DEPTH:
            return True
        if type(item) in (dict, list):
            inner = item.values() if type(item) is dict else item
            pending += [(part, depth + 1) for part in inner]
    return False
