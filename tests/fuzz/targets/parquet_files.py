"""Two Parquet files, one of them changed at will: an error of ours, or what they say."""

from __future__ import annotations

from fuzz.scratch import folder

import chroma_plugin as chromadb
from chroma_plugin.errors import ChromaError
from chroma_plugin.parquet.layout import COLLECTIONS_FILE, RECORDS_FILE
from chroma_plugin.parquet.reading import ParquetDirectory

_folder, _export = folder(), folder() / "export"
with chromadb.Client() as _client:
    _things = _client.create_collection("things", embedding_function=None, metadata={"k": 1})
    _things.add(
        ids=["a", "b"], embeddings=[[1, 2], [3, 4]], documents=["one", None], metadatas=[{"n": [1, None]}, None]
    )
    _client.export(_export)
_WHOLE = {name: (_export / name).read_bytes() for name in (COLLECTIONS_FILE, RECORDS_FILE)}
SEEDS = [b"c" + _WHOLE[COLLECTIONS_FILE], b"r" + _WHOLE[RECORDS_FILE]]


def one(data: bytes) -> None:
    changed = COLLECTIONS_FILE if data[:1] == b"c" else RECORDS_FILE
    for name, whole in _WHOLE.items():
        (_folder / name).write_bytes(data[1:] if name == changed else whole)
    try:
        directory = ParquetDirectory(_folder)
        for part in directory.parts:
            for _ in directory.records(part):
                pass
    except ChromaError:
        pass
