"""hnswlib's file without the vectors in it: they are kept elsewhere, and make up four fifths of it.

hnswlib writes a head of 96 bytes, then for each node its links at the lowest level, its vector and its label, then the
links of the higher levels (``hnswalg.h``, ``saveIndex``; the same since 0.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.frozen import frozen
from chroma_plugin.types import Matrix

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

Bytes = npt.NDArray[np.uint8]

_HEAD: Final = np.dtype(
    [
        ("offset", "<u8"),
        ("capacity", "<u8"),
        ("count", "<u8"),
        ("node", "<u8"),
        ("label", "<u8"),
        ("vector", "<u8"),
        ("levels", "<i4"),
        ("entry", "<u4"),
        ("m", "<u8"),
        ("m0", "<u8"),
        ("given_m", "<u8"),
        ("multiplier", "<f8"),
        ("ef_construction", "<u8"),
    ]
)
HEAD: Final = _HEAD.itemsize
"""Bytes of the head."""
_AT_ONCE: Final = 1_024


@frozen(eq=False)
class Parts:
    """What hnswlib's file has but for the vectors."""

    head: Bytes
    nodes: Bytes
    """Of each node its links at the lowest level and its label, shape (nodes, width)."""
    rest: Bytes
    """The links of the higher levels."""

    @property
    def count(self) -> int:
        return len(self.nodes)

    @property
    def entry(self) -> int:
        """The node where a search begins."""
        return int(self._fields["entry"])

    @property
    def levels(self) -> int:
        """How many there are above the lowest."""
        return int(self._fields["levels"])

    @property
    def most(self) -> tuple[int, int]:
        """How many links a node has at most, at the lowest level and above."""
        return int(self._fields["m0"]), int(self._fields["m"])

    @property
    def _fields(self) -> Any:
        return self.head.view(_HEAD)[0]


def stripped(index: Any) -> tuple[Parts, Matrix] | None:
    """The parts of a hnswlib.Index, and the vector of each node; None when hnswlib writes something else."""
    with _temporary() as place:
        path = Path(place, "whole")
        index.save_index(str(path))
        whole = np.fromfile(path, dtype=np.uint8)
    head = whole[:HEAD]
    if len(head) < HEAD or not _is_known(head, index.dim):
        return None
    fields = head.view(_HEAD)[0]
    end = HEAD + int(fields["count"] * fields["node"])
    nodes = whole[HEAD:end].reshape(int(fields["count"]), int(fields["node"]))
    vector, label = int(fields["vector"]), int(fields["label"])
    bare = np.concatenate([nodes[:, :vector], nodes[:, label:]], axis=1)
    return Parts(head.copy(), bare, whole[end:].copy()), nodes[:, vector:label].view("<f4")


def _temporary() -> TemporaryDirectory[str]:
    from tempfile import TemporaryDirectory  # whoever opens a small store does without

    return TemporaryDirectory(prefix="chroma-plugin-")


def _is_known(head: Bytes, dimension: int) -> bool:
    fields = head.view(_HEAD)[0]
    links = 4 + 4 * int(fields["m0"])
    return (int(fields["offset"]), int(fields["vector"]), int(fields["label"]), int(fields["node"])) == (
        0,
        links,
        links + 4 * dimension,
        links + 4 * dimension + 8,
    )


def width(m: int) -> int:
    """Bytes of a node in what `stripped` gives: the count of links, twice M links, the label."""
    return 4 + 4 * 2 * m + 8


def rows_of_nodes(nodes: Bytes, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """For each node the row of its vector, given the row of each label. Where that is gone, the row of a node that it
    is linked to stands in: it is never an answer, and leads the same way. -1 where there is none.
    """
    found = rows[_labels(nodes)]
    counts = np.ascontiguousarray(nodes[:, :2]).view("<u2")[:, 0]
    links = np.ascontiguousarray(nodes[:, 4:-8]).view("<u4")
    for at in range(links.shape[1]):
        gone = np.flatnonzero((found < 0) & (counts > at))
        if not len(gone):
            break
        found[gone] = found[links[gone, at]]
    return found


def has_each_label(nodes: Bytes) -> bool:
    """Whether those from 0 on stand there, each once."""
    labels = _labels(nodes)
    return bool((np.sort(labels) == np.arange(len(labels))).all())


def _labels(nodes: Bytes) -> npt.NDArray[np.intp]:
    return np.ascontiguousarray(nodes[:, -8:]).view("<u8")[:, 0].astype(np.intp)


def restore(index: Any, parts: Parts, points: Callable[[slice], Matrix]) -> None:
    """Load a hnswlib.Index from those parts; ``points`` gives the vectors of nodes."""
    with _temporary() as place:
        path = Path(place, "whole")
        with path.open("wb") as file:
            file.write(parts.head.data)
            for part in pieces(parts.count):
                some, vectors = parts.nodes[part], np.ascontiguousarray(points(part), dtype="<f4").view(np.uint8)
                file.write(np.concatenate([some[:, :-8], vectors, some[:, -8:]], axis=1).data)
            file.write(parts.rest.data)
        index.load_index(str(path))


def pieces(count: int) -> Iterator[slice]:
    """So many nodes, some at a time."""
    return (slice(start, min(start + _AT_ONCE, count)) for start in range(0, count, _AT_ONCE))
