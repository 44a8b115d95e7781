"""The three distances, between each of q queries and each of n embeddings.

l2 is the squared Euclidean distance, cosine is 1 - cos, ip is 1 - the inner product: as hnswlib defines them
(https://github.com/nmslib/hnswlib#supported-distances). A zero vector has the cosine distance 1.0 to everything.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chroma_plugin.types import Matrix, Metric


def matrix(queries: Matrix, embeddings: Matrix, metric: Metric) -> npt.NDArray[np.float32]:
    """Distances of shape (q, n), float32. Exactly computed differences for l2: no cancellation for near vectors."""
    if metric is Metric.L2:
        return np.stack([_squared_l2(query, embeddings) for query in queries])
    if metric is Metric.COSINE:
        queries, embeddings = unit(queries), unit(embeddings)
    return np.float32(1) - queries @ embeddings.T


def _squared_l2(query: npt.NDArray[np.float32], embeddings: Matrix) -> npt.NDArray[np.float32]:
    difference = embeddings - query
    result: npt.NDArray[np.float32] = np.einsum("nd,nd->n", difference, difference)
    return result


def unit(embeddings: Matrix) -> Matrix:
    """The embeddings scaled to length 1; zero vectors stay zero."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.where(lengths == 0, np.float32(1), lengths)
