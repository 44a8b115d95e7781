"""The server, by any body at any route: an answer that is no failure of the server's."""

from __future__ import annotations

import asyncio
import atexit
import json
from typing import Any

import httpx

import chroma_plugin as chromadb
from chroma_plugin.server import create_app
from chroma_plugin.server.routes import ROUTES

_ROUTES = [route for route in ROUTES if route.body is not None]
_BODIES: list[dict[str, Any]] = [
    {
        "ids": ["x"],
        "embeddings": [[1, 2]],
        "metadatas": [{"k": [1, {"in": None}]}],
        "documents": ["text"],
        "uris": ["u"],
    },
    {"ids": ["x"], "embeddings": ["AACAPwAAAEA="]},
    {
        "where": {"n": {"$gt": 1}},
        "where_document": {"$contains": "a"},
        "limit": 2,
        "offset": 1,
        "include": ["documents"],
    },
    {"query_embeddings": [[1, 2]], "n_results": 2, "where": {"$or": [{"n": 1}, {"n": 2}]}, "include": ["distances"]},
    {"name": "made", "metadata": {"k": 1}, "configuration": {"hnsw": {"space": "ip"}}, "get_or_create": True},
    {"new_name": "new", "new_metadata": {"k": 2}, "new_configuration": {"hnsw": {"ef_search": 5}}},
    {
        "records": {
            "ids": ["x"],
            "embeddings": "AACAPwAAAEA=",
            "dimension": 2,
            "documents": None,
            "metadatas": None,
            "uris": None,
        }
    },
    {
        "embeddings": "AACAPwAAAEA=",
        "dimension": 2,
        "k": 2,
        "metric": "l2",
        "where": {"path": ["n"], "op": "$eq", "value": 1},
    },
    {"queries": ["apple"], "k": 2, "fields": ["documents"]},
    {
        "searches": [
            {
                "filter": {"n": 1},
                "rank": {"$knn": {"query": [1, 2], "limit": 4}},
                "limit": {"limit": 2},
                "select": {"keys": ["#score", "#document"]},
            }
        ]
    },
]
SEEDS = [bytes([route]) + json.dumps(body).encode() for route in range(len(_ROUTES)) for body in _BODIES]

_loop = asyncio.Runner()
_client = chromadb.Client()
_transport = httpx.ASGITransport(create_app(_client), raise_app_exceptions=True)
_api = httpx.AsyncClient(transport=_transport, base_url="http://localhost")
atexit.register(_loop.close)


def one(data: bytes) -> None:
    route = _ROUTES[data[0] % len(_ROUTES)] if data else _ROUTES[0]
    things = _client.get_or_create_collection("things", embedding_function=None)
    path = route.path.format(tenant="default_tenant", database="default_database", collection=things.id)
    answer = _loop.run(_api.request(route.method, path, content=data[1:]))
    assert answer.status_code < 500 or answer.status_code == 501, f"{route.method} {route.path}: {answer.text}"
    if things.count() > 100 or _client.count_collections() > 20:
        _client.reset()
