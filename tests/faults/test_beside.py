"""A reader beside a writer that is in the middle of changing its files, at any change of any file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from faults.judging import changes_of, look_beside
from faults.nursery import Nursery
from faults.sizes import Size, sized


@sized(few=6, sample=30, seeds=2)
def test_read_beside_a_writer(nursery: Nursery, place: Path, size: Size, tally: Counter[str]) -> None:
    """The writer is stopped there, in the middle of writes too. Who looks sees all that was
    acknowledged, nothing in halves, and the writer goes on as if nobody had looked.
    """
    changes = changes_of(nursery, place, size)
    tally["looks"] += look_beside(nursery, place, size, list(size.some(changes)))
