"""What to do about a collection whose name is taken in the target."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from chroma_plugin.requests.choice import one_of

OnConflict: TypeAlias = Literal["resume", "skip", "merge"]
"""
``"resume"``: go on where an earlier copy stopped; anything but the beginning of the same collection is refused.
``"skip"``: leave it as it is.
``"merge"``: write what is missing or different, and leave what only the target has.
"""
CHOICES: Final[tuple[str, ...]] = get_args(OnConflict)


def check(on_conflict: str) -> None:
    one_of(on_conflict, "on_conflict", CHOICES)
