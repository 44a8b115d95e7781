"""What an engine's own client has to do, so that the plug-in can be measured beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """Records, as both sides get them."""

    ids: Sequence[str]
    embeddings: Matrix
    documents: Sequence[str]
    metadatas: Sequence[dict[str, Any]]


class Direct(ABC):
    """A collection by cosine in an engine, through nothing but the engine's own client: with the same indexes as ours,
    and as durable.
    """

    searches_words: ClassVar[bool] = False
    """Whether the engine has an index of words: then writes are measured without it, too."""

    defers: ClassVar[bool] = False
    """Whether it puts work off and does that of a few batches in one of them: then an ingest is the mean."""

    @staticmethod
    @abstractmethod
    def made() -> AbstractContextManager[str]:
        """The address of an empty engine that is gone afterwards."""

    @staticmethod
    @abstractmethod
    def settings(address: str, *, words: bool) -> dict[str, Any]:
        """What `chroma_plugin.Client` is made with to use the same engine; ``words``: with an index for text search."""

    @abstractmethod
    def __init__(self, address: str, dimension: int, *, words: bool) -> None: ...

    @abstractmethod
    def add(self, batch: Batch) -> None:
        """Write records whose ids are new."""

    @abstractmethod
    def index(self) -> None:
        """Build the index over the vectors, and wait for it."""

    def settle(self) -> None:
        """Wait until the engine is done in the background with what both sides wrote."""

    @abstractmethod
    def query(self, queries: Matrix, k: int, kind: str | None = None) -> list[list[Any]]:
        """For each query the k nearest as (id, document, metadata, distance); ``kind``: of those whose metadata says
        so.
        """

    @abstractmethod
    def get(self, ids: Sequence[str]) -> list[Any]:
        """(id, document, metadata) of these."""

    @abstractmethod
    def processes(self) -> list[int] | None:
        """Those of the engine besides this one, whose time counts; None where they can't be seen."""

    @abstractmethod
    def close(self) -> None:
        """Delete what was made."""
