"""``group_by`` of Chroma's search: of the ranked records of each group only the first few by some keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.frozen import frozen
from chroma_plugin.requests.metadata import is_key
from chroma_plugin.requests.shown import kind
from chroma_plugin.types import Metadata
from chroma_plugin.wording import shown

SCORE: Final = "#score"
_AGGREGATES: Final = ("$min_k", "$max_k")
_RANKS: Final[Mapping[type, int]] = {bool: 1, int: 2, float: 2, str: 3}
_LISTS: Final = 4


@frozen
class GroupBy:
    keys: tuple[str, ...]
    """Of metadata; records without one are a group of their own."""
    order: tuple[str, ...]
    """Keys of metadata, or the score."""
    descending: bool
    count: int
    """How many are kept of each group."""

    def kept(self, ranked: Sequence[tuple[str, float]], metadata_of: Mapping[str, Metadata]) -> list[tuple[str, float]]:
        """Those of the ranked ids that are kept, in their order."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for place, (id, _) in enumerate(ranked):
            groups.setdefault(tuple(_sortable(metadata_of[id].get(key)) for key in self.keys), []).append(place)
        kept: list[int] = []
        for places in groups.values():
            places.sort(key=lambda place: self._order(ranked[place], metadata_of), reverse=self.descending)
            kept += places[: self.count]
        return [ranked[place] for place in sorted(kept)]

    def _order(self, ranked: tuple[str, float], metadata_of: Mapping[str, Metadata]) -> tuple[Any, ...]:
        id, score = ranked
        return tuple(_sortable(score if key == SCORE else metadata_of[id].get(key)) for key in self.order)


def parse(value: Any) -> GroupBy | None:
    """None for an empty object. Raises InvalidArgumentError."""
    if not value:
        return None
    if type(value) is not dict or set(value) != {"keys", "aggregate"}:
        raise InvalidArgumentError(f"group_by is an object with keys and aggregate, not {kind(value)}.")
    aggregate = value["aggregate"]
    if type(aggregate) is not dict or len(aggregate) != 1 or next(iter(aggregate)) not in _AGGREGATES:
        raise InvalidArgumentError(f"aggregate is an object with {' or '.join(_AGGREGATES)}, not {shown(aggregate)}.")
    [(operator, how)] = aggregate.items()
    if type(how) is not dict or set(how) != {"keys", "k"} or type(how["k"]) is not int or how["k"] < 1:
        raise InvalidArgumentError(f"{operator} is an object with keys and a positive k, not {shown(how)}.")
    return GroupBy(_keys(value["keys"], ()), _keys(how["keys"], (SCORE,)), operator == "$max_k", how["k"])


def _keys(value: Any, also: Sequence[str]) -> tuple[str, ...]:
    if type(value) is not list or not value:
        raise InvalidArgumentError(f"The keys of group_by are a list of metadata keys, not {kind(value)}.")
    for key in value:
        if type(key) is not str or not (key in also or is_key(key)):
            raise InvalidArgumentError(f"group_by can't use the key {shown(key)}.")
    return tuple(value)


def _sortable(value: Any) -> tuple[int, Any]:
    """None first, then bools, numbers, strings, then lists and objects by their text."""
    if value is None:
        return 0, 0
    rank = _RANKS.get(type(value), _LISTS)
    return rank, orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if rank == _LISTS else value
