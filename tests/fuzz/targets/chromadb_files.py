"""What chromadb left in a directory, changed at will: CorruptionError, and nothing of it runs."""

from __future__ import annotations

import pickle

from chroma_plugin_chromadb import labels, vector_files
from fuzz.scratch import folder

from chroma_plugin.errors import CorruptionError
from chroma_plugin.types import Metric

_folder = folder()
_TABLE = {
    "dimensionality": 2,
    "total_elements_added": 2,
    "max_seq_id": 5,
    "id_to_label": {"a": 1, "b": 2},
    "id_to_seq_id": {},
}
_HEADER = vector_files._HEADER.pack(1, 0, 100, 2, 4 + 8 + 8, 12, 4, 0, 0, 16, 16, 32, 0.5, 100)
SEEDS = [b"p" + pickle.dumps(_TABLE, protocol) for protocol in range(6)] + [b"h" + _HEADER, b"v" + bytes(40)]


def one(data: bytes) -> None:
    (_folder / "index_metadata.pickle").write_bytes(data[1:] if data[:1] == b"p" else pickle.dumps(_TABLE))
    (_folder / "header.bin").write_bytes(data[1:] if data[:1] == b"h" else _HEADER)
    (_folder / "data_level0.bin").write_bytes(data[1:] if data[:1] == b"v" else bytes(40))
    (_folder / "length.bin").write_bytes(bytes(8))
    try:
        found = labels.read(_folder / "index_metadata.pickle")
        vector_files.VectorFiles(_folder, 2, Metric.COSINE).take(list(found.of_id.values()))
    except CorruptionError:
        pass
