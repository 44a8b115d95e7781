"""What a backend tells about a damaged store, and about what it could save of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(slots=True)
class RepairedCollection:
    """What became of the records of one collection."""

    name: str
    kept: int = 0
    """Records that are there, all with their vectors."""
    lost: list[str] = field(default_factory=list)
    """Ids of the records that are not, as far as they are known."""
    lost_unknown: int = 0
    """How many records more, of which not even the id could be read."""
    incomplete: list[str] = field(default_factory=list)
    """Ids of kept records whose document, metadata or URI could not be read."""

    @property
    def whole(self) -> bool:
        return not (self.lost or self.lost_unknown or self.incomplete)


@dataclass(slots=True)
class Repair:
    """What was done."""

    originals: Path | None = None
    """The directory that holds all files as they were; None when nothing had to be done."""
    report: Path | None = None
    """A file there with what is left of the records that could not be kept whole: JSON, one to a line."""
    collections: list[RepairedCollection] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What was wrong."""
    notes: list[str] = field(default_factory=list)
    """What was left out or could not be verified, besides the records that are named."""

    @property
    def complete(self) -> bool:
        """Whether all that was there is there again."""
        return not self.notes and all(each.whole for each in self.collections)


class Repairer(Protocol):
    """Looks at one store that nobody has open, and mends it."""

    def faults(self) -> list[str]:
        """What is wrong with it, each naming a file; what makes itself anew is none of that. Changes nothing."""

    def repair(self) -> Repair:
        """Save what can be saved. The files as they were are kept."""
