"""What stands for vectors and for queries in the subspace where a graph measures."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.distances import squares
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.projection import Projection, unit
from chroma_plugin.types import Matrix, Metric

ALIKE_OUTSIDE: Final = np.float32(0.6)
"""The cosine that is expected between what a query and a vector near to it have outside of the subspace. Of the ten
nearest docstrings so many are among the forty that seem nearest in 128 coordinates, with 0: .981; 0.4: .990; 0.6: .993;
0.8: .993; 1: .990. What is measured is 0.4; but who is as near as the nearest is more alike than the usual neighbour.
"""


@frozen(eq=False)
class Subspace:
    metric: Metric
    projection: Projection
    square: float
    """That of the longest vector; 1 for cosine. For cosine and ip it is that of every point."""

    @property
    def alike(self) -> float:
        """How much counts of what a query has outside. For ip nothing: there, points have something else."""
        return 0.0 if self.metric is Metric.IP else float(ALIKE_OUTSIDE)

    def points(self, embeddings: Matrix) -> Matrix:
        """What stands for the embeddings: their coordinates in the subspace, the last but for one more.

        The one more brings the points to the length of the embeddings, so that distances from a query in the subspace
        are right but for what both have outside of it. For cosine and ip it brings all to one length: a graph over the
        inner product finds little, and this turns it into a distance with the same order: Bachrach et al., "Speeding
        Up the Xbox Recommender System Using a Euclidean Transformation for Inner-Product Spaces", 2014. It takes the
        place of a coordinate because hnswlib is quick where their number is a multiple of 16.
        """
        if self.metric is Metric.COSINE:
            embeddings = unit(embeddings)[0]
        points = self.projection.apply(embeddings)
        wanted = squares(embeddings) if self.metric is Metric.L2 else np.float32(self.square)
        points[:, -1] = np.sqrt(np.maximum(wanted - squares(points[:, :-1]), 0))
        return points

    def asked(self, queries: Matrix) -> tuple[Matrix, npt.NDArray[np.float32]]:
        """What stands for queries, and its lengths, of shape (q, 1), before it was made as long as all points: for
        cosine and ip that changes nothing in the order, and else the distances would differ in digits that float32 does
        not have. What a query and a vector have outside of the subspace is known by its lengths alone; near ones point
        the same way there, too, on the whole.
        """
        points = self.projection.apply(queries)
        points[:, -1] = 0
        squared = squares(points)
        if self.alike:
            outside = np.maximum(squares(queries) - squared, 0) * np.float32(self.alike) ** 2
            points[:, -1] = np.sqrt(outside)
            squared += outside
        lengths: npt.NDArray[np.float32] = np.sqrt(squared)[:, None]
        if self.metric is not Metric.L2:
            points *= self.length / np.where(lengths > 0, lengths, 1)
        return points, lengths

    @property
    def length(self) -> np.float32:
        """How long queries are made for cosine and ip."""
        return np.float32(math.sqrt(self.square) or 1)

    def scores(self, away: npt.NDArray[np.float32], lengths: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What the scores (see `scores`) seem to be of points that are so far from what stands for queries: for cosine
        1 - the inner product, else squared.
        """
        if self.metric is Metric.COSINE:
            return (1 - away) * lengths
        if self.metric is Metric.IP:
            # Both are as long as the longest vector: so the distance tells the inner product.
            return (np.float32(self.square) - away / 2) * (lengths / self.length)
        return lengths**2 - away
