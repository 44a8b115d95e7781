"""What the kit's tests write and compare: records, hard values, and a form in which 1, 1.0 and True differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import numpy as np

from chroma_plugin.backend import CollectionStore
from chroma_plugin.types import CollectionInfo, Matrix, Metadata, Metric, Records, Scan, concatenate

DIMENSION: Final = 4

HARD_TEXTS: Final = (
    "plain",
    "",
    " spaces at both ends ",
    'it\'s "quoted" and `ticked`',
    "'; DROP TABLE records; --",
    "%_*?[a-z]\\",
    "NUL \x00 inside",
    "line\nbreaks\r\nand\ttabs",
    "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "いろはにほへと ちりぬるを",
    "нам шлёт ящик фигни",
    "عربي من اليمين إلى اليسار",
    "👩‍👩‍👧‍👦 🏳️‍🌈 𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "e\u0301 is not \u00e9",
    "null",
    '{"json": [1, 2]}',
    "../../etc/passwd",
)
"""Texts that storage engines are known to trip over."""

HARD_VALUES: Final[Mapping[str, Any]] = {
    "none": None,
    "true": True,
    "false": False,
    "zero": 0,
    "one": 1,
    "one as a float": 1.0,
    "the largest integer": 2**63 - 1,
    "the smallest integer": -(2**63),
    "2**53 + 1": 2**53 + 1,
    "2**53 as a float": float(2**53),
    "minus zero": -0.0,
    "a tenth": 0.1,
    "the largest float": 1.7976931348623157e308,
    "the smallest float": 5e-324,
    "a third": 1 / 3,
    "the empty string": "",
    "a number as a string": "1",
    "an empty list": [],
    "a mixed list": [1, 1.0, True, "1", None],
    "nested lists": [[1, [2.0]], [], [[True]]],
    "an empty dict": {},
    "nested dicts": {"a": {"b": {"c": [1, {"d": -0.0}]}}, "": None},
}
"""One metadata value of every kind that `chroma_plugin.types.Metadata` allows."""


def collection(name: str = "things", metric: Metric = Metric.L2, dimension: int | None = DIMENSION) -> CollectionInfo:
    """A new collection, as the core describes it to a backend."""
    configuration = {"hnsw": {"space": metric.value}, "embedding_function": None}
    return CollectionInfo(
        id=uuid4(), name=name, metadata={"made by": "the kit"}, configuration=configuration, dimension=dimension
    )


def records(
    ids: Sequence[str],
    embeddings: Matrix | None = None,
    documents: Sequence[str | None] | None = None,
    metadatas: Sequence[Metadata | None] | None = None,
    uris: Sequence[str | None] | None = None,
) -> Records:
    """Records with a value in every column; what is not given is made from the ids."""
    return Records(
        ids=list(ids),
        embeddings=vectors(len(ids)) if embeddings is None else embeddings,
        documents=[f"about {id}" for id in ids] if documents is None else documents,
        metadatas=[{"name": id, "row": row} for row, id in enumerate(ids)] if metadatas is None else metadatas,
        uris=uris,
    )


def numbered(count: int, dimension: int = DIMENSION) -> Records:
    """Records ``r0`` to ``r{count-1}`` with random embeddings, and metadata like ``{"row": 3, "even": False}``."""
    ids = [f"r{row}" for row in range(count)]
    metadatas = [{"row": row, "even": row % 2 == 0} for row in range(count)]
    return records(ids, embeddings=vectors(count, dimension), metadatas=metadatas)


def vectors(count: int, dimension: int = DIMENSION, seed: int = 7) -> Matrix:
    """The same random embeddings on every call: float32, shape (count, dimension)."""
    return np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)


def whole_vectors(rows: Sequence[Sequence[int]]) -> Matrix:
    """Embeddings of small whole numbers, whose l2 and ip distances every order of summing gives exactly."""
    return np.array(rows, dtype=np.float32)


def read(store: CollectionStore, request: Scan | None = None) -> Records:
    """Everything that one scan gives."""
    return concatenate([batch for batch in store.scan(request or Scan()) if len(batch)])


def ids_of(store: CollectionStore, request: Scan | None = None) -> list[str]:
    """The ids that one scan gives, in its order."""
    return list(read(store, request).ids)


def exactly(value: Any) -> Any:
    """A comparable form of a value that keeps apart what ``==`` mixes: 1, 1.0 and True; 0.0 and -0.0."""
    if isinstance(value, Mapping):
        return {"dict": {key: exactly(item) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [exactly(item) for item in value]}
    if isinstance(value, float):
        return ("float", value.hex()) if type(value) is float else (type(value).__name__, repr(value))
    return (type(value).__name__, value)


def contents(found: Records) -> list[tuple[Any, ...]]:
    """Every record as (id, bytes of the embedding, document, exact metadata, uri), in the order they came."""
    if not len(found):
        return []
    embeddings: Matrix = _filled(found, "embeddings")
    assert embeddings.dtype == np.float32, f"`scan` gave embeddings as {embeddings.dtype}; the contract says float32."
    documents, metadatas = _filled(found, "documents"), _filled(found, "metadatas")
    uris = found.uris or [None] * len(found)
    rows = zip(found.ids, embeddings, documents, metadatas, uris, strict=True)
    return [(id, row.tobytes(), document, exactly(metadata), uri) for id, row, document, metadata, uri in rows]


def _filled(found: Records, name: str) -> Any:
    column = getattr(found, name)
    assert column is not None, f"`scan` was asked for {name} and left the column None."
    return column
