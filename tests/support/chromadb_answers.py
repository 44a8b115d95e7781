"""What chromadb answered about a directory, compared with what is read from that directory here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chroma_plugin import Client

COLUMNS = ("documents", "uris")


def check(client: Client, answers: Mapping[str, Any]) -> None:
    """Everything in every database: ids in order, values with their types, vectors to the last bit but one."""
    for place, collections in answers.items():
        client.set_tenant(*place.split("/"))
        assert [found.name for found in client.list_collections()] == [answer["name"] for answer in collections]
        for answer in collections:
            check_collection(client, answer)


def check_collection(client: Client, answer: Mapping[str, Any]) -> None:
    collection = client.get_collection(answer["name"])
    found: Any = collection.get(include=["embeddings", "documents", "metadatas", "uris"])
    assert found["ids"] == answer["ids"]
    assert [found[column] for column in COLUMNS] == [answer[column] for column in COLUMNS]
    typed = [{key: typed_value(value) for key, value in (row or {}).items()} for row in found["metadatas"]]
    assert typed == [{key: typed_value(value) for key, value in (row or {}).items()} for row in answer["metadatas"]]
    # Of a cosine index the files have direction and length; chromadb multiplies them, and so do we.
    if answer["ids"]:
        theirs = np.array(answer["embeddings"], dtype=np.float32)
        np.testing.assert_allclose(np.asarray(found["embeddings"]), theirs, rtol=3e-7, atol=0)
    assert (collection.metadata or None) == (answer["metadata"] or None)
    check_configuration(collection.configuration_json, answer["configuration"])


def check_configuration(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    assert {key: mine["hnsw"][key] for key in theirs["hnsw"]} == theirs["hnsw"]
    assert mine["embedding_function"] == theirs["embedding_function"]


def typed_value(value: Any) -> Any:
    """1, 1.0 and True are three values."""
    return [typed_value(item) for item in value] if isinstance(value, list) else (type(value).__name__, value)


def files(directory: Path) -> dict[str, bytes]:
    """Every file under a directory, to see that none was changed."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
