"""Long work beside which nobody waits longer: on Linux it gets little more than what no other thread wants of the
processors.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

LAST: Final = 19
"""The priority of who gives way, by the scale of `nice`."""
_STARVED: Final = 5.0
"""Seconds after which others leave too little: a piece is some 0.05 s of work."""


class Aside:
    """Runs one long work, piece by piece.

    A piece must keep no lock, nor Python's: who wants it would wait for all others as well. While somebody waits for
    the work, and from the moment on when others leave it nothing, a piece runs where it is, like anything else.
    """

    def __init__(self, awaited: Callable[[], bool]) -> None:
        self._awaited = awaited
        self._starved = False

    def run(self, piece: Callable[[], object]) -> None:
        """The piece is done when this returns; what it raises is raised."""
        if self._starved or self._awaited():
            piece()
            return
        start = time.monotonic()
        _run_last(piece)
        self._starved = time.monotonic() - start > _STARVED


def _run_last(piece: Callable[[], object]) -> None:
    done: Future[None] = Future()
    threading.Thread(target=_give_way_and_run, args=(piece, done), name="chroma-plugin-aside", daemon=True).start()
    done.result()


def _give_way_and_run(piece: Callable[[], object], done: Future[None]) -> None:
    try:
        _give_way()
        piece()
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(None)


def _give_way() -> None:
    """This thread, and those that it starts, for good: there is no way back without privileges. SCHED_IDLE would leave
    them a fifth of that: adds and queries take the same time, and who closes a store on a busy machine waits longer.
    """
    if sys.platform == "linux":  # elsewhere the whole process would give way
        with suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, 0, LAST)
