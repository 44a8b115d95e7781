# ruff: noqa: E501  a table reads best with one route in a line
"""The one table of routes: where, who may, what goes in, what comes out, which function. Routing and the OpenAPI
description are both made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from enum import Enum
from typing import Final, TypeAlias

from chroma_plugin.frozen import frozen
from chroma_plugin.server.call import Answer, Call
from chroma_plugin.server.handlers import (
    adding,
    catalogue,
    cloud,
    collections,
    committing,
    extension,
    records,
    search,
    system,
    tenants,
)
from chroma_plugin.server.schemas import ANYTHING, BOOLEAN, EMPTY, INTEGER, STRING, Schema, array, reference


class Access(Enum):
    """What a token has to allow."""

    OPEN = "open"
    """Nothing; also without a token."""
    READ = "read"
    WRITE = "write"
    """Not with a read-only token."""
    ADMIN = "admin"
    """Only with a token that is neither read-only nor bound to a tenant."""


Together: TypeAlias = Callable[[Sequence[Call]], Sequence[Answer | Exception]]
"""The answer or the error of each request."""


@frozen
class Route:
    method: str
    path: str
    handler: Callable[[Call], Answer]
    summary: str
    access: Access = Access.READ
    body: str | None = None
    """The name of a schema; None: no body."""
    answer: Schema = field(default_factory=dict)
    status: int = 200
    query: Mapping[str, Schema] = field(default_factory=dict)
    quick: bool = False
    """It blocks on nothing, so it needs no thread."""
    watch: bool = False
    """Asked by those who watch the server, so it is answered however busy that is."""
    together: Together | None = None
    """The handler for several requests to one collection at once."""
    tag: str = "records"

    @property
    def writes_records(self) -> bool:
        """Writes into one collection come one after the other; it is no use to let more threads wait for that."""
        return self.access is Access.WRITE and "{collection}" in self.path


_V2: Final = "/api/v2"
_T: Final = f"{_V2}/tenants/{{tenant}}"
_D: Final = f"{_T}/databases/{{database}}"
_C: Final = f"{_D}/collections/{{collection}}"
_STORE: Final = f"{_C}/store"
_PAGE: Final[Mapping[str, Schema]] = {"limit": {**INTEGER, "minimum": 0}, "offset": {**INTEGER, "minimum": 0}}
_READ_LEVEL: Final[Mapping[str, Schema]] = {"read_level": STRING}
_WRITE: Final = Access.WRITE


# What is asked most stands first: the router looks from the top.
_RECORDS: Final = (
    Route("POST", f"{_C}/query", records.query, "The nearest records to each embedding", body="Query", answer=reference("Hits")),
    Route("POST", f"{_C}/add", adding.add, "Add records; known ids stay as they are", _WRITE, "NewRecords", EMPTY, 201, together=adding.add_together),
    Route("POST", f"{_C}/get", records.get, "Records by id and by filter", body="Get", answer=reference("Records")),
    Route("POST", f"{_C}/upsert", adding.upsert, "Add or change records", _WRITE, "NewRecords", EMPTY, together=adding.upsert_together),
    Route("POST", f"{_C}/update", records.update, "Change records; unknown ids are ignored", _WRITE, "ChangedRecords", EMPTY),
    Route("POST", f"{_C}/delete", records.delete, "Delete records by id and by filter", _WRITE, "Delete", reference("Deleted")),
    Route("GET", f"{_C}/count", records.count, "How many records there are", answer=INTEGER, query=_READ_LEVEL),
    Route("GET", f"{_C}/indexing_status", records.indexing_status, "How much is indexed: always all", answer=reference("IndexingStatus")),
    Route("POST", f"{_C}/search", search.search, "Records by filter, ranked by an expression", body="HybridSearch", answer=reference("HybridHits")),
    Route("POST", f"{_C}/fork", cloud.fork, "Chroma Cloud only: 501", _WRITE, tag="not here"),
    Route("GET", f"{_C}/fork_count", cloud.fork, "Chroma Cloud only: 501", tag="not here"),
    Route("POST", f"{_C}/functions/attach", cloud.functions, "Chroma Cloud only: 501", _WRITE, tag="not here"),
    Route("GET", f"{_C}/functions/{{function}}", cloud.functions, "Chroma Cloud only: 501", tag="not here"),
    Route("POST", f"{_C}/attached_functions/{{function}}/detach", cloud.functions, "Chroma Cloud only: 501", _WRITE, tag="not here"),
)  # fmt: skip

_STORE_ROUTES: Final = (
    Route("POST", f"{_STORE}/search", extension.search, "Search a store", body="StoreSearch", answer=reference("StoreHits")),
    Route("POST", f"{_STORE}/search_text", extension.search_text, "Search a store by text", body="StoreTextSearch", answer=reference("StoreRanked")),
    Route("POST", f"{_STORE}/put", adding.put, "Insert or replace whole records, as long as what was read is still so", _WRITE, "StoreRevision", EMPTY, together=adding.put_together),
    Route("POST", f"{_STORE}/insert", adding.insert, "Insert records whose ids are unknown", _WRITE, "StoreWrite", reference("StoreKnown"), together=adding.insert_together),
    Route("POST", f"{_STORE}/update", extension.update, "Replace columns of records, as long as what was read is still so", _WRITE, "StoreRevision", EMPTY),
    Route("POST", f"{_STORE}/merge", records.merge, "Change what is given of records; metadata key by key", _WRITE, "StoreWrite", reference("StoreMerged")),
    Route("POST", f"{_STORE}/delete", extension.delete, "Delete records by id", _WRITE, "StoreDelete", reference("Deleted")),
    Route("POST", f"{_STORE}/delete_where", extension.delete_where, "Delete records by filter", _WRITE, "StoreDeleteWhere", reference("Deleted")),
    Route("POST", f"{_STORE}/scan", extension.scan, "Read records", body="StoreScan", answer=reference("StoreScanned")),
    Route("POST", f"{_STORE}/count", extension.count, "Count records", body="StoreCount", answer=reference("StoreCounted")),
    Route("POST", f"{_STORE}/optimize", extension.optimize, "Bring the index up to date", _WRITE, answer=EMPTY),
    Route("POST", f"{_STORE}/stats", extension.stats, "Facts about a store", answer=ANYTHING),
    Route("POST", f"{_D}/store/commit", committing.commit, "End a transaction: check what it has read, write all of it or nothing", _WRITE, "StoreCommit", EMPTY),
    Route("POST", f"{_V2}/store/flush", system.flush, "Write out what is only buffered", _WRITE, answer=EMPTY, tag="server"),
    Route("POST", f"{_V2}/store/compact", system.compact, "Give back the space of what was deleted", _WRITE, answer=EMPTY, tag="server"),
    Route("GET", f"{_V2}/store/tenants", catalogue.tenants, "All tenants", Access.ADMIN, answer=array(STRING), tag="tenants"),
    Route("GET", f"{_D}/store/collections", catalogue.listed, "Collections as they are kept", answer=array(reference("StoreCollection")), query={"name": STRING, "id": STRING}, tag="collections"),
    Route("POST", f"{_D}/store/collections", catalogue.create, "Make a collection with an id of the caller's", _WRITE, "StoreCollection", EMPTY, tag="collections"),
    Route("PUT", f"{_D}/store/collections/{{collection}}", catalogue.change, "Change what is kept about a collection", _WRITE, "StoreCollectionChange", EMPTY, tag="collections"),
    Route("DELETE", f"{_D}/store/collections/{{collection}}", catalogue.drop, "Delete a collection by id", _WRITE, answer=EMPTY, tag="collections"),
)  # fmt: skip

_COLLECTIONS: Final = (
    Route("POST", f"{_D}/collections", collections.create, "Make a collection", _WRITE, "NewCollection", reference("Collection"), tag="collections"),
    Route("GET", f"{_D}/collections", collections.listed, "The collections, in the order of creation", answer=array(reference("Collection")), query=_PAGE, tag="collections"),
    Route("GET", f"{_D}/collections_count", collections.count, "How many collections there are", answer=INTEGER, tag="collections"),
    Route("GET", f"{_D}/collections/by-id/{{collection}}", collections.get_by_id, "A collection by id", answer=reference("Collection"), tag="collections"),
    Route("GET", _C, collections.get, "A collection by name, or else by id", answer=reference("Collection"), tag="collections"),
    Route("PUT", _C, collections.modify, "Rename it, replace its metadata, change how it searches", _WRITE, "ChangedCollection", EMPTY, tag="collections"),
    Route("DELETE", _C, collections.delete, "Delete a collection by name, or else by id", _WRITE, answer=EMPTY, tag="collections"),
    Route("GET", f"{_V2}/collections/{{crn}}", cloud.resource_name, "Chroma Cloud only: 501", tag="not here"),
)  # fmt: skip

_TENANTS: Final = (
    Route("POST", f"{_V2}/tenants", tenants.create_tenant, "Make a tenant", Access.ADMIN, "NewTenant", EMPTY, tag="tenants"),
    Route("GET", _T, tenants.get_tenant, "A tenant", answer=reference("Tenant"), tag="tenants"),
    Route("PATCH", _T, cloud.resource_name, "Chroma Cloud only: 501", _WRITE, tag="not here"),
    Route("POST", f"{_T}/databases", tenants.create_database, "Make a database", _WRITE, "NewDatabase", EMPTY, tag="tenants"),
    Route("GET", f"{_T}/databases", tenants.list_databases, "The databases of a tenant", answer=array(reference("Database")), query=_PAGE, tag="tenants"),
    Route("GET", _D, tenants.get_database, "A database", answer=reference("Database"), tag="tenants"),
    Route("DELETE", _D, tenants.delete_database, "Delete a database with its collections", _WRITE, answer=EMPTY, tag="tenants"),
)  # fmt: skip

_SYSTEM: Final = (
    Route("GET", _V2, system.heartbeat, "Is it alive", Access.OPEN, watch=True, answer=reference("Heartbeat"), tag="server"),
    Route("GET", f"{_V2}/heartbeat", system.heartbeat, "Is it alive", Access.OPEN, watch=True, answer=reference("Heartbeat"), tag="server"),
    Route("GET", f"{_V2}/healthcheck", system.healthcheck, "Is it ready", Access.OPEN, watch=True, answer=reference("Health"), tag="server"),
    Route("GET", f"{_V2}/version", system.version, "The version of chroma-plugin", Access.OPEN, answer=STRING, quick=True, tag="server"),
    Route("GET", f"{_V2}/pre-flight-checks", system.pre_flight_checks, "What clients have to know", answer=reference("PreFlightChecks"), quick=True, tag="server"),
    Route("GET", f"{_V2}/auth/identity", system.identity, "Who the token stands for", answer=reference("Identity"), tag="server"),
    Route("POST", f"{_V2}/reset", system.reset, "Delete everything, when the server was started so", Access.ADMIN, answer=BOOLEAN, tag="server"),
)  # fmt: skip

ROUTES: Final = (*_RECORDS, *_STORE_ROUTES, *_COLLECTIONS, *_TENANTS, *_SYSTEM)
"""Chroma's v2 API and the extension."""

VERSION_ONE: Final = tuple(
    Route(method, path, system.version_one, "", Access.OPEN, quick=True)
    for method in ("GET", "POST", "PUT", "DELETE")
    for path in ("/api/v1", "/api/v1/{rest:path}")
)
"""Where early clients knock."""
