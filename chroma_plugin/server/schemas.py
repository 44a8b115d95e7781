"""The JSON that goes in and out, as JSON Schema: what the OpenAPI description shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

STRING: Final[Schema] = {"type": "string"}
INTEGER: Final[Schema] = {"type": "integer"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "number"}
ANYTHING: Final[Schema] = {"type": "object"}
EMPTY: Final[Schema] = {"type": "object", "maxProperties": 0}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def record(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


_WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
_IDS: Final[Schema] = {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True}
_NAME: Final[Schema] = {
    "type": "string", "minLength": 3, "maxLength": 512, "pattern": "^[a-zA-Z0-9][a-zA-Z0-9._-]*[a-zA-Z0-9]$",
}  # fmt: skip
_VECTOR: Final = array(NUMBER)
_VECTORS: Final[Schema] = {
    "anyOf": [array(_VECTOR), array(STRING)],
    "description": "A list of numbers per record, or a base64 string of little-endian float32 per record.",
}
_SOME_VECTORS: Final[Schema] = array({"anyOf": [_VECTOR, STRING, {"type": "null"}]})
_METADATA: Final[Schema] = {
    "type": "object",
    "description": "Keys to strings, 64-bit integers, finite numbers, booleans, null, and lists and objects of those.",
}
_WHERE: Final[Schema] = {"type": "object", "description": 'A filter, e.g. {"year": {"$gte": 2020}}.'}
_RECORD_FIELDS: Final = {
    "metadatas": nullable(array(nullable(_METADATA))),
    "documents": nullable(array(nullable(STRING))),
    "uris": nullable(array(nullable(STRING))),
}


def _include(*names: str) -> Schema:
    return nullable(array({"type": "string", "enum": list(names)}))


def _lists(schema: Schema) -> Schema:
    return nullable(array(array(schema)))


_GET_INCLUDE: Final = ("metadatas", "documents", "embeddings", "uris")
_FILTERS: Final = {"where": nullable(_WHERE), "where_document": nullable(_WHERE)}
_STORE_FIELDS: Final = nullable(array({"type": "string", "enum": [*_GET_INCLUDE]}))
_STORE_WHERE: Final = nullable({"type": "object", "description": "A filter in our own JSON form."})

SCHEMAS: Final[Mapping[str, Schema]] = {
    "Error": record(("error", "message"), error=STRING, message=STRING),
    "Heartbeat": record(("nanosecond heartbeat",), **{"nanosecond heartbeat": INTEGER}),
    "Health": record(
        ("is_executor_ready", "is_log_client_ready"), is_executor_ready=BOOLEAN, is_log_client_ready=BOOLEAN
    ),
    "PreFlightChecks": record(
        ("max_batch_size", "supports_base64_encoding"),
        max_batch_size=INTEGER,
        supports_base64_encoding=BOOLEAN,
        chroma_plugin=record(("version", "max_body_bytes"), version=INTEGER, max_body_bytes=INTEGER),
    ),
    "Identity": record(("user_id", "tenant", "databases"), user_id=STRING, tenant=STRING, databases=array(STRING)),
    "NewTenant": record(("name",), name={"type": "string", "minLength": 3, "maxLength": 512}),
    "Tenant": record(("name",), name=STRING, resource_name=nullable(STRING)),
    "NewDatabase": record(("name",), name=_NAME),
    "Database": record(
        ("id", "name", "tenant"), id={"type": "string", "format": "uuid"}, name=STRING, tenant=STRING
    ),
    "Hnsw": record(
        space={"type": "string", "enum": ["l2", "cosine", "ip"]},
        ef_construction=INTEGER, ef_search=INTEGER, max_neighbors=INTEGER, num_threads=INTEGER, batch_size=INTEGER,
        sync_threshold=INTEGER, resize_factor=NUMBER,
    ),
    "Configuration": record(hnsw=nullable(ANYTHING), spann=nullable(ANYTHING), embedding_function=nullable(ANYTHING)),
    "NewCollection": record(
        ("name",),
        name=_NAME,
        metadata=nullable(_METADATA),
        configuration=nullable(reference("Configuration")),
        schema=nullable({"type": "object"}),
        get_or_create=nullable(BOOLEAN),
    ),
    "Collection": record(
        ("id", "name", "configuration_json", "tenant", "database"),
        id={"type": "string", "format": "uuid"},
        name=STRING,
        configuration_json=reference("Configuration"),
        schema={"type": "object"},
        metadata=nullable(_METADATA),
        dimension=nullable(INTEGER),
        tenant=STRING,
        database=STRING,
        log_position=INTEGER,
        version=INTEGER,
    ),
    "StoreCollection": record(
        ("id", "name"),
        id={"type": "string", "format": "uuid"},
        name={"type": "string", "minLength": 1, "maxLength": 512},
        metadata=nullable(_METADATA),
        configuration=nullable(reference("Configuration")),
        dimension=nullable(INTEGER),
        tenant=STRING,
        database=STRING,
    ),
    "StoreCollectionChange": record(
        name={"type": "string", "minLength": 1, "maxLength": 512},
        metadata=nullable(_METADATA),
        configuration=nullable(reference("Configuration")),
        dimension=nullable(INTEGER),
    ),
    "ChangedCollection": record(
        new_name=nullable(_NAME),
        new_metadata=nullable(_METADATA),
        new_configuration=nullable(reference("Configuration")),
    ),
    "NewRecords": record(("ids", "embeddings"), ids=_IDS, embeddings=_VECTORS, **_RECORD_FIELDS),
    "ChangedRecords": record(("ids",), ids=_IDS, embeddings=nullable(_SOME_VECTORS), **_RECORD_FIELDS),
    "Get": record(
        ids=nullable(_IDS), **_FILTERS, limit=nullable(_WHOLE), offset=nullable(_WHOLE), include=_include(*_GET_INCLUDE)
    ),
    "Records": record(
        ("ids", "include"), ids=array(STRING), embeddings=nullable(array(_VECTOR)), **_RECORD_FIELDS,
        include=array(STRING),
    ),
    "Query": record(
        ("query_embeddings",),
        query_embeddings=_VECTORS,
        n_results={"type": "integer", "minimum": 1},
        ids=nullable(_IDS),
        **_FILTERS,
        include=_include(*_GET_INCLUDE, "distances"),
    ),
    "Hits": record(
        ("ids", "include"),
        ids=array(array(STRING)),
        embeddings=_lists(_VECTOR),
        documents=_lists(nullable(STRING)),
        metadatas=_lists(nullable(_METADATA)),
        uris=_lists(nullable(STRING)),
        distances=_lists(NUMBER),
        include=array(STRING),
    ),
    "Delete": record(ids=nullable(_IDS), **_FILTERS, limit=nullable(_WHOLE)),
    "Deleted": record(("deleted",), deleted=INTEGER),
    "IndexingStatus": record(
        ("num_indexed_ops", "num_unindexed_ops", "total_ops", "op_indexing_progress"),
        num_indexed_ops=INTEGER, num_unindexed_ops=INTEGER, total_ops=INTEGER, op_indexing_progress=NUMBER,
    ),
    "HybridSearch": record(
        ("searches",),
        searches=array(
            record(
                filter=nullable(_WHERE),
                rank=nullable({"type": "object", "description": 'A ranking, e.g. {"$knn": {"query": [1, 2]}}.'}),
                group_by=nullable(ANYTHING),
                limit=nullable(record(offset=nullable(_WHOLE), limit=nullable(_WHOLE))),
                select=nullable(record(keys=nullable(array(STRING)))),
            )
        ),
        read_level=STRING,
    ),
    "HybridHits": record(
        ("ids", "documents", "embeddings", "metadatas", "scores", "select"),
        ids=array(array(STRING)),
        documents=array(nullable(array(nullable(STRING)))),
        embeddings=array(nullable(array(_VECTOR))),
        metadatas=array(nullable(array(nullable(_METADATA)))),
        scores=array(nullable(array(nullable(NUMBER)))),
        select=array(array(STRING)),
    ),
    "StoreRecords": record(
        ("ids",),
        ids=_IDS,
        embeddings=nullable({"type": "string", "description": "base64 of all rows, little-endian float32"}),
        dimension=nullable(INTEGER),
        **_RECORD_FIELDS,
    ),
    "StoreWrite": record(("records",), records=reference("StoreRecords")),
    "StoreRevision": record(
        ("records",), records=reference("StoreRecords"), reads=nullable(array(reference("StoreRead")))
    ),
    "StoreKnown": record(("known",), known=array(STRING)),
    "StoreMerged": record(("merged",), merged=array(STRING)),
    "StoreDelete": record(("ids",), ids=_IDS),
    "StoreDeleteWhere": record(("where",), where={"type": "object"}),
    "StoreScan": record(
        ids=nullable(_IDS), where=_STORE_WHERE, limit=nullable(_WHOLE), offset=nullable(_WHOLE), fields=_STORE_FIELDS,
        order=nullable(array(record(("path",), path={"anyOf": [STRING, array(STRING)]}, descending=BOOLEAN))),
    ),
    "StoreScanned": record(("records",), records=reference("StoreRecords")),
    "StoreCount": record(where=_STORE_WHERE),
    "StoreCounted": record(("count",), count=INTEGER),
    "StoreSearch": record(
        ("embeddings", "dimension", "k"),
        embeddings=STRING,
        count=INTEGER,
        dimension=INTEGER,
        k={"type": "integer", "minimum": 1},
        metric=nullable(STRING),
        ids=nullable(_IDS),
        where=_STORE_WHERE,
        max_distance=nullable(NUMBER),
        fields=_STORE_FIELDS,
        exact=BOOLEAN,
    ),
    "StoreTextSearch": record(
        ("queries", "k"),
        queries={"type": "array", "items": STRING, "minItems": 1},
        k={"type": "integer", "minimum": 1},
        ids=nullable(_IDS),
        where=_STORE_WHERE,
        fields=_STORE_FIELDS,
    ),
    "StoreRead": record(
        ("answer",),
        answer=STRING,
        scan=nullable(reference("StoreScan")),
        count=nullable(reference("StoreCount")),
        search=nullable(reference("StoreSearch")),
        search_text=nullable(reference("StoreTextSearch")),
    ),
    "StoreCommit": record(
        ("changes",),
        changes=array(
            record(
                ("collection",),
                collection=STRING,
                reads=nullable(array(reference("StoreRead"))),
                deleted=nullable(_IDS),
                records=nullable(reference("StoreRecords")),
            )
        ),
    ),
    "StoreRanked": record(
        ("ranked",),
        ranked=array(record(("records", "scores"), records=reference("StoreRecords"), scores=array(NUMBER))),
    ),
    "StoreHits": record(
        ("hits",),
        hits=array(record(("records", "distances"), records=reference("StoreRecords"), distances=STRING)),
    ),
}  # fmt: skip
