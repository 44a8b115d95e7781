"""Collections as two Parquet files, readable by DuckDB, pandas, Spark and the next release of anything.

A directory holds two files, as Chroma 0.3.x wrote them. Ours have these columns:

``chroma-collections.parquet``, one row per collection, in the order of creation
    ========================  ==========  ==========================================================
    format_version            INTEGER     1
    id                        VARCHAR     UUID
    name                      VARCHAR
    metadata                  VARCHAR     JSON object, or NULL
    configuration             VARCHAR     JSON object (distance, index parameters, embedding function)
    dimension                 INTEGER     NULL while the collection has no records
    tenant, database          VARCHAR     where it was
    ========================  ==========  ==========================================================

``chroma-embeddings.parquet``, one row per record, collection after collection, in the order of insertion
    ========================  ==========  ==========================================================
    collection_id             VARCHAR     UUID
    id                        VARCHAR
    embedding                 FLOAT[]     float32, exact
    document                  VARCHAR     or NULL
    metadata                  VARCHAR     JSON object, or NULL
    uri                       VARCHAR     or NULL
    ========================  ==========  ==========================================================

Chroma 0.3.x's own layout is read as well (`chroma_plugin.parquet.legacy`); the pickles beside it are never opened.
"""

from __future__ import annotations

from chroma_plugin.parquet.exporting import export_collections
from chroma_plugin.parquet.importing import OnConflict, import_collections
from chroma_plugin.parquet.legacy import is_legacy_directory, read_legacy
from chroma_plugin.parquet.report import TransferReport

__all__ = [
    "OnConflict",
    "TransferReport",
    "export_collections",
    "import_collections",
    "is_legacy_directory",
    "read_legacy",
]
