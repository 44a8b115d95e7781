"""Records as rows of Milvus, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.types import Field, Matrix, Metadata, Records
from chroma_plugin_milvus import pieces, tokens
from chroma_plugin_milvus.schema import LEAST_DIMENSION
from chroma_plugin_milvus.table import Row

_FIELD: Final[Mapping[Field, str]] = {
    "embeddings": "vector",
    "documents": "document",
    "metadatas": "metadata",
    "uris": "uri",
}


def columns(fields: frozenset[Field]) -> list[str]:
    """What has to be read for records with these columns."""
    return ["id", *(_FIELD[field] for field in sorted(fields))]


def written(records: Records, places: Sequence[int]) -> tuple[list[Row], int]:
    """The rows of these records, and how many bytes the largest takes, roughly.

    Every column is read here, before anything is written. Raises InvalidArgumentError for what Milvus can't hold.
    """
    assert records.embeddings is not None
    assert records.documents is not None
    assert records.metadatas is not None
    uris = records.uris if records.uris is not None else [None] * len(records)
    vectors = widened(records.embeddings)
    parts = zip(records.ids, places, vectors, records.documents, records.metadatas, uris, strict=True)
    rows = [_row(*part) for part in parts]
    return rows, vectors.shape[1] * 4 + max((_bytes(row) for row in rows), default=0)


def read(rows: Sequence[Row], fields: frozenset[Field], dimension: int) -> Records:
    """The records of these rows."""
    return Records(
        ids=[_id(row) for row in rows],
        embeddings=_vectors(rows, dimension) if "embeddings" in fields else None,
        documents=[pieces.join(row["document"]) for row in rows] if "documents" in fields else None,
        metadatas=[_metadata(row) for row in rows] if "metadatas" in fields else None,
        uris=[pieces.join(row["uri"]) for row in rows] if "uris" in fields else None,
    )


def widened(embeddings: Matrix) -> Matrix:
    """With a zero beside a single number."""
    missing = LEAST_DIMENSION - embeddings.shape[1]
    return embeddings if missing <= 0 else np.pad(embeddings, ((0, 0), (0, missing)))


def _row(id: str, place: int, vector: Any, document: str | None, metadata: Metadata | None, uri: str | None) -> Row:
    about, numbers = tokens.of(metadata)
    if len(about) > pieces.MOST:
        raise InvalidArgumentError(
            f"The metadata of {id!r} holds {len(about):,} values that can be filtered by; Milvus takes {pieces.MOST:,}."
        )
    text = None if metadata is None else orjson.dumps(metadata).decode()
    return {
        "key": tokens.key(id),
        "place": place,
        "vector": vector,
        "tokens": about,
        "numbers": numbers,
        "id": pieces.split(id, "An id"),
        "document": pieces.split(document, f"The document of {id!r}"),
        "metadata": pieces.split(text, f"The metadata of {id!r}"),
        "uri": pieces.split(uri, f"The uri of {id!r}"),
    }


def _bytes(row: Row) -> int:
    texts = sum(len(piece) for name in ("id", "document", "metadata", "uri") for piece in row[name])
    return 4 * texts + 36 * len(row["tokens"]) + 64 * len(row["numbers"]) + 64


def _id(row: Row) -> str:
    return pieces.join(row["id"]) or ""


def _vectors(rows: Sequence[Row], dimension: int) -> Matrix:
    return np.array([row["vector"] for row in rows], dtype=np.float32).reshape(len(rows), -1)[:, :dimension].copy()


def _metadata(row: Row) -> Metadata | None:
    text = pieces.join(row["metadata"])
    return None if text is None else orjson.loads(text)
