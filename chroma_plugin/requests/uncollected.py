"""Making many objects without Python's search for garbage."""

from __future__ import annotations

import gc
import threading
from typing import Final


class _Uncollected:
    """Every 700 new dicts Python looks for garbage, now and then among all objects there are. There is none among
    copies, and the search takes as long as copying.

    Threads may be in here at the same time: the first turns the search off, the last on again, if it was on.
    """

    def __init__(self) -> None:
        self._counting = threading.Lock()
        self._inside = 0
        self._wanted = True

    def __enter__(self) -> None:
        with self._counting:
            if not self._inside:
                self._wanted = gc.isenabled()
                gc.disable()
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._counting:
            self._inside -= 1
            if not self._inside and self._wanted:
                gc.enable()


uncollected: Final = _Uncollected()
