"""The three distances between a query and embeddings.

l2 is the squared Euclidean distance, cosine is 1 - cos, ip is 1 - the inner product: as hnswlib defines them
(https://github.com/nmslib/hnswlib#supported-distances). A zero vector has the cosine distance 1.0 to everything.

Each row is computed by itself, in the same order of operations, so that equal embeddings have equal distances; a
matrix product does not promise that.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin import compiled
from chroma_plugin.types import Matrix, Metric

if compiled.IS_THERE:
    from chroma_plugin.compiled._native import measure

Vector = npt.NDArray[np.float32]
RowNumbers = npt.NDArray[np.intp]


def one(query: Vector, embeddings: Matrix, metric: Metric) -> Vector:
    """Distances of shape (n,), float32, from one query of shape (dimension,) to n embeddings."""
    if _can_be_compiled(query, embeddings):
        found = np.empty(len(embeddings), dtype=np.float32)
        measure(metric.value[0], query, len(query), embeddings, None, found)
        if is_finite(found):
            return found
    return _in_numpy(query, embeddings, metric)


def among(queries: Matrix, embeddings: Matrix, rows: RowNumbers, metric: Metric) -> Matrix:
    """The same from one query to those of the embeddings that are in these rows; or from queries of shape
    (q, dimension), each with rows of its own, of shape (q, n). The embeddings are not copied.
    """
    if _can_be_compiled(queries, embeddings):
        found = np.empty(rows.shape, dtype=np.float32)
        measure(metric.value[0], queries, queries.shape[-1], embeddings, np.ascontiguousarray(rows), found)
        if is_finite(found):
            return found
    return _in_numpy(queries[..., None, :] if queries.ndim > 1 else queries, embeddings.take(rows, axis=0), metric)


def among_in_file(queries: Matrix, file: int, rows: RowNumbers, metric: Metric) -> Matrix | None:
    """The same of embeddings with which an open file begins, where `compiled.IS_THERE`; None when something is not
    finite, or the file ends before.
    """
    found = np.empty(rows.shape, dtype=np.float32)
    try:
        measure(metric.value[0], queries, queries.shape[-1], file, np.ascontiguousarray(rows), found)
    except ValueError:
        return None
    return found if is_finite(found) else None


def _can_be_compiled(queries: Matrix, embeddings: Matrix) -> bool:
    return compiled.IS_THERE and all(
        array.dtype == np.float32 and array.flags.c_contiguous for array in (queries, embeddings)
    )


def _in_numpy(queries: Matrix, embeddings: Matrix, metric: Metric) -> Vector:
    found = _measured(queries, embeddings, metric)
    if is_finite(found):
        return found
    with np.errstate(over="ignore"):  # what leaves the range of float32 is as far as can be
        return _measured(queries.astype(np.float64), embeddings.astype(np.float64), metric).astype(np.float32)


def is_finite(values: npt.NDArray[Any]) -> bool:
    """Whether all of them are."""
    # A sum of squares is, if they all are. When it overflows, each is looked at.
    return math.isfinite(np.vdot(values, values)) or bool(np.isfinite(values).all())


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _measured(query: npt.NDArray[Any], embeddings: npt.NDArray[Any], metric: Metric) -> npt.NDArray[Any]:
    """In the precision of the arguments; what is too large for it comes out infinite, or as no number."""
    if metric is Metric.L2:
        # The difference first: |x|^2 - 2xq + |q|^2 would lose all digits for near vectors.
        away = embeddings - query
        return _inner(away, away)
    products = _inner(embeddings, query)
    if metric is Metric.COSINE:
        return _angular(products, np.sqrt(_inner(embeddings, embeddings)) * np.sqrt(_inner(query, query)))
    found: npt.NDArray[Any] = 1 - products
    return found


def _angular(products: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = 1 - products / lengths
    if not (is_finite(found) and is_finite(lengths)):
        found[lengths == 0] = 1
        found[np.isinf(lengths)] = np.nan
    return found


def matrix(queries: Matrix, embeddings: Matrix, metric: Metric) -> Matrix:
    """Distances of shape (q, n), float32."""
    return np.stack([one(query, embeddings, metric) for query in queries])


@np.errstate(over="ignore", invalid="ignore")
def squares(embeddings: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The squared lengths, of shape (n,)."""
    return _inner(embeddings, embeddings)


def _inner(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The inner product of each row of the left with the right, or with its row; shapes are broadcast."""
    # Of numpy >= 2.0; it takes a third of the time.
    products: npt.NDArray[Any] = np.vecdot(left, right) if _HAS_VECDOT else np.einsum("...d,...d->...", left, right)
    return products


_HAS_VECDOT: Final = hasattr(np, "vecdot")
_FEW: Final = 16
"""Queries up to which no thread of BLAS is asked. So few are bound by memory, and threads gain nothing; under several
threads of Python, or beside other work, they wait for each other (2,000 rows, 6 threads on two cores: 0.08 ms a query
against 3).
"""
_LITTLE: Final = 25_000_000
"""Multiplications up to which threads of BLAS are not worth that risk: 2 ms."""
_AT_ONCE: Final = 512
"""Queries that are multiplied at once. For more OpenBLAS takes memory, and keeps it: 12 MB for 8,192 of 384 numbers."""


@np.errstate(over="ignore", invalid="ignore")
def products(queries: Matrix, embeddings: Matrix) -> Matrix:
    """The inner products, of shape (q, n)."""
    if _HAS_VECDOT and (len(queries) <= _FEW or len(queries) * embeddings.size <= _LITTLE):
        few: Matrix = np.vecdot(embeddings[None], queries[:, None])
        return few
    found = np.empty((len(queries), len(embeddings)), dtype=np.result_type(queries, embeddings))
    for start in range(0, len(queries), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        np.matmul(queries[part], embeddings.T, out=found[part])
    return found
