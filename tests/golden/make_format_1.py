"""Write `format-1.zip`, stores as the first release leaves them, and `format-1.json`, what is in them.

Not a test: it was run once, with DuckDB 2.0, and is kept to show where the files come from; what a released format
looks like does not change any more. To run it: ``python tests/golden/make_format_1.py``

``closed`` was closed; ``killed`` ended without that, its last writes in DuckDB's log. Both have every kind of file
though they are small: settled vectors, texts and rows, a sketch and a graph. ``backup`` and ``export`` were made of
the first of them.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import chroma_plugin as chromadb
from chroma_plugin.testing.data import HARD_TEXTS, HARD_VALUES
from chroma_plugin.toolkit import planner, settling, upkeep

HERE = Path(__file__).parent
STORES = HERE / "format-1.zip"
ANSWERS = HERE / "format-1.json"
ROWS = 150
DIMENSION = 8


def small_ones_count() -> None:
    """As large stores, these settle their vectors and make sketches and graphs."""
    settling.SETTLE_FROM = 1  # type: ignore[misc]
    planner.SKETCH_FROM = upkeep.SKETCH_FROM = 100  # type: ignore[misc]
    upkeep.graph_from = lambda: 100


def vectors(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)


def write(client: chromadb.Client) -> None:
    kinds = list(HARD_VALUES)
    large = client.create_collection(
        "large",
        metadata={"topic": "everything", "n": 1},
        configuration={"hnsw": {"space": "cosine"}},
        embedding_function=None,
    )
    large.add(
        ids=[f"{row} {HARD_TEXTS[row % len(HARD_TEXTS)]}" for row in range(ROWS)],
        embeddings=vectors(ROWS, 1),
        documents=[None if row % 5 == 0 else HARD_TEXTS[row % len(HARD_TEXTS)] for row in range(ROWS)],
        metadatas=[None if row % 7 == 0 else {"key": HARD_VALUES[kinds[row % len(kinds)]]} for row in range(ROWS)],
        uris=[f"file://{row}" if row % 3 else None for row in range(ROWS)],
    )
    large.create_index()
    small = client.create_collection("small", embedding_function=None)
    small.add(ids=["a", "b", "c"], embeddings=vectors(3, 2), documents=["one", "two", None])
    client.create_collection("empty", configuration={"hnsw": {"space": "ip"}}, embedding_function=None)
    client.create_tenant("other-tenant")
    client.create_database("other-database", "other-tenant")
    client.set_tenant("other-tenant", "other-database")
    client.create_collection("small", embedding_function=None).add(ids=["x"], embeddings=[[0.5, -0.0, 1e-38]])
    client.set_tenant("default_tenant")


def change(client: chromadb.Client) -> None:
    """After vectors were settled: some rows are dead, some versions are in DuckDB alone."""
    large = client.get_collection("large", embedding_function=None)
    ids = large.get(include=[])["ids"]
    large.delete(ids=ids[10:14])
    large.update(ids=ids[20:22], documents=["changed", "too"], metadatas=[{"n": 3}, {"n": 4.0}])
    large.upsert(ids=[ids[30], "late"], embeddings=vectors(2, 3), documents=["replaced", "new"])
    client.get_collection("small", embedding_function=None).delete(ids=["b"])
    client.delete_collection("empty")
    client.create_collection("late", metadata={"made": "late"}, embedding_function=None)


def settled(client: chromadb.Client) -> None:
    for store in list(client._session.backend._stores.values()):  # type: ignore[attr-defined]
        store._upkeep.settle_now()


def answers(client: chromadb.Client) -> dict[str, Any]:
    """Everything that can be read, by tenant, database and name."""
    found = {}
    backend = client._session.backend
    for place in [(tenant, name) for tenant in backend.list_tenants() for name in backend.list_databases(tenant)]:
        client.set_tenant(*place)
        for collection in client.list_collections():
            found["/".join((*place, collection.name))] = answer(collection)
    client.set_tenant("default_tenant")
    return found


def answer(collection: chromadb.Collection) -> dict[str, Any]:
    records: Any = collection.get(include=["documents", "metadatas", "embeddings", "uris"])
    embeddings = records.pop("embeddings")
    nearest = None
    if len(records["ids"]):
        queries = np.random.default_rng(4).normal(size=(3, embeddings.shape[1])).astype(np.float32)
        nearest = collection.query(query_embeddings=queries, n_results=5, include=[], exact=True)["ids"]
    return {
        "id": str(collection.id),
        "metadata": collection.metadata,
        "configuration": collection.configuration_json,
        "records": {name: records[name] for name in ("ids", "documents", "metadatas", "uris")},
        "embeddings": base64.b64encode(np.ascontiguousarray(embeddings, dtype="<f4").tobytes()).decode(),
        "nearest": nearest,
    }


def closed(place: Path) -> dict[str, Any]:
    with chromadb.PersistentClient(place) as client:
        write(client)
        settled(client)
        change(client)
        client.export(place.with_name("export"))
        client.backup(place.with_name("backup"))
        return answers(client)


def killed(place: Path) -> dict[str, Any]:
    told = place.with_suffix(".json")
    if os.fork() == 0:
        client = chromadb.PersistentClient(place)
        write(client)
        settled(client)
        change(client)
        told.write_text(json.dumps(answers(client)), encoding="utf-8")
        os._exit(0)
    os.wait()
    answered: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    told.unlink()
    return answered


def main() -> None:
    small_ones_count()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        # The one that forks comes first: then nothing of the other is open.
        found = {"killed": killed(place / "killed"), "closed": closed(place / "closed")}
        shutil.make_archive(str(STORES.with_suffix("")), "zip", place)
    ANSWERS.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
