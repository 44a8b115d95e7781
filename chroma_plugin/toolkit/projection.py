"""Fewer numbers for a vector: its coordinates in the directions along which the vectors of a collection differ.

Embeddings of real things lie near a subspace: of the 384 coordinates that all-MiniLM-L6-v2 gives to docstrings, 192
in the right directions hold 92 % of the squared length. What is left out is known by its length alone, and bounds the
error of everything that is computed from the rest.

Source: principal components of the second moments, without centring, because inner products are to be kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin import distances
from chroma_plugin.toolkit.vectors import Vectors
from chroma_plugin.types import Matrix

KEPT: Final = 0.9
"""The share of squared length that has to be kept. Docstrings, at 128, 192 and 256 of 384 coordinates: 0.83, 0.92,
0.97; of the ten nearest .994, .9999, 1.0 are among the hundred that seem nearest."""
_MULTIPLE: Final = 64
"""Coordinates are kept by this many: kernels work in blocks of 64 bytes."""
_SAMPLE_FROM: Final = 4
"""Vectors in the sample, as a multiple of their dimension: fewer don't span the subspace."""
_SAMPLE_LEAST: Final = 8_192
_PIECES: Final = 64
"""A sample is taken from so many places, each a run of rows: a file is read in few pieces."""


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A subspace."""

    basis: Matrix
    """Orthonormal, float32, of shape (kept, dimension)."""

    @property
    def kept(self) -> int:
        return len(self.basis)

    def apply(self, embeddings: Matrix) -> Matrix:
        """The coordinates in the subspace, of shape (n, kept)."""
        return distances.products(embeddings, self.basis)


def rests(embeddings: Matrix, coordinates: Matrix) -> npt.NDArray[np.float32]:
    """How long the part of each vector is that its coordinates leave out; never less than it is."""
    whole = np.einsum("ij,ij->i", embeddings, embeddings)
    left = whole - np.einsum("ij,ij->i", coordinates, coordinates)
    # The difference of two float32 sums: its error is some 1e-6 of them.
    lengths: npt.NDArray[np.float32] = np.sqrt(np.maximum(left, 0) + np.float32(4e-6) * whole)
    return lengths


def fit(vectors: Vectors, rows: int) -> Projection:
    """The subspace of the first ``rows`` vectors, judged by a sample. Directions count, lengths do not."""
    sample = _sample(vectors, rows)
    dimension = sample.shape[1]
    if dimension <= _MULTIPLE:
        return Projection(_turned(np.eye(dimension)))
    variances, directions = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    shares = np.cumsum(variances[::-1]) / max(float(variances.sum()), 1e-30)
    enough = int(np.searchsorted(shares, KEPT)) + 1
    kept = min(-(-enough // _MULTIPLE) * _MULTIPLE, dimension)
    return Projection(_turned(directions[:, ::-1][:, :kept]))


def _sample(vectors: Vectors, rows: int) -> Matrix:
    wanted = max(_SAMPLE_LEAST, _SAMPLE_FROM * vectors.block(0, 0).shape[1])
    if rows <= wanted:
        return unit(vectors.block(0, rows))[0]
    run = -(-wanted // _PIECES)
    starts = np.linspace(0, rows - run, _PIECES).astype(np.intp).tolist()
    return np.concatenate([unit(vectors.block(start, start + run))[0] for start in starts])


def unit(embeddings: Matrix) -> tuple[Matrix, npt.NDArray[np.float32]]:
    """The vectors at length 1, and their lengths; zero stays zero."""
    with np.errstate(over="ignore"):
        lengths: npt.NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings))
    directions: Matrix = embeddings / np.where(lengths > 0, lengths, np.float32(1)).astype(np.float32)[:, None]
    return directions, lengths


def _turned(directions: npt.NDArray[np.float64]) -> Matrix:
    """Another basis of the same subspace, in which all coordinates are about equally large, so that one step is right
    for all of them when they are rounded.
    """
    kept = directions.shape[1]
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((kept, kept)))[0]
    return np.ascontiguousarray((directions @ turn).T, dtype=np.float32)
