"""An HNSW graph over rows that never change: built once, searched by any number of threads, thrown away.

hnswlib must not be searched while it is added to, forgets `ef` when saved, and believes any bytes it loads. So a graph
is never added to (new rows wait in the table and are searched exactly until the next graph takes them in), nothing is
ever deleted from it (dead rows are dropped from the answer), and its file is loaded only when a header beside it agrees
about every property and the checksum.

Source: Malkov, Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small
World graphs", 2016.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import threading
import warnings
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from chroma_plugin.distances import squares
from chroma_plugin.toolkit.files import checksum, replace_file
from chroma_plugin.toolkit.vectors import Vectors
from chroma_plugin.types import Matrix, Metric

logger = logging.getLogger("chroma_plugin")

_FORMAT: Final = 1
_SLICE: Final = 1000
"""Vectors added between two looks at whether to stop: some 0.2 s of work."""


_asking: Final = threading.Lock()


class ExactSearchWarning(UserWarning):
    """A graph would be worth having, and hnswlib is not installed."""


@dataclass(frozen=True, slots=True)
class GraphSettings:
    """How to build and search, by Chroma's names."""

    metric: Metric
    max_neighbors: int = 16
    ef_construction: int = 100
    ef_search: int = 100
    num_threads: int = 0
    """0: as many as the machine has cores."""


def installed() -> bool:
    """Whether hnswlib is installed."""
    return importlib.util.find_spec("hnswlib") is not None


def available() -> bool:
    """Whether there can be graphs. Asked when one is wanted: if hnswlib is missing then, a warning says so, once."""
    with _asking:  # a writer and the background may ask at the same moment
        return _available()


@functools.cache
def _available() -> bool:
    if installed():
        return True
    notice = ExactSearchWarning(
        "hnswlib is not installed: searches in large collections are exact and take longer. It needs a C++ "
        "compiler: pip install 'chroma-plugin[hnsw]'"
    )
    try:
        warnings.warn(notice, stacklevel=3)
    except ExactSearchWarning:
        # Where warnings are errors: this may be a write that is on disk already, which must not fail any more.
        logger.warning("%s", notice)
    return False


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A graph, and the rows of a table that its labels stand for."""

    index: Any
    """A hnswlib.Index with labels 0 to len(stamps)."""
    rows: npt.NDArray[np.intp]
    """The row of each label; -1 when there is none any more."""
    stamps: npt.NDArray[np.int64]
    """The stamp of each label's vector: what finds its row again after the table was read anew."""
    name: str = ""
    """What its files are called."""

    def __len__(self) -> int:
        return len(self.stamps)

    def search(self, queries: Matrix, k: int, settings: GraphSettings) -> npt.NDArray[np.intp] | None:
        """About the k nearest rows to each query, of shape (q, k), -1 where the record is gone; None when the graph
        reaches fewer than k.
        """
        # hnswlib searches with max(ef, k), so that one value of ef serves calls with any k.
        self.index.set_ef(settings.ef_search)
        threads = 1 if len(queries) == 1 else settings.num_threads or -1
        points = _points(queries, settings.metric, None)
        try:
            labels, _ = self.index.knn_query(points, k=min(k, len(self)), num_threads=threads)
        except RuntimeError:
            # Among many equal vectors parts of a graph may be cut off from each other.
            return None
        rows: npt.NDArray[np.intp] = self.rows[labels.astype(np.intp)]
        return rows

    def with_rows_of(self, stamps: npt.NDArray[np.int64]) -> Graph:
        """The same graph over a table whose row i has the stamp ``stamps[i]``."""
        order = np.argsort(stamps, kind="stable")
        if not len(order):
            return replace(self, rows=np.full(len(self), -1, dtype=np.intp))
        near = np.minimum(np.searchsorted(stamps[order], self.stamps), len(order) - 1)
        return replace(self, rows=np.where(stamps[order][near] == self.stamps, order[near], -1).astype(np.intp))


