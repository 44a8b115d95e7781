"""The collections of a database as a `Backend` keeps them, for clients of ours: the id, the configuration and the
dimension are the caller's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from chroma_plugin.errors import InvalidArgumentError, UniqueConstraintError
from chroma_plugin.requests import configuration as configurations
from chroma_plugin.requests.metadata import collection_metadata
from chroma_plugin.requests.names import collection_id
from chroma_plugin.requests.shown import kind
from chroma_plugin.server import keys
from chroma_plugin.server.bodies import Body
from chroma_plugin.server.call import Answer, Call, answer
from chroma_plugin.server.handlers.collections import is_deep
from chroma_plugin.types import CollectionInfo

_LONGEST_NAME: Final = 512


def tenants(call: Call) -> Answer:
    return answer(list(call.served.session.backend.list_tenants()))


def listed(call: Call) -> Answer:
    """All of them, or the one of that name or id, as a list."""
    call.served.check_database(call.tenant, call.database)
    session, place = call.served.session, (call.tenant, call.database)
    if "name" in call.query:
        found = [session.find(call.query["name"], *place)]
    elif "id" in call.query:
        found = [session.find_by_id(collection_id(call.query["id"]), *place)]
    else:
        found = [*session.collections(*place)]
    return answer([described(opened.info) for opened in found if opened is not None])


def create(call: Call) -> Answer:
    call.served.check_database(call.tenant, call.database)
    body = call.body()
    info = CollectionInfo(
        id=collection_id(body.needed("id", str)),
        name=_name(body.needed("name", str)),
        metadata=collection_metadata(body.data("metadata", dict)),
        configuration=_configuration(body.data("configuration", dict) or {}),
        dimension=_dimension(body.given("dimension", int)),
        tenant=call.tenant,
        database=call.database,
    )
    _refuse_known_id(call, info.id)
    call.served.session.create(info, or_find=False)
    return answer({})


def change(call: Call) -> Answer:
    """Only the fields that are in the body; ``"metadata": null`` takes the metadata away."""
    opened = call.collection()
    changes = _changes(call.body())

    def changed(info: CollectionInfo) -> CollectionInfo:
        after = replace(info, **changes)
        kept = {name: section for name, section in info.configuration.items() if name == keys.SECTION}
        return replace(after, configuration={**after.configuration, **kept})

    opened.change(changed)
    return answer({})


def drop(call: Call) -> Answer:
    opened = call.collection()
    call.served.session.drop(opened.info.name, call.tenant, call.database)
    return answer({})


def described(info: CollectionInfo) -> dict[str, Any]:
    return {
        "id": str(info.id),
        "name": info.name,
        "metadata": info.metadata,
        "configuration": keys.without(info.configuration),
        "dimension": info.dimension,
        "tenant": info.tenant,
        "database": info.database,
    }


def _changes(body: Body) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if body.has("name"):
        changes["name"] = _name(body.needed("name", str))
    if body.has("metadata"):
        changes["metadata"] = collection_metadata(body.data("metadata", dict))
    if body.has("configuration"):
        changes["configuration"] = _configuration(body.data("configuration", dict) or {})
    if body.has("dimension"):
        changes["dimension"] = _dimension(body.given("dimension", int))
    return changes


def _refuse_known_id(call: Call, id: UUID) -> None:
    """A caller who knows the id of somebody else's collection must not get at it."""
    session = call.served.session
    for tenant in session.backend.list_tenants():
        for database in session.backend.list_databases(tenant):
            if session.backend.get_collection_by_id(id, tenant, database) is not None:
                raise UniqueConstraintError(f"A collection with the id {id} exists already.")


def _name(name: str) -> str:
    if not 0 < len(name) <= _LONGEST_NAME:
        raise InvalidArgumentError(f"A collection name has 1 to {_LONGEST_NAME} characters, not {len(name)}.")
    return name


def _configuration(value: dict[str, Any]) -> dict[str, Any]:
    """Kept as it is: only what this server itself reads is checked."""
    if value.get("hnsw", {}) is None:
        raise InvalidArgumentError("configuration['hnsw'] must be an object; leave it out for the defaults.")
    configurations.hnsw_section({"hnsw": value.get("hnsw")})
    function = value.get("embedding_function")
    if function is not None and type(function) is not dict:
        raise InvalidArgumentError(f"configuration['embedding_function'] must be an object, not {kind(function)}.")
    if is_deep(value):
        raise InvalidArgumentError("The configuration is nested too deeply.")
    if keys.SECTION in value:
        raise InvalidArgumentError(f"configuration[{keys.SECTION!r}] is written by the server alone: leave it out.")
    return value


def _dimension(value: int | None) -> int | None:
    if value is not None and not 0 < value < 2**20:
        raise InvalidArgumentError(f"The dimension is a positive number, not {kind(value)}.")
    return value
