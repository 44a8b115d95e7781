"""Fewer numbers for a vector: its coordinates in the directions along which the vectors of a collection differ.

Embeddings of real things lie near a subspace: of the 384 coordinates that all-MiniLM-L6-v2 gives to docstrings, 192
in the right directions hold 92 % of the squared length. What is left out is known by its length alone, and bounds the
error of everything that is computed from the rest.

Source: principal components of the second moments, without centring, because inner products are to be kept.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin import distances
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.vectors import Vectors
from chroma_plugin.types import Matrix

KEPT: Final = 0.9
"""The share of the variance that has to be kept. Docstrings, at 128, 192 and 256 of 384 coordinates: 0.83, 0.92,
0.97; of the ten nearest .994, .9999, 1.0 are among the hundred that seem nearest."""
_HALVINGS: Final = 8
_MULTIPLE: Final = 64
"""Coordinates are kept by this many: kernels work in blocks of 64 bytes."""
_SAMPLE_FROM: Final = 4
"""Vectors in the sample, as a multiple of their dimension: fewer don't span the subspace."""
_SAMPLE_LEAST: Final = 8_192
_PIECES: Final = 64
"""A sample is taken from so many places, each a run of rows: a file is read in few pieces."""


@frozen(eq=False)
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

    def alike(self, embeddings: Matrix) -> npt.NDArray[np.intp]:
        """An order of the embeddings in which those that are alike stand near to each other: halves by the first
        coordinate, the halves of those by the second, and so on. The few that can't be halved stay at the end.
        """
        coordinates = distances.products(embeddings, self.basis[:_HALVINGS])
        order = np.arange(len(embeddings))
        for level, coordinate in enumerate(coordinates.T):
            groups = order[: len(order) >> level << level].reshape(1 << level, -1)
            groups[:] = np.take_along_axis(groups, coordinate[groups].argsort(axis=1), axis=1)
        return order


def rests(embeddings: Matrix, coordinates: Matrix) -> npt.NDArray[np.float32]:
    """How long the part of each vector is that its coordinates leave out; never less than it is."""
    whole = np.einsum("ij,ij->i", embeddings, embeddings)
    left = whole - np.einsum("ij,ij->i", coordinates, coordinates)
    # The difference of two float32 sums: its error is some 1e-6 of them.
    lengths: npt.NDArray[np.float32] = np.sqrt(np.maximum(left, 0) + np.float32(4e-6) * whole)
    return lengths


def fit(vectors: Vectors, rows: int) -> Projection:
    """The subspace of the first ``rows`` vectors, for sketches. Directions count, lengths do not."""
    directions, shares = _principal(_sample(vectors, rows))
    return Projection(_turned(directions[:, : _enough(shares, KEPT)]))


def fit_for_graph(vectors: Vectors, rows: int) -> Projection:
    """The same for a graph: at most half of the coordinates, or all where so few don't tell the vectors apart."""
    directions, shares = _principal(_sample(vectors, rows))
    kept = _enough(shares, KEPT)
    if kept > len(directions) // 2:
        kept = len(directions)
    return Projection(np.ascontiguousarray(directions[:, :kept].T, dtype=np.float32))


def _principal(sample: Matrix) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Directions in columns, the longest axis of the second moments first, and the share of the variance that each
    and those before it hold: what all vectors have in common doesn't tell them apart.
    """
    moments, directions = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    moments, directions = moments[::-1], directions[:, ::-1]
    common = sample.mean(axis=0, dtype=np.float64) @ directions
    variances = np.maximum(moments - len(sample) * common**2, 0)
    return directions, np.cumsum(variances) / max(float(variances.sum()), 1e-30)


def _enough(shares: npt.NDArray[np.float64], wanted: float) -> int:
    """How many directions hold that share."""
    enough = int(np.searchsorted(shares, wanted)) + 1
    return min(-(-enough // _MULTIPLE) * _MULTIPLE, len(shares))


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
