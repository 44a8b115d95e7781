"""The data that passes between the parts: frozen, columnar, float32.

Everything a backend receives or returns is one of these. They are requests and answers as objects, so that a new field
never breaks a backend that is already installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum
from typing import Any, Final, Literal, TypeAlias, TypeVar
from uuid import UUID

import numpy as np
import numpy.typing as npt

from chroma_plugin.errors import InternalError
from chroma_plugin.filters.ast import Expr, Path
from chroma_plugin.frozen import frozen

_T = TypeVar("_T")

Matrix: TypeAlias = npt.NDArray[np.float32]
"""Embeddings as rows: float32 of shape (n, dimension), C-contiguous."""

Metadata: TypeAlias = Mapping[str, Any]
"""Keys to str, int (64 bit), finite float, bool, None, and lists and dicts of those."""

Field: TypeAlias = Literal["embeddings", "documents", "metadatas", "uris"]
FIELDS: Final[frozenset[Field]] = frozenset(("embeddings", "documents", "metadatas", "uris"))
NO_FIELDS: Final[frozenset[Field]] = frozenset()

DEFAULT_TENANT: Final = "default_tenant"
DEFAULT_DATABASE: Final = "default_database"


class Metric(Enum):
    """How far two embeddings are apart. Smaller is nearer for all three."""

    L2 = "l2"
    """The squared Euclidean distance, as in hnswlib and Chroma."""
    COSINE = "cosine"
    """1 - cos of the angle; 1.0 when one of the two is the zero vector."""
    IP = "ip"
    """1 - the inner product."""


_METRICS: Final = {metric.value: metric for metric in Metric}


@frozen
class CollectionInfo:
    """What a database keeps about a collection, besides its records."""

    id: UUID
    name: str
    metadata: Metadata | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON: ``{"hnsw": {"space": "l2", ...}, "embedding_function": {...} | None}``. Backends keep it as it is."""
    dimension: int | None = None
    """The length of every embedding; None until the first record is written."""
    tenant: str = DEFAULT_TENANT
    database: str = DEFAULT_DATABASE

    @property
    def metric(self) -> Metric:
        return _METRICS[self.configuration.get("hnsw", {}).get("space", "l2")]


@frozen(eq=False)
class Records:
    """Records as columns of equal length. A column that is None was not asked for (reading) or is left alone
    (update).
    """

    ids: Sequence[str]
    embeddings: Matrix | None = None
    documents: Sequence[str | None] | None = None
    metadatas: Sequence[Metadata | None] | None = None
    uris: Sequence[str | None] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int]) -> Records:
        """The records at these positions, in this order."""
        return Records(
            ids=[self.ids[row] for row in rows],
            embeddings=None if self.embeddings is None else self.embeddings[np.asarray(rows, dtype=np.intp)],
            documents=None if self.documents is None else [self.documents[row] for row in rows],
            metadatas=None if self.metadatas is None else [self.metadatas[row] for row in rows],
            uris=None if self.uris is None else [self.uris[row] for row in rows],
        )

    def part(self, first: int, last: int) -> Records:
        """The records from position ``first`` up to ``last``."""
        part = slice(first, last)
        return Records(
            ids=self.ids[part],
            embeddings=None if self.embeddings is None else self.embeddings[part],
            documents=None if self.documents is None else self.documents[part],
            metadatas=None if self.metadatas is None else self.metadatas[part],
            uris=None if self.uris is None else self.uris[part],
        )

    def only(self, fields: frozenset[Field]) -> Records:
        """The same records with no other columns than these."""
        return Records(
            ids=self.ids,
            embeddings=self.embeddings if "embeddings" in fields else None,
            documents=self.documents if "documents" in fields else None,
            metadatas=self.metadatas if "metadatas" in fields else None,
            uris=self.uris if "uris" in fields else None,
        )


def copied(metadata: Metadata) -> dict[str, Any]:
    """A copy that shares nothing that can be changed."""
    return {key: _copied_value(value) if type(value) in (list, dict) else value for key, value in metadata.items()}


def _copied_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied_value(item) for item in value]
    return copied(value) if isinstance(value, Mapping) else value


@frozen
class Order:
    """One key to sort by. Records without the field come last either way; equal ones keep the order of insertion."""

    path: Path
    descending: bool = False


@frozen(eq=False)
class Scan:
    """Which records to read, and what of them.

    With ``ids`` the records come in that order, unknown ids left out; else in ``order``; else in the order of insertion
    (a replaced record keeps its place). ``offset`` and ``limit`` count what is left after ``ids`` and ``where``.
    """

    ids: Sequence[str] | None = None
    where: Expr | None = None
    limit: int | None = None
    offset: int = 0
    fields: frozenset[Field] = FIELDS
    order: tuple[Order, ...] = ()


@frozen(eq=False)
class Search:
    """The k nearest records to each of q embeddings, among those that ``ids`` and ``where`` leave."""

    embeddings: Matrix
    """Shape (q, dimension)."""
    k: int
    metric: Metric
    ids: Sequence[str] | None = None
    where: Expr | None = None
    max_distance: float | None = None
    """Leave out what is farther than this."""
    fields: frozenset[Field] = NO_FIELDS
    exact: bool = False
    """True: no approximation, whatever it costs."""


@frozen(eq=False)
class Hits:
    """The answer for one query: nearest first, ties in the order of insertion."""

    records: Records
    distances: npt.NDArray[np.float32]
    """Shape (len(records),)."""


@frozen(eq=False)
class TextSearch:
    """The k records whose documents fit the words of each query best, among those that ``ids`` and ``where`` leave.

    What a word is, says `chroma_plugin.ranking.words`; how well a document fits, `chroma_plugin.ranking.bm25`, with the
    numbers of all documents of the collection: ``ids`` and ``where`` restrict only what is found. A record is found
    when its document has at least one of the words.
    """

    queries: Sequence[str]
    k: int
    ids: Sequence[str] | None = None
    where: Expr | None = None
    fields: frozenset[Field] = NO_FIELDS


@frozen(eq=False)
class Ranked:
    """The answer for one text: best first, ties in the order of insertion."""

    records: Records
    scores: npt.NDArray[np.float64]
    """Shape (len(records),), higher is better."""


@frozen
class Count:
    """How many records match."""

    where: Expr | None = None


Question: TypeAlias = Scan | Count | Search | TextSearch
"""What a store can be asked."""


@frozen(eq=False)
class Read:
    """What a transaction asked, and the digest of the answer: it counts as long as the answer is the same."""

    question: Question
    answer: bytes


def concatenate(batches: Sequence[Records]) -> Records:
    """One `Records` out of several that have the same columns."""
    if len(batches) == 1:
        return batches[0]
    matrices = _all_or_none([batch.embeddings for batch in batches])
    return Records(
        ids=[id for batch in batches for id in batch.ids],
        embeddings=None if matrices is None else np.concatenate(matrices),
        documents=_chained([batch.documents for batch in batches]),
        metadatas=_chained([batch.metadatas for batch in batches]),
        uris=_chained([batch.uris for batch in batches]),
    )


def _chained(columns: Sequence[Sequence[_T] | None]) -> list[_T] | None:
    given = _all_or_none(columns)
    return None if given is None else [value for column in given for value in column]


def _all_or_none(columns: Sequence[_T | None]) -> list[_T] | None:
    given = [column for column in columns if column is not None]
    if not given:
        return None
    if len(given) < len(columns):
        raise InternalError("Batches of records with and without a column can't become one.")
    return given
