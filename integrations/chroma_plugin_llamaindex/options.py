"""What `ChromaPluginVectorStore.query` takes besides the query: LlamaIndex's ``vector_store_kwargs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from chroma_plugin.errors import InvalidArgumentError

_PREFETCH_FACTOR: Final = 4.0


@dataclass(frozen=True, slots=True)
class Options:
    """The extras of one query, checked."""

    where: Any = None
    """A filter in Chroma's form; what it leaves must match the filters of the query as well."""
    where_document: Mapping[str, Any] | None = None
    include: Sequence[str] = ()
    """``["embeddings"]``: the nodes get theirs."""
    max_distance: float | None = None
    exact: bool = False
    mmr_threshold: float | None = None
    mmr_prefetch_factor: float | None = None
    """So many times similarity_top_k candidates are chosen from; 4.0 by default."""
    mmr_prefetch_k: int | None = None
    """So many candidates are chosen from."""

    def threshold(self, of_query: float | None) -> float:
        """How much nearness counts in MMR, from 0 to 1, against being different: 0.5 when nobody says."""
        given = of_query if self.mmr_threshold is None else self.mmr_threshold
        return 0.5 if given is None else between_0_and_1(given, "mmr_threshold")

    def prefetch(self, k: int) -> int:
        """How many candidates MMR chooses k from."""
        if self.mmr_prefetch_k is not None:
            return max(int(self.mmr_prefetch_k), k)
        factor = _PREFETCH_FACTOR if self.mmr_prefetch_factor is None else self.mmr_prefetch_factor
        return max(int(k * factor), k)


_NAMES: Final = tuple(field.name for field in fields(Options))


def options_of(given: Mapping[str, Any]) -> Options:
    """Raises InvalidArgumentError for an unknown name, and for two that contradict each other."""
    unknown = sorted(given.keys() - set(_NAMES))
    if unknown:
        raise InvalidArgumentError(f"query has no argument {unknown[0]!r}; it takes {', '.join(_NAMES)}.")
    options = Options(**given)
    if options.mmr_prefetch_factor is not None and options.mmr_prefetch_k is not None:
        raise InvalidArgumentError("Give mmr_prefetch_factor or mmr_prefetch_k, not both.")
    return options


def between_0_and_1(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidArgumentError(f"{name} must be a number from 0 to 1, not {value!r:.100}.")
    return float(value)
