"""Tenants, databases and collections as chromadb's own tables have them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from chroma_plugin.errors import CorruptionError, InvalidArgumentError
from chroma_plugin.parquet import checks
from chroma_plugin.requests import configuration as configurations
from chroma_plugin.types import CollectionInfo, Metric
from chroma_plugin_chromadb.database import Database
from chroma_plugin_chromadb.values import scalar

_COLLECTIONS: Final = """
    SELECT c.id, c.name, c.dimension, {configuration}, {schema} FROM collections c
    JOIN databases d ON d.id = c.database_id WHERE d.tenant_id = ? AND d.name = ? ORDER BY c.rowid"""
_METADATA: Final = """
    SELECT key, str_value, int_value, float_value, {boolean} FROM collection_metadata
    WHERE collection_id = ? ORDER BY rowid"""
_LEGACY: Final = {"type": "legacy"}


def tenants(database: Database) -> Sequence[str]:
    return [name for (name,) in database.rows("SELECT id FROM tenants ORDER BY rowid")]


def databases(database: Database, tenant: str) -> Sequence[str]:
    query = "SELECT name FROM databases WHERE tenant_id = ? ORDER BY rowid"
    return [name for (name,) in database.rows(query, (tenant,))]


def collections(database: Database, tenant: str, name: str) -> Sequence[CollectionInfo]:
    """In the order of creation. Raises InvalidArgumentError for names and metadata that today's rules refuse."""
    columns = database.columns("collections")
    query = _COLLECTIONS.format(
        configuration="c.config_json_str" if "config_json_str" in columns else "NULL",
        schema="c.schema_str" if "schema_str" in columns else "NULL",
    )
    infos = [_info(database, row, tenant, name) for row in database.rows(query, (tenant, name))]
    checks.collections(infos)
    return infos


def _info(database: Database, row: Sequence[Any], tenant: str, place: str) -> CollectionInfo:
    id, name, dimension, configuration, schema = row
    metadata = _metadata(database, id)
    asked = _from_schema(_json(schema, name)) or _from_configuration(_json(configuration, name))
    try:
        hnsw = configurations.created(_known(asked), None if asked.get("hnsw") else metadata, Metric.L2.value)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"Collection {name!r} can't be read: {error}") from error
    return CollectionInfo(
        id=_uuid(id, database),
        name=name,
        metadata=metadata,
        configuration={"hnsw": hnsw, "spann": None, "embedding_function": _function(asked)},
        dimension=dimension,
        tenant=tenant,
        database=place,
    )


def _function(asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Its name; early releases did not note whether there was one."""
    function: Mapping[str, Any] | None = asked.get("embedding_function", _LEGACY)
    return None if function is None or function.get("type") == "unknown" else function


def _metadata(database: Database, id: str) -> dict[str, Any] | None:
    boolean = "bool_value" if "bool_value" in database.columns("collection_metadata") else "NULL"
    rows = database.rows(_METADATA.format(boolean=boolean), (id,))
    return {key: scalar(*values) for key, *values in rows} or None


def _from_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The index of the embeddings, as chromadb 1.1 and newer keep it."""
    try:
        index = schema["keys"]["#embedding"]["float_list"]["vector_index"]["config"]
    except (KeyError, TypeError):
        return {}
    nearness = {"space": index.get("space")}
    section = index.get("hnsw") or index.get("spann") or {}
    return {"hnsw": {**nearness, **section}, "embedding_function": index.get("embedding_function")}


def _from_configuration(stored: Mapping[str, Any]) -> dict[str, Any]:
    """As chromadb 1.0 kept it, or 0.5 and 0.6, whose ``hnsw_configuration`` has other names for the same."""
    if "hnsw_configuration" not in stored:
        # Without any, the metadata says it.
        return {**stored, "hnsw": stored.get("hnsw") or stored.get("spann")} if stored else {}
    renamed = {"ef_construction": "ef_construction", "ef_search": "ef_search", "M": "max_neighbors"}
    section = stored["hnsw_configuration"] or {}
    return {"hnsw": {renamed.get(key, key): value for key, value in section.items()}}


def _known(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What an HNSW index here understands of it."""
    section = asked.get("hnsw") or {}
    names = (configurations.SPACE, *configurations.PARAMETERS)
    return {"hnsw": {name: section[name] for name in names if section.get(name) is not None}}


def _json(text: str | None, name: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise CorruptionError(f"The configuration of collection {name!r} is not JSON.") from error
    if not isinstance(value, dict):
        raise CorruptionError(f"The configuration of collection {name!r} is not a JSON object.")
    return value


def _uuid(text: Any, database: Database) -> UUID:
    try:
        return UUID(text)
    except (ValueError, TypeError, AttributeError) as error:
        raise CorruptionError(f"{database.path} has a collection whose id is no UUID: {text!r}.") from error
