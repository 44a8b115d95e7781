"""A graph in one file: its links, and the stamps of its points. Their vectors are in the table.

hnswlib believes any bytes that it loads. So a file is believed only when its checksum and everything that its header
says are right.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson

from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit import bare_graph
from chroma_plugin.toolkit.checked_file import DOUBTFUL, read_checked, write_checked
from chroma_plugin.toolkit.graph import Graph, GraphSettings, rows_of_stamps
from chroma_plugin.toolkit.graph_building import led
from chroma_plugin.toolkit.point_index import restored
from chroma_plugin.toolkit.projection import Projection
from chroma_plugin.toolkit.subspace import Subspace
from chroma_plugin.toolkit.vectors import Vectors
from chroma_plugin.types import Matrix

_FORMAT: Final = 2


@frozen
class _Header:
    format: int
    space: str
    dimension: int
    kept: int
    max_neighbors: int
    square: float
    count: int
    last_stamp: int
    hidden: list[int]
    found: float = 1.0


def save(graph: Graph, path: Path, settings: GraphSettings) -> bool:
    """Write one file: a header, the basis, the stamps and the links. The vectors are in the table. False when hnswlib
    has another format than is known.
    """
    parts = graph.index.parts()
    if parts is None:
        return False
    header = _Header(
        format=_FORMAT,
        space=settings.metric.value,
        dimension=graph.space.projection.basis.shape[1],
        kept=graph.space.projection.kept,
        max_neighbors=parts.most[1],
        square=graph.space.square,
        count=len(graph),
        last_stamp=int(graph.stamps.max()),
        hidden=graph.hidden.tolist(),
        found=graph.found,
    )
    arrays = (graph.space.projection.basis, graph.stamps, parts.head, parts.nodes.view("<u4"), parts.rest)
    write_checked(path, orjson.dumps(asdict(header)), arrays, packed=True)
    return True


def load(path: Path, vectors: Vectors, stamps: npt.NDArray[np.int64], settings: GraphSettings) -> Graph | None:
    """The graph in that file, over a table whose row i has the stamp ``stamps[i]``; None when anything is doubtful."""
    dimension = vectors.block(0, 0).shape[1]
    try:
        text, body, _ = read_checked(path, packed=True)
        header = _Header(**orjson.loads(text))
        expected = (_FORMAT, settings.metric.value, dimension, settings.max_neighbors)
        if (header.format, header.space, header.dimension, header.max_neighbors) != expected:
            return None
        return _restored(path, header, body, vectors, stamps, settings)
    except (*DOUBTFUL, RuntimeError):  # hnswlib's own
        return None


def _restored(
    path: Path,
    header: _Header,
    body: bare_graph.Bytes,
    vectors: Vectors,
    stamps: npt.NDArray[np.int64],
    settings: GraphSettings,
) -> Graph | None:
    width = bare_graph.width(header.max_neighbors)
    sizes = [header.dimension * header.kept * 4, header.count * 8, bare_graph.HEAD, header.count * width]
    basis, own, head, nodes, rest = np.split(body, np.cumsum(sizes))
    projection = Projection(basis.view(np.float32).reshape(header.kept, header.dimension))
    own_stamps = own.view(np.int64)
    space = Subspace(settings.metric, projection, header.square)
    parts = bare_graph.Parts(head, nodes.reshape(header.count, width), rest)
    rows = rows_of_stamps(own_stamps, stamps)
    placed = bare_graph.rows_of_nodes(parts.nodes, rows)
    if not len(own_stamps) or placed.min() < 0 or not bare_graph.has_each_label(parts.nodes):
        return None

    def points(part: slice) -> Matrix:
        found = space.points(vectors.take(placed[part]))
        vectors.release()  # or all of them would be in memory for a while
        return found

    index = restored(parts, points, space)
    hidden = np.array(header.hidden, dtype=np.intp)
    graph = Graph(index, space, rows, own_stamps, path.stem, hidden, header.found)
    return led(graph, vectors, settings)


def last_stamp(path: Path) -> int:
    """The greatest stamp in the graph of that file; -1 when it can't be read."""
    try:
        return int(_Header(**orjson.loads(read_checked(path)[0])).last_stamp)
    except DOUBTFUL:
        return -1
