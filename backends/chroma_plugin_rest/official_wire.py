"""Records and collections in Chroma's own JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np

from chroma_plugin.types import CollectionInfo, Field, Matrix, Records
from chroma_plugin_rest.answers import decoding
from chroma_plugin_rest.wire import packed

HNSW_KEYS: Final = frozenset(
    ("space", "ef_construction", "max_neighbors", "ef_search", "num_threads", "batch_size", "sync_threshold")
) | {"resize_factor"}
CHANGEABLE: Final = ("ef_search", "num_threads", "batch_size", "sync_threshold", "resize_factor")
_LEGACY: Final = {"type": "legacy"}


def columns_out(records: Records) -> dict[str, Any]:
    """The body of an add, an upsert or an update; columns that are None are left alone."""
    matrix = records.embeddings
    return {
        "ids": list(records.ids),
        "embeddings": None if matrix is None else [packed(row) for row in matrix],
        "documents": _listed(records.documents),
        "metadatas": _listed(records.metadatas),
        "uris": _listed(records.uris),
    }


@decoding
def columns_in(value: Mapping[str, Any], fields: frozenset[Field], dimension: int | None) -> Records:
    """The answer to a get."""
    ids = value["ids"]
    return _columns(ids, value, fields, dimension, row=None)


@decoding
def hits_in(
    value: Mapping[str, Any], fields: frozenset[Field], dimension: int
) -> list[tuple[Records, np.ndarray[Any, np.dtype[np.float32]]]]:
    """The answer to a query: for each its records and distances."""
    return [
        (_columns(ids, value, fields, dimension, row=row), np.array(value["distances"][row], dtype=np.float32))
        for row, ids in enumerate(value["ids"])
    ]


def configuration_out(configuration: Mapping[str, Any]) -> dict[str, Any]:
    hnsw = {name: value for name, value in (configuration.get("hnsw") or {}).items() if name in HNSW_KEYS}
    function = configuration.get("embedding_function")
    return {"hnsw": hnsw, "spann": None, "embedding_function": _LEGACY if function is None else function}


@decoding
def info_in(value: Mapping[str, Any]) -> CollectionInfo:
    return CollectionInfo(
        id=UUID(value["id"]),
        name=value["name"],
        metadata=value.get("metadata"),
        configuration=_configuration_in(value.get("configuration_json") or {}),
        dimension=value.get("dimension"),
        tenant=value["tenant"],
        database=value["database"],
    )


def _configuration_in(value: Mapping[str, Any]) -> dict[str, Any]:
    spann = value.get("spann")
    # A collection with a SPANN index has no hnsw section, but it has a space.
    hnsw = value.get("hnsw") or {"space": (spann or {}).get("space", "l2")}
    return {"hnsw": hnsw, "spann": spann, "embedding_function": value.get("embedding_function")}


def _columns(
    ids: Sequence[str], value: Mapping[str, Any], fields: frozenset[Field], dimension: int | None, row: int | None
) -> Records:
    def column(name: Field) -> list[Any] | None:
        if name not in fields:
            return None
        found = value.get(name)
        if found is not None and row is not None:
            found = found[row]
        return [None] * len(ids) if found is None else list(found)

    return Records(
        ids=list(ids),
        embeddings=_matrix(column("embeddings"), dimension),
        documents=column("documents"),
        metadatas=_metadatas(column("metadatas")),
        uris=column("uris"),
    )


def _metadatas(column: list[Any] | None) -> list[Any] | None:
    """A record whose last key was taken away has an empty object there."""
    return None if column is None else [metadata or None for metadata in column]


def _matrix(rows: list[Any] | None, dimension: int | None) -> Matrix | None:
    if rows is None:
        return None
    if not rows:
        return np.zeros((0, dimension or 0), dtype=np.float32)
    # A float32 becomes text and a float64 on the way, both exactly.
    return np.array(rows, dtype=np.float64).astype(np.float32)


def _listed(column: Sequence[Any] | None) -> list[Any] | None:
    return None if column is None else list(column)
