"""The moments of a record at which the power may go, and what a store may hold then."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from faults.disks import Change, Disk
from faults.shim import Kind


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment at which the power goes."""

    number: int
    """Of the last change."""
    disk: Disk
    allowed: list[int]
    """After how many operations the store may be: all that were done, with or without the one that was cut."""


def cuts(changes: Sequence[Change], points: Container[int], disk: Disk, done: int = 0) -> Iterator[Cut]:
    """Those of the moments, in their order; before the first change, so many operations were done."""
    begun = done
    for number, change in enumerate(changes, 1):
        if change.kind is not Kind.NOTE:
            disk.apply(change)
        done += change.path.startswith("done ")
        begun += change.path.startswith("begin ")
        if number in points:
            yield Cut(number, disk, sorted({done, begun}))
