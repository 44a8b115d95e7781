"""Documents as records of the collection, and back, whole."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from haystack import Document
from haystack.dataclasses import ByteStream, SparseEmbedding

from chroma_plugin.errors import InvalidArgumentError, InvalidDimensionError
from chroma_plugin_haystack import keys
from chroma_plugin_haystack.values import meta_of, stored_meta

Doubles = npt.NDArray[np.float64]


def given_dimension(documents: Sequence[Document]) -> int | None:
    """The length of their embeddings; None when none has one. Raises InvalidDimensionError for several lengths."""
    lengths = {len(document.embedding): document for document in documents if document.embedding}
    if len(lengths) > 1:
        (one, first), (other, second) = list(lengths.items())[:2]
        raise InvalidDimensionError(
            f"All embeddings must have one length, but that of document {first.id!r} has {one} numbers and that of "
            f"{second.id!r} has {other}."
        )
    return next(iter(lengths), None)


def columns(documents: Sequence[Document], dimension: int, *, exact: bool) -> dict[str, Any]:
    """The arguments of a write. A document without an embedding gets zeros and a mark; ``exact`` keeps what float32
    would lose.
    """
    embedded = [row for row, document in enumerate(documents) if document.embedding]
    given = np.array([documents[row].embedding for row in embedded], dtype=np.float64).reshape(-1, dimension)
    with np.errstate(over="ignore"):  # what is too large for float32 is refused by the collection
        rounded = given.astype(np.float32)
    matrix = np.zeros((len(documents), dimension), dtype=np.float32)
    matrix[embedded] = rounded
    lost = (rounded != given).any(axis=1) if exact else np.zeros(len(embedded), dtype=np.bool_)
    precise = {row: given[place] for place, row in enumerate(embedded) if lost[place]}
    return {
        "ids": [document.id for document in documents],
        "embeddings": matrix,
        "documents": [document.content for document in documents],
        "metadatas": [_metadata(document, precise.get(row)) for row, document in enumerate(documents)],
    }


def _metadata(document: Document, precise: Doubles | None) -> dict[str, Any] | None:
    metadata = stored_meta(document.meta)
    if not document.embedding:
        metadata[keys.NO_EMBEDDING] = True
    if precise is not None:
        metadata[keys.EMBEDDING] = _text(precise.astype("<f8").tobytes())
    if document.score is not None:
        metadata[keys.SCORE] = float(document.score)
    if document.sparse_embedding is not None:
        metadata[keys.SPARSE] = _json(document, "sparse_embedding", document.sparse_embedding.to_dict())
    if document.blob is not None:
        metadata[keys.BLOB] = _json(document, "blob", _described(document.blob))
    return metadata or None


def _described(blob: ByteStream) -> dict[str, Any]:
    return {"data": _text(blob.data), "meta": stored_meta(blob.meta), "mime_type": blob.mime_type}


def _json(document: Document, field: str, value: dict[str, Any]) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"The {field} of document {document.id!r} can't be kept: {error}.") from error


def documents_of(
    ids: Sequence[str],
    texts: Sequence[str | None],
    metadatas: Sequence[Mapping[str, Any] | None],
    embeddings: npt.NDArray[np.float32] | None = None,
    scores: Sequence[float] | None = None,
) -> list[Document]:
    """The documents of these records. Without embeddings they have none; scores take the place of theirs."""
    vectors: Iterator[Any] = iter([None] * len(ids)) if embeddings is None else iter(embeddings)
    new_scores = iter([None] * len(ids)) if scores is None else iter(scores)
    return [
        _document(id, text, metadata or {}, vector, score)
        for id, text, metadata, vector, score in zip(ids, texts, metadatas, vectors, new_scores, strict=True)
    ]


def _document(id: str, text: str | None, metadata: Mapping[str, Any], vector: Any, score: float | None) -> Document:
    sparse = metadata.get(keys.SPARSE)
    return Document(
        id=id,
        content=text,
        blob=_blob(metadata),
        meta=meta_of(metadata),
        score=metadata.get(keys.SCORE) if score is None else score,
        embedding=None if vector is None else _embedding(vector, metadata),
        sparse_embedding=None if sparse is None else SparseEmbedding.from_dict(json.loads(sparse)),
    )


def _blob(metadata: Mapping[str, Any]) -> ByteStream | None:
    if keys.BLOB not in metadata:
        return None
    described = json.loads(metadata[keys.BLOB])
    data, meta = base64.b64decode(described["data"]), meta_of(described["meta"])
    return ByteStream(data, meta=meta, mime_type=described["mime_type"])


def _embedding(vector: npt.NDArray[np.float32], metadata: Mapping[str, Any]) -> list[float] | None:
    if metadata.get(keys.NO_EMBEDDING) is True:
        return None
    if keys.EMBEDDING in metadata:
        vector = np.frombuffer(base64.b64decode(metadata[keys.EMBEDDING]), dtype="<f8")
    numbers: list[float] = vector.tolist()
    return numbers


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
