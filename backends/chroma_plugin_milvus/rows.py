"""Records as columns of Milvus, and back from its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import orjson

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.types import Field, Matrix, Metadata, Records
from chroma_plugin_milvus import pieces, tokens
from chroma_plugin_milvus.schema import LEAST_DIMENSION, TEXTS
from chroma_plugin_milvus.table import Columns, Row

_FIELD: Final[Mapping[Field, str]] = {
    "embeddings": "vector",
    "documents": "document",
    "metadatas": "metadata",
    "uris": "rest",
}


def columns(fields: frozenset[Field]) -> list[str]:
    """What has to be read for records with these columns, besides the key, and ``rest`` where `missed` says so."""
    return [_FIELD[field] for field in sorted(fields)]


def missed(rows: Sequence[Row], fields: frozenset[Field]) -> frozenset[str]:
    """What else has to be read of these rows: in most collections nothing."""
    texts = [name for name in columns(fields) if name in TEXTS]
    goes_on = any(tokens.is_hashed(row["key"]) for row in rows) or pieces.goes_on(rows, texts)
    return frozenset(("rest",)) if goes_on else frozenset()


def written(records: Records, places: Sequence[int]) -> Columns:
    """These records as columns. Every column is read here, before anything is written.

    Raises InvalidArgumentError for what Milvus can't hold.
    """
    assert records.embeddings is not None
    assert records.documents is not None
    assert records.metadatas is not None
    about: list[list[str]] = []
    numbers: list[str] = []
    for id, metadata in zip(records.ids, records.metadatas, strict=True):
        of_record, ordered = _filtered(id, metadata)
        about.append(of_record)
        # As text: of a dict pymilvus makes a copy, value by value, and a thousand of them wake the garbage collector.
        numbers.append(orjson.dumps(ordered).decode())
    keys = [tokens.key(id) for id in records.ids]
    texts = {
        "document": records.documents,
        "metadata": [None if metadata is None else orjson.dumps(metadata).decode() for metadata in records.metadatas],
    }
    others = {
        "id": [id if tokens.is_hashed(key) else None for id, key in zip(records.ids, keys, strict=True)],
        "uri": records.uris or (),
    }
    return {
        "key": keys,
        "place": list(places),
        "vector": widened(records.embeddings).tolist(),
        "tokens": about,
        "numbers": numbers,
        **pieces.cut(texts, others),
    }


def read(rows: Sequence[Row], fields: frozenset[Field], dimension: int) -> Records:
    """The records of these rows."""
    return Records(
        ids=[_id(row) for row in rows],
        embeddings=_vectors(rows, dimension) if "embeddings" in fields else None,
        documents=pieces.whole(rows, "document") if "documents" in fields else None,
        metadatas=_metadatas(rows) if "metadatas" in fields else None,
        uris=[pieces.other(row, "uri") for row in rows] if "uris" in fields else None,
    )


def _id(row: Row) -> str:
    key: str = row["key"]
    return pieces.other(row, "id") or key if tokens.is_hashed(key) else key


def widened(embeddings: Matrix) -> Matrix:
    """With a zero beside a single number."""
    missing = LEAST_DIMENSION - embeddings.shape[1]
    return embeddings if missing <= 0 else np.pad(embeddings, ((0, 0), (0, missing)))


def _filtered(id: str, metadata: Metadata | None) -> tuple[list[str], dict[str, float]]:
    about, numbers = tokens.of(metadata)
    if len(about) > pieces.MOST:
        raise InvalidArgumentError(
            f"The metadata of {id!r} holds {len(about):,} values that can be filtered by; Milvus takes {pieces.MOST:,}."
        )
    return about, numbers


def _vectors(rows: Sequence[Row], dimension: int) -> Matrix:
    if not rows:
        return np.empty((0, dimension), dtype=np.float32)
    return np.array([row["vector"] for row in rows], dtype=np.float32)[:, :dimension].copy()


def _metadatas(rows: Sequence[Row]) -> list[Metadata | None]:
    return [None if text is None else orjson.loads(text) for text in pieces.whole(rows, "metadata")]
