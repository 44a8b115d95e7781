"""Facts for people: a dict that prints as an outline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class Info(dict[str, Any]):
    """A plain dict of facts whose repr has one fact per line."""

    def __repr__(self) -> str:
        return "\n".join(_lines(self, ""))


def _lines(facts: Mapping[str, Any], indent: str) -> Iterator[str]:
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        nested = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if nested and all(isinstance(item, Mapping) for item in nested):
            yield f"{indent}{name}:"
            for item in nested:
                yield from _lines(item, indent + "    ")
        else:
            yield f"{indent}{name.ljust(width)}  {value}"
