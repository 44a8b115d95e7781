"""A table as it was when its store was closed: opened without reading what nobody asks for.

Beside the vectors (`vector_file`) stand ``7.texts`` (see `text_file`) and ``7.rows``, which has what is needed of every
row: place, whether it is alive, lengths of texts, hash of the id. Both are derived from the journal. Whoever opens them
must know that the journal has not changed since: the mark that `save` returns is for that.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np
import orjson

from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit import text_file
from chroma_plugin.toolkit.checked_file import DOUBTFUL, read_checked, write_checked
from chroma_plugin.toolkit.id_hashes import IdHash
from chroma_plugin.toolkit.sorted_ids import hashed, sorted_ids
from chroma_plugin.toolkit.table import Table, View
from chroma_plugin.toolkit.text_file import TextFile
from chroma_plugin.toolkit.texts import Kind, Texts
from chroma_plugin.toolkit.vector_file import VectorFile

_FORMAT = 2
_SECRET = 16
"""Bytes."""


@frozen
class _Header:
    format: int
    rows: int
    checksums: list[int]
    """Of the texts."""
    secret: str
    """Of the hashes, in hex."""


def save(view: View) -> str:
    """Write all rows of a view whose vectors are settled; returns the mark by which it is known again."""
    table = view.table
    vectors, texts = table.vectors, table.texts
    assert isinstance(vectors, VectorFile)
    late = [column[: view.length - texts.first] for column in texts.late]
    written = text_file.append(vectors.path.with_suffix(".texts"), late, texts.file)
    alive = view.rows()
    secret = os.urandom(_SECRET)
    hashes, rows = hashed(cast(list[str], texts.take(alive, (Kind.ID,))[0]), alive, IdHash(secret))
    header = orjson.dumps(asdict(_Header(_FORMAT, view.length, written.blocks.checksums, secret.hex())))
    arrays = (table.places[: view.length], view.alive, written.lengths, hashes, rows)
    return write_checked(_path(vectors), header, arrays, packed=True)


def load(vectors: VectorFile, mark: str) -> Table | None:
    """The table that was saved with that mark; None when anything about it is doubtful."""
    try:
        text, body, found = read_checked(_path(vectors), packed=True)
        header = _Header(**orjson.loads(text))
        if found != mark or header.format != _FORMAT or header.rows != len(vectors):
            return None
        sizes = [8 * header.rows, header.rows, 4 * len(Kind) * header.rows]
        places, alive, lengths, ids = np.split(body, np.cumsum(sizes))
        # Copies stand where numbers of their size should, and let go of the rest.
        by_row = lengths.view(np.int32).reshape(header.rows, len(Kind)).copy()
        texts = TextFile(vectors.path.with_suffix(".texts"), by_row, header.checksums)
        hashes, rows = ids.view(np.uint32).reshape(2, -1).copy()
        by_hash = sorted_ids(hashes, rows, IdHash(bytes.fromhex(header.secret)), texts)
        stamps = vectors.stamps()
    except DOUBTFUL:
        return None
    table = Table(vectors.dimension, vectors, Texts(texts), by_hash)
    table.resume(places.view(np.int64), stamps, alive.view(np.bool_))
    return table


def _path(vectors: VectorFile) -> Path:
    return vectors.path.with_suffix(".rows")
