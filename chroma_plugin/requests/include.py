"""``include``: which parts of the records a result holds."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests.many import as_list
from chroma_plugin.types import Field
from chroma_plugin.wording import shown

Included: TypeAlias = Literal["documents", "embeddings", "metadatas", "distances", "scores", "uris", "data"]

_OF_RECORDS: Final[tuple[Included, ...]] = ("metadatas", "documents", "embeddings", "uris", "data")
_OF_HITS: Final[tuple[Included, ...]] = (*_OF_RECORDS, "distances")
_OF_RANKED: Final[tuple[Included, ...]] = (*_OF_RECORDS, "scores")
_FIELD: Final[dict[str, Field]] = {
    "documents": "documents",
    "embeddings": "embeddings",
    "metadatas": "metadatas",
    "uris": "uris",
    "data": "uris",
}


def get_include(value: Any) -> tuple[Included, ...]:
    """What a get may include, each once, in the order given."""
    return _checked(value, _OF_RECORDS)


def query_include(value: Any) -> tuple[Included, ...]:
    """What a query may include: the same and the distances."""
    return _checked(value, _OF_HITS)


def ranked_include(value: Any) -> tuple[Included, ...]:
    """What a search by text may include: the same as a get, and the scores."""
    return _checked(value, _OF_RANKED)


@lru_cache(maxsize=128)
def fields(include: tuple[Included, ...]) -> frozenset[Field]:
    """The columns that have to be read for it."""
    return frozenset(_FIELD[name] for name in include if name in _FIELD)


def _checked(value: Any, known: tuple[Included, ...]) -> tuple[Included, ...]:
    names = [value] if isinstance(value, str) else as_list([] if value is None else value, "include", "a name")
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise InvalidArgumentError(f"include holds {shown(name)}; it may hold {', '.join(known)}.")
    return tuple(dict.fromkeys(names))
