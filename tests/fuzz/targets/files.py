"""Files with a checksum that fits and anything in them: read as what they say, or not believed. Nothing is allocated
because a header says so.
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress

import numpy as np
from chroma_plugin_duckdb import snapshot
from fuzz.scratch import folder

from chroma_plugin.errors import StorageError
from chroma_plugin.toolkit import checked_file, graph_file, saved_table, sketch, vector_file
from chroma_plugin.toolkit.graph import GraphSettings
from chroma_plugin.toolkit.vector_file import VectorFile
from chroma_plugin.types import Metric

_folder = folder()
_stamps = np.arange(4, dtype=np.int64)
_HEADERS = [
    {"format": 1, "rows": 4, "checksums": [1, 2]},
    {
        "format": 1,
        "dimension": 2,
        "rows": 4,
        "stamps_checksum": zlib.crc32(_stamps.tobytes()),
        "in_block": 4,
        "checksums": [0],
    },
    {
        "format": 1,
        "space": "l2",
        "dimension": 2,
        "kept": 2,
        "max_neighbors": 16,
        "square": 1.0,
        "count": 4,
        "last_stamp": 3,
    },
    {
        "format": 1,
        "first": 0,
        "last": 4,
        "dimension": 2,
        "kept": 2,
        "step": 1.0,
        "blur": 0.1,
        "last_stamp": 3,
        "stamps": 0,
    },
    {
        "format": 1,
        "identity": {"size": 9, "head": zlib.crc32(b"some file")},
        "tenants": ["t"],
        "databases": [["t", "d"]],
        "collections": [
            {
                "number": 1,
                "id": "00000000-0000-0000-0000-000000000005",
                "name": "n",
                "metadata": None,
                "configuration": {},
                "dimension": 2,
                "tenant": "t",
                "database": "d",
            }
        ],
        "marks": {"00000000-0000-0000-0000-000000000005": "7"},
    },
]
_BODY = np.array([11, 8, 1], "<u8").tobytes() + zlib.compress(b"8 bytes!")
_CLAIMS = [  # of 2**60 bytes, of numbers of no bytes, of what is not packed at all
    np.array([11, 2**60, 1], "<u8").tobytes() + zlib.compress(b"8 bytes!"),
    np.array([11, 8, 0], "<u8").tobytes() + zlib.compress(b"8 bytes!"),
    np.array([8, 8, 8], "<u8").tobytes() + b"8 bytes!",
]
SEEDS = [
    json.dumps(header).encode() + b"\n" + body for header in _HEADERS for body in (b"", _BODY, bytes(200), *_CLAIMS)
]


def one(data: bytes) -> None:
    header, _, body = data.partition(b"\n")
    checksum = zlib.crc32(body, zlib.crc32(header))
    sealed = b"%d %s\n%s" % (checksum, header, body)
    for name in ("1.rows", "1.graph", "1.sketch", "snapshot.json"):
        (_folder / name).write_bytes(sealed)
    (_folder / "1.header").write_bytes(b"%d %s" % (zlib.crc32(header), header))
    (_folder / "1.stamps").write_bytes(_stamps.tobytes())
    (_folder / "1.vectors").write_bytes(bytes(32))
    (_folder / "1.texts").write_bytes(bytes(32))
    (_folder / "file").write_bytes(b"some file")

    vectors = vector_file.VectorFile(_folder / "1.vectors", _SOUND)
    mark = str(checksum)
    saved_table.load(vectors, mark)
    graph_file.load(_folder / "1.graph", vectors, _stamps, GraphSettings(Metric.L2, 2, 16, 100, 100))
    sketch.load(_folder / "1.sketch", 2, _stamps)
    graph_file.last_stamp(_folder / "1.graph")
    sketch.last_stamp(_folder / "1.sketch")
    descriptor = os.open(_folder / "file", os.O_RDONLY)
    try:
        snapshot.load(_folder / "file", descriptor)
    finally:
        os.close(descriptor)
    for packed in (False, True):
        with suppress(ValueError):
            checked_file.read_checked(_folder / "1.rows", packed=packed)
    for dimension in (2, None):
        try:
            VectorFile.open(_folder / "1.vectors", dimension).block(0, 1)
            vector_file.in_memory(_folder / "1.vectors", dimension)
        except StorageError:
            pass


_SOUND = vector_file.Header(1, "0", 2, 4, zlib.crc32(_stamps.tobytes()), 4, [zlib.crc32(bytes(32))])
