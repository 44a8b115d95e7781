"""Making many objects without Python's search for garbage."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_counting: Final = threading.Lock()
_inside: int = 0
_wanted: bool = True


@contextmanager
def uncollected() -> Iterator[None]:
    """Every 700 new dicts Python looks for garbage, now and then among all objects there are. There is none among
    copies, and the search takes as long as copying.

    Threads may be in here at the same time: the first turns the search off, the last on again, if it was on.
    """
    global _inside, _wanted
    with _counting:
        if not _inside:
            _wanted = gc.isenabled()
            gc.disable()
        _inside += 1
    try:
        yield
    finally:
        with _counting:
            _inside -= 1
            if not _inside and _wanted:
                gc.enable()
