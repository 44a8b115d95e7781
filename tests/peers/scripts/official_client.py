"""Prints, as JSON, what every call of Chroma's own client answers: ``official_client.py HOST PORT sync|async``.

The same program is run against our server and against ``chroma run``, and the test compares the two outputs. It runs
in an environment that has chromadb, which is not one that has this package.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import chromadb
import numpy as np
from chromadb.api.async_client import AsyncAdminClient
from chromadb.config import Settings
from chromadb.utils.embedding_functions import register_embedding_function

Answers = dict[str, Any]


@register_embedding_function
class Letters(chromadb.EmbeddingFunction):
    """How often each of a few letters is in the text."""

    def __init__(self, letters: str = "aeio") -> None:
        self._letters = letters

    def __call__(self, input: list[str]) -> list[np.ndarray]:
        return [np.array([text.count(letter) for letter in self._letters], dtype=np.float32) for text in input]

    @staticmethod
    def name() -> str:
        return "letters"

    def get_config(self) -> dict[str, Any]:
        return {"letters": self._letters}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> Letters:
        return Letters(config["letters"])


async def settle(value: Any) -> Any:
    """The value of a sync call, or of an async one."""
    return await value if inspect.isawaitable(value) else value


async def attempt(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What the call answers, or the name of the error that it raises."""
    try:
        return plain(await settle(call(*arguments, **options)))
    except Exception as error:
        return {"raises": type(error).__name__}