def build(
    vectors: Vectors,
    rows: npt.NDArray[np.intp],
    stamps: npt.NDArray[np.int64],
    settings: GraphSettings,
    stop: Callable[[], bool],
) -> Graph | None:
    """A graph over the vectors in those rows; None when `stop` said so on the way."""
    index = _new_index(vectors.block(0, 0).shape[1], settings)
    index.init_index(len(rows), M=settings.max_neighbors, ef_construction=settings.ef_construction)
    pieces = [slice(start, start + _SLICE) for start in range(0, len(rows), _SLICE)]
    longest = 0.0
    if settings.metric is Metric.IP:
        longest = max(float(squares(vectors.take(rows[piece])).max()) for piece in pieces)
    for piece in pieces:
        if stop():
            return None
        points = _points(vectors.take(rows[piece]), settings.metric, longest)
        index.add_items(
            points, np.arange(piece.start, piece.start + len(points)), num_threads=settings.num_threads or -1
        )
    return Graph(index, rows, stamps)


def _new_index(dimension: int, settings: GraphSettings) -> Any:
    import hnswlib

    if settings.metric is Metric.IP:
        return hnswlib.Index(space="l2", dim=dimension + 1)
    return hnswlib.Index(space=settings.metric.value, dim=dimension)


def _points(embeddings: Matrix, metric: Metric, longest: float | None) -> Matrix:
    """What is put into the index, or, when ``longest`` is None, asked of it.

    The inner product is no metric, and a graph over it finds little. One more coordinate, which brings all embeddings
    to one length, turns it into a distance with the same order: Bachrach et al., "Speeding Up the Xbox Recommender
    System Using a Euclidean Transformation for Inner-Product Spaces", 2014.
    """
    if metric is not Metric.IP:
        return embeddings
    more = np.zeros(len(embeddings)) if longest is None else np.sqrt(np.maximum(longest - squares(embeddings), 0))
    return np.column_stack([embeddings, more]).astype(np.float32)


# -- files -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Header:
    format: int
    space: str
    dimension: int
    max_neighbors: int
    count: int
    last_stamp: int
    size: int
    checksum: int
    stamps_checksum: int


def save(graph: Graph, path: Path, settings: GraphSettings) -> None:
    """Write ``path``.hnsw, ``path``.stamps and, last, the header ``path``.json that makes them valid."""
    body, stamps = path.with_suffix(".hnsw"), path.with_suffix(".stamps")
    replace_file(body, lambda temporary: graph.index.save_index(str(temporary)))
    replace_file(stamps, lambda temporary: temporary.write_bytes(graph.stamps.tobytes()))
    header = _Header(
        format=_FORMAT,
        space=settings.metric.value,
        dimension=graph.index.dim,
        max_neighbors=graph.index.M,
        count=len(graph),
        last_stamp=int(graph.stamps.max()),
        size=body.stat().st_size,
        checksum=checksum(body),
        stamps_checksum=zlib.crc32(graph.stamps.tobytes()),
    )
    replace_file(path.with_suffix(".json"), lambda temporary: temporary.write_bytes(orjson.dumps(asdict(header))))


def load(path: Path, dimension: int, settings: GraphSettings) -> Graph | None:
    """The graph saved under that name; None when anything about it is doubtful."""
    index = _new_index(dimension, settings)
    body, stamps_file = path.with_suffix(".hnsw"), path.with_suffix(".stamps")
    try:
        header = _Header(**orjson.loads(path.with_suffix(".json").read_bytes()))
        stamps = np.frombuffer(stamps_file.read_bytes(), dtype=np.int64)
        sound = (
            (header.format, header.space, header.dimension, header.max_neighbors, header.count)
            == (_FORMAT, settings.metric.value, index.dim, settings.max_neighbors, len(stamps))
            and header.size == body.stat().st_size
            and header.stamps_checksum == zlib.crc32(stamps.tobytes())
            and header.checksum == checksum(body)
        )
    except (OSError, ValueError, TypeError):
        return None
    if not sound:
        return None
    index.load_index(str(body))
    return Graph(index, np.full(len(stamps), -1, dtype=np.intp), stamps, path.name)


def last_stamp(header: Path) -> int:
    """The greatest stamp in the graph of that header; -1 when the header can't be read."""
    try:
        return int(_Header(**orjson.loads(header.read_bytes())).last_stamp)
    except (OSError, ValueError, TypeError):
        return -1


def remove(path: Path) -> None:
    """Delete the files of that name; the header first, so that what is left is not believed."""
    for suffix in (".json", ".hnsw", ".stamps"):
        path.with_suffix(suffix).unlink(missing_ok=True)
