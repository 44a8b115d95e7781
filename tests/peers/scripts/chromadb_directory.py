"""Write a directory with chromadb itself and print what it answers about it, for instance::

    python tests/peers/scripts/chromadb_directory.py tests/golden/chroma-1.5.9 60 > tests/golden/chroma-1.5.9.json

Every collection has about so many records. Those two were made by it, with chromadb 1.5.9.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import chromadb
import numpy as np
from chromadb.utils.embedding_functions import DefaultEmbeddingFunction

DIMENSION = 5
METADATAS: list[Any] = [
    {"text": 'l\'été "貓"', "whole": 2**53 + 1, "real": 0.1, "true": True, "false": False, "negative": -3},
    {"whole_real": 2.0, "words": ["b", "a", ""], "wholes": [3, 1], "reals": [1.5, 2.0], "flags": [True, False]},
    None,
]
DOCUMENTS = ['a cat\'s "mat"; DROP TABLE x', "", None, "two\nlines\t貓"]


def vectors(count: int, seed: int) -> np.ndarray[Any, Any]:
    return (np.random.default_rng(seed).normal(size=(count, DIMENSION)) * 3).astype(np.float32)


def fill(collection: Any, count: int, seed: int) -> None:
    """In several batches, so that chromadb writes its files in between."""
    matrix = vectors(count, seed)
    step = max(1, count // 6)
    for start in range(0, count, step):
        rows = range(start, min(start + step, count))
        collection.add(
            ids=[f"id {row}" for row in rows],
            embeddings=matrix[start : start + step],
            documents=[DOCUMENTS[row % len(DOCUMENTS)] for row in rows],
            metadatas=[METADATAS[row % len(METADATAS)] for row in rows],
            uris=[f"file://{row}" if row % 2 else None for row in rows],
        )


def change(collection: Any, count: int) -> None:
    """Deleted, updated, deleted and added again, added twice, updated without being there."""
    collection.delete(ids=[f"id {row}" for row in range(0, count, 7)])
    collection.update(ids=["id 1"], embeddings=vectors(1, 99), documents=["a new document"])
    collection.update(ids=["id 3"], metadatas=[{"text": "new", "whole": None}])
    collection.update(ids=["id 2", "unknown"], embeddings=vectors(2, 100))
    collection.upsert(ids=["id 0", "id 3", "new"], embeddings=vectors(3, 101), documents=["again", "changed", "new"])
    collection.add(ids=["id 4"], embeddings=vectors(1, 102))
    collection.update(ids=["id 5"], metadatas=[{"wholes": [9], "words": "a text now"}])
    collection.delete(ids=["id 6"])
    collection.add(ids=["id 6"], embeddings=vectors(1, 103))


def change_late(collection: Any) -> None:
    """Few enough that they stay in the log alone, over what is in the files."""
    collection.delete(ids=["id 8"])
    collection.update(ids=["id 9", "id 8"], embeddings=vectors(2, 104))
    collection.add(ids=["id 10", "late"], embeddings=vectors(2, 105))
    collection.upsert(ids=["id 11", "later"], embeddings=vectors(2, 106), metadatas=[{"late": True}, {"late": 1}])


def answer(collection: Any) -> dict[str, Any]:
    found = collection.get(include=["embeddings", "documents", "metadatas", "uris"])
    return {
        "name": collection.name,
        "metadata": collection.metadata,
        "configuration": collection.configuration_json,
        "ids": found["ids"],
        "embeddings": [[float(value) for value in row] for row in found["embeddings"]],
        "documents": found["documents"],
        "metadatas": found["metadatas"],
        "uris": found["uris"],
    }


def made(client: Any, count: int) -> list[Any]:
    threshold = max(2, count // 3)
    collections = []
    for number, space in enumerate(("l2", "cosine", "ip")):
        collection = client.create_collection(
            f"filed-{space}",
            configuration={"hnsw": {"space": space, "sync_threshold": threshold, "batch_size": 2, "ef_search": 77}},
            metadata={"kind": space, "number": number, "real": 0.5, "yes": True},
            embedding_function=None,
        )
        fill(collection, count, number)
        change(collection, count)
        change_late(collection)
        collections.append(collection)
    logged = client.create_collection(
        "logged", configuration={"hnsw": {"sync_threshold": 10**6}}, embedding_function=None
    )
    fill(logged, count, 10)
    change(logged, count)
    named = client.create_collection("named", embedding_function=DefaultEmbeddingFunction())
    named.add(ids=["one"], embeddings=vectors(1, 11))
    legacy = client.create_collection("legacy", metadata={"hnsw:space": "cosine", "hnsw:M": 24})
    return [*collections, logged, named, legacy]


def main(directory: str, count: int) -> None:
    client = chromadb.PersistentClient(directory)
    collections = made(client, count)
    admin = chromadb.AdminClient(client.get_settings())
    admin.create_tenant("other-tenant")
    admin.create_database("other-database", "other-tenant")
    client.set_tenant("other-tenant", "other-database")
    elsewhere = client.create_collection("filed-l2", embedding_function=None)
    elsewhere.add(ids=["elsewhere"], embeddings=[[1.0, 2.0]])
    answers = {
        "default_tenant/default_database": [answer(collection) for collection in collections],
        "other-tenant/other-database": [answer(elsewhere)],
    }
    json.dump(answers, sys.stdout, ensure_ascii=True, indent=None)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
