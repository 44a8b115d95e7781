"""Write `chroma-0.3.29/` with the real chromadb 0.3.29, and `chroma-0.3.29.json`, what that release itself answered.

Not a test: it was run once, and is kept to show where the files come from. To run it again::

    python3.11 -m venv old
    old/bin/pip install "duckdb<1.2" "pandas<2.3" "numpy<2" chromadb==0.3.29     # needs g++ for chroma-hnswlib
    old/bin/python tests/golden/make_chroma_0_3_29.py
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.config import Settings

HERE = Path(__file__).parent
DIRECTORY = HERE / "chroma-0.3.29"
ANSWERS = HERE / "chroma-0.3.29.json"

ANIMALS: list[tuple[str | None, dict[str, Any]]] = [
    ("a cat on the mat", {"legs": 4, "kind": "mammal", "weight": 4.5}),
    ("ein Hund; drop table embeddings; --", {"legs": 4, "kind": "mammal", "weight": 30.25}),
    ("l'oiseau n'est pas là", {"legs": 2, "kind": "bird", "weight": 0.125}),
    ("貓坐在墊子上", {"legs": 4, "kind": "mammal"}),
    ("🐟 fish \"quoted\" and 'quoted'", {"legs": 0, "kind": "fish", "weight": 1e-3}),
    (None, {"legs": 8, "kind": "arachnid"}),
    ("", {"legs": 6, "kind": "insect", "weight": 0}),
    ("a line\nand another\twith a tab", {"note": "whitespace"}),
    ("ends with a backslash \\", {"kind": "", "größe": -3}),
    ("a snake", {"legs": 0, "kind": "reptile", "weight": -1.0, "large": 9007199254740993}),
    ("the tenth", {"legs": 10}),
    (None, {"kind": "nul \x00 inside"}),
]


def vectors(rows: int, dimension: int) -> list[list[float]]:
    # Doubles that are not float32: 0.3.x keeps DOUBLE[] in its files.
    table: list[list[float]] = np.random.default_rng(329).normal(size=(rows, dimension)).tolist()
    return table


def write(client: Any) -> None:
    animals = client.create_collection(
        "animals", metadata={"hnsw:space": "cosine", "topic": "zoo"}, embedding_function=None
    )
    animals.add(
        ids=[f"animal-{row}" for row in range(len(ANIMALS))],
        embeddings=vectors(len(ANIMALS), 6),
        documents=[document for document, _ in ANIMALS],
        metadatas=[metadata for _, metadata in ANIMALS],
    )
    plain = client.create_collection("plain", embedding_function=None)
    plain.add(ids=[f"p{row}" for row in range(10)], embeddings=vectors(10, 3))
    plain.delete(ids=["p4"])
    client.create_collection("empty", metadata={"hnsw:space": "ip"}, embedding_function=None)


def answers(collection: Any) -> dict[str, Any]:
    records = collection.get(include=["documents", "metadatas", "embeddings"])
    nearest = None
    if records["ids"]:
        nearest = collection.query(query_embeddings=records["embeddings"][:3], n_results=5, include=["distances"])
    return {"metadata": collection.metadata, "records": records, "nearest": nearest}


def main() -> None:
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    settings = Settings(chroma_db_impl="duckdb+parquet", persist_directory=str(DIRECTORY), anonymized_telemetry=False)
    client = chromadb.Client(settings)
    write(client)
    found = {
        name: answers(client.get_collection(name, embedding_function=None)) for name in ("animals", "plain", "empty")
    }
    client.persist()
    ANSWERS.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
