"""What an engine has to do to be measured, and how a filter is said in SQL."""

from __future__ import annotations

import importlib.metadata
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Where = Mapping[str, Any]
"""In Chroma's words: ``{"bucket": {"$lt": 100}}``, ``{"$and": [...]}``."""
SIGNS = {"$eq": "=", "$ne": "!=", "$lt": "<", "$gte": ">="}
FIELDS = {"package": str, "kind": str, "length": int, "line": int, "public": bool, "bucket": int}


@dataclass(frozen=True)
class Records:
    """A record's id is its number as text."""

    numbers: Sequence[int]
    vectors: np.ndarray
    documents: Sequence[str]
    metadatas: Sequence[Mapping[str, Any]]

    @property
    def ids(self) -> list[str]:
        return [str(number) for number in self.numbers]

    def batches(self, size: int) -> Iterator[Records]:
        for start in range(0, len(self.numbers), size):
            part = slice(start, start + size)
            yield Records(self.numbers[part], self.vectors[part], self.documents[part], self.metadatas[part])


class Engine(ABC):
    """One collection of one engine. What it can't do raises NotImplementedError and is left out of its column.

    Searches return the numbers of the nearest records, having fetched documents and metadata if the engine has them.
    Distance: cosine, or what ranks vectors of length 1 alike.
    """

    packages: tuple[str, ...] = ()
    """As pip names them: their versions are told."""
    module = ""
    """What an import of it is: timed by itself, and not part of a cold opening."""
    durability = "nothing is kept"
    durable = False
    """Whether what a call acknowledged is on disk (fsync) when it returns."""
    persistent = True
    """Whether it can be closed and opened again."""
    efs: tuple[int, ...] = ()
    """Settings to sweep, growing; none: the engine has no such knob."""
    stores_records = True
    """Documents and metadata come back from it; the others are floors, not rivals."""

    def __init__(self, path: Path, dimension: int) -> None:
        self.path = path
        self.dimension = dimension

    @classmethod
    def version(cls) -> str:
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in cls.packages)

    @abstractmethod
    def open(self) -> None:
        """What the path holds, or something empty."""

    def close(self) -> None:
        return None

    @abstractmethod
    def ingest(self, records: Records) -> None:
        """New records by the fastest way that its documentation shows; they can be queried afterwards."""

    def add_one(self, records: Records) -> None:
        self.ingest(records)

    def settle(self) -> None:
        """Wait for, or do, what makes queries fast: the index."""

    def set_ef(self, ef: int) -> None:
        raise NotImplementedError

    @abstractmethod
    def query(self, vector: np.ndarray, k: int) -> list[int]: ...

    def query_exact(self, vector: np.ndarray, k: int) -> list[int]:
        raise NotImplementedError

    def query_many(self, vectors: np.ndarray, k: int) -> list[list[int]]:
        return [self.query(vector, k) for vector in vectors]

    def query_where(self, vector: np.ndarray, k: int, where: Where) -> list[int]:
        raise NotImplementedError

    def query_contains(self, vector: np.ndarray, k: int, text: str, where: Where | None) -> list[int]:
        raise NotImplementedError

    def query_hybrid(self, vector: np.ndarray, text: str, k: int) -> list[int]:
        """By vector and by words, fused."""
        raise NotImplementedError

    def get(self, ids: list[str]) -> int:
        """How many came, with documents and metadata."""
        raise NotImplementedError

    def get_where(self, where: Where, limit: int) -> int:
        raise NotImplementedError

    def count_where(self, where: Where) -> int:
        raise NotImplementedError

    def contains(self, text: str, where: Where | None) -> int:
        """How many documents hold the text (with case); all are fetched."""
        raise NotImplementedError

    def regex(self, pattern: str, where: Where | None) -> int:
        raise NotImplementedError

    def update_metadata(self, ids: list[str], metadatas: Sequence[Mapping[str, Any]]) -> None:
        raise NotImplementedError

    def update_vectors(self, records: Records) -> None:
        """The records exist."""
        raise NotImplementedError

    def upsert(self, records: Records) -> None:
        raise NotImplementedError

    def delete(self, ids: list[str]) -> None:
        raise NotImplementedError

    def compact(self) -> None:
        """Give space back, where the engine wants to be told."""


def sql(where: Where, equals: str = "=") -> str:
    """The filter as an expression over columns of the fields' names."""
    parts = []
    for key, wanted in where.items():
        if key in ("$and", "$or"):
            parts.append("(" + f" {key[1:]} ".join(sql(part, equals) for part in wanted) + ")")
        else:
            [(sign, operand)] = wanted.items() if isinstance(wanted, Mapping) else [("$eq", wanted)]
            parts.append(f"{key} {equals if sign == '$eq' else SIGNS[sign]} {literal(operand)}")
    return " and ".join(parts)


def literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower() if isinstance(value, bool) else str(value)