def plain(value: Any) -> Any:
    """Arrays as rounded lists and everything else as JSON knows it, so that answers compare."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return round(value, 4) + 0.0
    if value == {}:
        # Metadata of no keys and no metadata are the same; Chroma's server sends now this, now that.
        return None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | bool) else type(value).__name__


METADATAS = [
    {"kind": "tree", "height": 12, "ratio": 0.5, "green": True},
    {"kind": "tree", "height": 3, "ratio": 1.5, "green": False},
    {"kind": "bush", "height": 1, "ratio": 2.0, "green": True, "tags": ["low", "wide"]},
    {"kind": "herb", "height": 0, "tags": ["edible"]},
    {"kind": "herb", "height": 1, "ratio": -1.25},
    None,
]
DOCUMENTS = ["an old oak", "a birch in winter", "box, cut low", "Basil and thyme", "50% mint_leaf", "ünïcode 木 🌳"]
EMBEDDINGS = [[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.9, 0.3], [0.0, 0.0, 1.0], [0.5, 0.5, 0.5]]
IDS = ["oak", "birch", "box", "basil", "mint", "tree"]
EVERYTHING = ["documents", "metadatas", "embeddings", "uris"]

WHERES: list[dict[str, Any]] = [
    {"kind": "tree"},
    {"kind": {"$eq": "herb"}},
    {"kind": {"$ne": "tree"}},
    {"height": {"$gt": 1}},
    {"height": {"$gte": 1}},
    {"height": {"$lt": 1}},
    {"height": {"$lte": 1}},
    {"ratio": {"$gt": 0.75}},
    {"ratio": 2},
    {"green": True},
    {"green": {"$ne": True}},
    {"kind": {"$in": ["bush", "herb"]}},
    {"kind": {"$nin": ["bush", "herb"]}},
    {"height": {"$in": [0, 12]}},
    {"tags": {"$contains": "low"}},
    {"tags": {"$not_contains": "low"}},
    {"$and": [{"kind": "herb"}, {"height": {"$gt": 0}}]},
    {"$or": [{"kind": "bush"}, {"height": {"$gt": 10}}]},
    {"$and": [{"$or": [{"kind": "tree"}, {"kind": "herb"}]}, {"height": {"$lt": 5}}]},
    {"absent": "x"},
    {"absent": {"$ne": "x"}},
]
WHERE_DOCUMENTS: list[dict[str, Any]] = [
    {"$contains": "a"},
    {"$contains": "Basil"},
    {"$contains": "%"},
    {"$contains": "_"},
    {"$contains": "木"},
    {"$not_contains": "a"},
    {"$regex": "^an? "},
    {"$regex": "(?i)BASIL"},
    {"$not_regex": "o[ak]+"},
    {"$and": [{"$contains": "a"}, {"$not_contains": "o"}]},
    {"$or": [{"$contains": "oak"}, {"$contains": "mint"}]},
]
REFUSED_WHERES: list[Any] = [{"kind": {"$like": "t"}}, {"height": {"$gt": "x"}}, {"kind": {"$in": []}}, {"$and": []}]


async def filled(client: Any, name: str, **options: Any) -> Any:
    """A new collection with the six records."""
    collection = await settle(client.create_collection(name, embedding_function=None, **options))
    await settle(
        collection.add(
            ids=IDS,
            embeddings=EMBEDDINGS,
            documents=DOCUMENTS,
            metadatas=METADATAS,
            uris=[f"file:///{id}" for id in IDS],
        )
    )
    return collection


async def handshake(client: Any, admin: Any) -> Answers:
    version = await settle(client.get_version())
    return {
        "heartbeat is in nanoseconds": await settle(client.heartbeat()) > 10**18,
        "version has three numbers": [part.isdigit() for part in version.split(".")[:3]],
        "batches of thousands": await settle(client.get_max_batch_size()) > 1_000,
        "who": await attempt(client.get_user_identity),
    }


async def collections(client: Any, admin: Any) -> Answers:
    made = await settle(client.create_collection("plants", metadata={"colour": "green", "count": 3, "wild": True}))
    answers = {
        "made": [made.name, made.metadata, made.tenant],
        "twice": await attempt(client.create_collection, "plants"),
        "get or create": (await settle(client.get_or_create_collection("plants", metadata={"x": 1}))).metadata,
        "got": (await settle(client.get_collection("plants"))).id == made.id,
        "short name": await attempt(client.create_collection, "a"),
        "bad name": await attempt(client.create_collection, "no spaces here"),
        "missing": await attempt(client.get_collection, "nothing"),
    }
    await settle(client.create_collection("others"))
    await settle(client.create_collection("yet-others"))
    listed = await settle(client.list_collections())
    answers["listed"] = sorted(each.name for each in listed)
    answers["a page"] = len(await settle(client.list_collections(limit=2, offset=2)))
    answers["counted"] = await settle(client.count_collections())
    await settle(made.modify(name="flora", metadata={"colour": "red"}))
    flora = await settle(client.get_collection("flora"))
    answers["modified"] = [flora.name, flora.metadata, flora.id == made.id]
    answers["old name"] = await attempt(client.get_collection, "plants")
    answers["name taken"] = await attempt(made.modify, name="others")
    await settle(client.delete_collection("flora"))
    answers["after deletion"] = await attempt(flora.count)
    answers["deleted twice"] = await attempt(client.delete_collection, "flora")
    return answers


async def records(client: Any, admin: Any) -> Answers:
    collection = await filled(client, "records")
    answers = {
        "count": await settle(collection.count()),
        "everything": plain(await settle(collection.get(include=EVERYTHING))),
        "some": plain(await settle(collection.get(ids=["basil"], include=EVERYTHING))),
        "unknown": plain(await settle(collection.get(ids=["nobody"]))),
        "by default": plain(await settle(collection.get(limit=2))),
        "a page": (await settle(collection.get(limit=2, offset=3)))["ids"],
        "past the end": (await settle(collection.get(limit=2, offset=30)))["ids"],
        "limit 0": (await settle(collection.get(limit=0)))["ids"],
        "peek": plain(await settle(collection.peek(limit=3))),
    }
    await settle(collection.add(ids=["oak", "elm"], embeddings=[[9, 9, 9], [2, 2, 2]], documents=["new", "elm"]))
    answers["known ids stay"] = plain(await settle(collection.get(ids=["oak", "elm"], include=EVERYTHING)))
    await settle(collection.update(ids=["oak", "ghost"], metadatas=[{"height": None, "age": 300}, {"a": 1}]))
    answers["metadata merges"] = plain(await settle(collection.get(ids=["oak"], include=EVERYTHING)))
    await settle(collection.update(ids=["birch"], embeddings=[[0.25, 0.5, 1]], documents=["a new birch"], uris=["u:b"]))
    answers["all replaced"] = plain(await settle(collection.get(ids=["birch"], include=EVERYTHING)))
    await settle(
        collection.upsert(
            ids=["oak", "ash"], embeddings=[[3, 3, 3], [4, 4, 4]], metadatas=[{"x": 1}, {"y": 2}], documents=["O", "A"]
        )
    )
    answers["upserted"] = plain(await settle(collection.get(ids=["oak", "ash"], include=EVERYTHING)))
    answers["deleted"] = [
        await attempt(collection.delete, ids=["oak", "ash"]),
        await attempt(collection.delete, where={"kind": "herb"}),
        await attempt(collection.delete, where_document={"$contains": "box"}),
        await attempt(collection.delete),
    ]
    answers["left"] = (await settle(collection.get()))["ids"]
    return answers


async def queries(client: Any, admin: Any) -> Answers:
    answers: Answers = {}
    for space in ("l2", "cosine", "ip"):
        collection = await filled(client, f"space-{space}", configuration={"hnsw": {"space": space}})
        answers[space] = await attempt(collection.query, query_embeddings=[[1, 0.2, 0.1], [0.1, 0.2, 1]], n_results=3)
    collection = await filled(client, "queries")
    near = [[0.3, 0.8, 0.05]]
    asked: dict[str, dict[str, Any]] = {
        "where": {"where": {"kind": "tree"}},
        "where_document": {"where_document": {"$contains": "a"}},
        "both": {"where": {"height": {"$gt": 0}}, "where_document": {"$not_contains": "oak"}},
        "ids": {"ids": ["mint", "oak"]},
        "none match": {"where": {"kind": "stone"}},
        "more than there are": {"n_results": 50},
        "include all": {"include": [*EVERYTHING, "distances"], "n_results": 2},
        "include nothing": {"include": [], "n_results": 2},
    }
    for what, arguments in asked.items():
        answers[what] = await attempt(collection.query, query_embeddings=near, **arguments)
    answers["numpy"] = await attempt(collection.query, query_embeddings=np.array(near), n_results=1)
    answers["wrong dimension"] = await attempt(collection.query, query_embeddings=[[1, 2]])
    answers["zero results"] = await attempt(collection.query, query_embeddings=near, n_results=0)
    empty = await settle(client.create_collection("empty"))
    answers["empty collection"] = await attempt(empty.query, query_embeddings=near)
    return answers


async def filters(client: Any, admin: Any) -> Answers:
    collection = await filled(client, "filters")
    answers: Answers = {}
    for where in [*WHERES, *REFUSED_WHERES]:
        answers[f"where {json.dumps(where)}"] = await attempt(collection.get, where=where, include=[])
    for where in WHERE_DOCUMENTS:
        found = await attempt(collection.get, where_document=where, include=[])
        answers[f"where_document {json.dumps(where)}"] = found
    return answers


async def configuration(client: Any, admin: Any) -> Answers:
    wanted = {"hnsw": {"space": "cosine", "ef_construction": 120, "max_neighbors": 24, "ef_search": 50}}
    collection = await settle(client.create_collection("configured", configuration=wanted))
    got = await settle(client.get_collection("configured"))
    await settle(got.modify(configuration={"hnsw": {"ef_search": 77}}))
    modified = await settle(client.get_collection("configured"))
    keys = ("space", "ef_construction", "max_neighbors", "ef_search")
    legacy = await settle(client.create_collection("legacy", metadata={"hnsw:space": "ip", "hnsw:M": 20}))
    letters = await settle(client.create_collection("letters", embedding_function=Letters("abc")))
    await settle(letters.add(ids=["1", "2", "3"], documents=["aab", "bbc", "ccc"]))
    again = await settle(client.get_collection("letters"))
    return {
        "as given": {key: collection.configuration_json["hnsw"][key] for key in keys},
        "as kept": {key: got.configuration_json["hnsw"][key] for key in keys},
        "as modified": {key: modified.configuration_json["hnsw"][key] for key in keys},
        "from the metadata": [legacy.configuration_json["hnsw"][key] for key in ("space", "max_neighbors")],
        "unknown space": await attempt(client.create_collection, "odd", configuration={"hnsw": {"space": "manhattan"}}),
        "space changed by metadata": await attempt(got.modify, metadata={"hnsw:space": "l2"}),
        "embedding function kept": again.configuration_json["embedding_function"],
        "embedding function used": await attempt(again.query, query_texts=["cc"], n_results=2),
        "another function": await attempt(client.get_collection, "configured", embedding_function=Letters("xyz")),
    }


async def tenants(client: Any, admin: Any) -> Answers:
    home = client.database
    answers: Answers = {
        "tenant": await attempt(admin.create_tenant, "acme"),
        "tenant twice": await attempt(admin.create_tenant, "acme"),
        "tenant again": await attempt(admin.get_tenant, "acme"),
        "no tenant": await attempt(admin.get_tenant, "nobody"),
        "database": await attempt(admin.create_database, "sales", tenant="acme"),
        "database twice": await attempt(admin.create_database, "sales", tenant="acme"),
        "no database": await attempt(admin.get_database, "nothing", tenant="acme"),
    }
    await settle(admin.create_database("stock", tenant="acme"))
    got = await settle(admin.get_database("sales", tenant="acme"))
    answers["database again"] = [got["name"], got["tenant"]]
    answers["databases"] = sorted(each["name"] for each in await settle(admin.list_databases(tenant="acme")))
    answers["a page"] = len(await settle(admin.list_databases(limit=1, offset=1, tenant="acme")))

    await settle(client.set_tenant("acme", "sales"))
    await settle((await settle(client.create_collection("shared"))).add(ids=["s"], embeddings=[[1, 2]]))
    await settle(client.set_database("stock"))
    other = await settle(client.create_collection("shared"))
    answers["apart"] = [await settle(other.count()), other.tenant, other.database]
    answers["unknown database"] = await attempt(client.set_database, "missing")
    answers["deleted"] = await attempt(admin.delete_database, "stock", tenant="acme")
    answers["deleted twice"] = await attempt(admin.delete_database, "stock", tenant="acme")
    answers["its collection"] = await attempt(other.count)
    await settle(client.set_tenant("default_tenant", home))
    answers["home"] = [each.name for each in await settle(client.list_collections())]
    return answers


async def wrong(client: Any, admin: Any) -> Answers:
    collection = await filled(client, "wrong")
    tries: dict[str, Callable[[], Any]] = {
        "other dimension": lambda: collection.add(ids=["x"], embeddings=[[1, 2]]),
        "other dimension in update": lambda: collection.update(ids=["oak"], embeddings=[[1, 2]]),
        "an id twice": lambda: collection.add(ids=["x", "x"], embeddings=[[1, 2, 3]] * 2),
        "lengths differ": lambda: collection.add(ids=["x", "y"], embeddings=[[1, 2, 3]]),
        "not a number": lambda: collection.add(ids=["x"], embeddings=[[1, 2, float("nan")]]),
        "an empty id": lambda: collection.add(ids=[""], embeddings=[[1, 2, 3]]),
        "a reserved key": lambda: collection.add(ids=["x"], embeddings=[[1, 2, 3]], metadatas=[{"$x": 1}]),
        "no rows": lambda: collection.add(ids=[], embeddings=[]),
        "negative results": lambda: collection.query(query_embeddings=[[1, 2, 3]], n_results=-1),
    }
    answers = {what: await attempt(call) for what, call in tries.items()}
    answers["nothing changed"] = await settle(collection.count())
    return answers


async def sizes(client: Any, admin: Any) -> Answers:
    collection = await settle(client.create_collection("sizes"))
    count = 3_000
    vectors = np.random.default_rng(0).standard_normal((count, 32)).astype(np.float32)
    await settle(collection.add(ids=[f"{n}" for n in range(count)], embeddings=vectors, documents=["x" * 50] * count))
    back = await settle(collection.get(include=["embeddings"]))
    found = await settle(collection.query(query_embeddings=vectors[:200], n_results=1))
    await settle(collection.upsert(ids=["long"], embeddings=vectors[:1], documents=["木" * 1_000_000]))
    long = await settle(collection.get(ids=["long"]))
    too_many = await settle(client.get_max_batch_size()) + 1
    return {
        "count": await settle(collection.count()),
        "bit for bit": bool(np.array_equal(np.asarray(back["embeddings"], dtype=np.float32), vectors)),
        "each is its own nearest": [ids[0] for ids in found["ids"]] == [f"{n}" for n in range(200)],
        "a long document": len(long["documents"][0]),
        "more than a batch": await attempt(
            collection.add, ids=[f"m{n}" for n in range(too_many)], embeddings=[[0.0] * 32] * too_many
        ),
    }


STEPS: list[Callable[[Any, Any], Awaitable[Answers]]] = [
    handshake,
    collections,
    records,
    queries,
    filters,
    configuration,
    tenants,
    wrong,
    sizes,
]


async def main(host: str, port: int, mode: str) -> None:
    # Its own HttpClient, and the administrator's client of the same kind.
    kind = "async_fastapi.AsyncFastAPI" if mode == "async" else "fastapi.FastAPI"
    settings = Settings(chroma_api_impl=f"chromadb.api.{kind}", chroma_server_host=host, chroma_server_http_port=port)
    if mode == "async":
        client: Any = await chromadb.AsyncHttpClient(host=host, port=port)
        admin: Any = AsyncAdminClient(settings)
    else:
        client, admin = chromadb.HttpClient(host=host, port=port), chromadb.AdminClient(settings)
    answers: Answers = {}
    for step in STEPS:
        # A database each, so that no step sees what another left.
        await settle(admin.create_database(f"step-{step.__name__}"))
        await settle(client.set_database(f"step-{step.__name__}"))
        answers[step.__name__] = await step(client, admin)
    print(json.dumps(answers, ensure_ascii=True))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
