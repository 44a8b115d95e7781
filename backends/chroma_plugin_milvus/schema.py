"""The Milvus collections that hold our catalog and records."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from pymilvus import CollectionSchema, DataType, MilvusClient
from pymilvus.milvus_client.index import IndexParams

from chroma_plugin.types import CollectionInfo, Metric
from chroma_plugin_milvus import pieces
from chroma_plugin_milvus.options import MilvusOptions, is_lite

TEXTS: Final = ("document", "metadata")

METRIC: Final = {Metric.L2: "L2", Metric.COSINE: "COSINE", Metric.IP: "IP"}

LEAST_DIMENSION: Final = 2
"""Of a Milvus vector; one number gets a zero beside it, which changes none of the three distances."""
MOST_DIMENSION: Final = 32_768


@lru_cache
def records(dimension: int) -> CollectionSchema:
    """``place`` is the order of insertion; `chroma_plugin_milvus.tokens` says what ``key``, ``tokens`` and ``numbers``
    are, `chroma_plugin_milvus.pieces` how texts are kept. No more columns than are needed: Milvus Lite reads them all.
    """
    schema = _keyed()
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=max(dimension, LEAST_DIMENSION))
    schema.add_field("tokens", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=pieces.MOST, max_length=32)
    schema.add_field("numbers", DataType.JSON)
    for name in TEXTS:
        schema.add_field(name, DataType.VARCHAR, max_length=pieces.PIECE_BYTES, nullable=True)
    _add_pieces(schema, "rest", nullable=True)
    return schema


@lru_cache
def catalog() -> CollectionSchema:
    """One JSON text per tenant, database and collection. Milvus wants a vector in every collection."""
    schema = _keyed()
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=LEAST_DIMENSION)
    _add_pieces(schema, "entry")
    return schema


def record_index(options: MilvusOptions, info: CollectionInfo) -> IndexParams:
    """The index that the options and the collection's configuration ask for."""
    params: dict[str, Any] = {}
    if options.index_type == "HNSW":
        hnsw = info.configuration.get("hnsw", {})
        params = {"M": hnsw.get("max_neighbors", 16), "efConstruction": hnsw.get("ef_construction", 100)}
    index = _index(options.index_type, METRIC[info.metric], {**params, **options.index_params})
    if not is_lite(options.uri):  # it has none for arrays
        index.add_index("tokens", index_type="INVERTED")
    return index


def catalog_index() -> IndexParams:
    return _index("FLAT", "L2", {})


def _keyed() -> CollectionSchema:
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=256)
    schema.add_field("place", DataType.INT64)
    return schema


def _add_pieces(schema: CollectionSchema, name: str, *, nullable: bool = False) -> None:
    schema.add_field(
        name,
        DataType.ARRAY,
        element_type=DataType.VARCHAR,
        max_capacity=pieces.MOST,
        max_length=pieces.PIECE_BYTES,
        nullable=nullable,
    )


def _index(kind: str, metric: str, params: dict[str, Any]) -> IndexParams:
    index = MilvusClient.prepare_index_params()
    index.add_index("vector", index_type=kind, metric_type=metric, params=params)
    return index
