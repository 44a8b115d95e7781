"""Work that nobody waits for: one thread per backend, stopped before the interpreter ends."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable

from chroma_plugin.toolkit.freed import give_back

logger = logging.getLogger("chroma_plugin")


class Background:
    """Runs jobs one after another in a thread that starts with the first and ends when idle.

    A job looks at `stopping` now and then and gives up when it is set. Jobs must only do what can be done again: a
    failure is logged, not raised.
    """

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        # A thread inside hnswlib while the interpreter is torn down would take the process with it.
        _every.add(self)

    def stopping(self) -> bool:
        return self._stop.is_set()

    def pause(self, seconds: float) -> None:
        """Sleep, but not past `close`."""
        self._stop.wait(seconds)

    def submit(self, job: Callable[[], None]) -> None:
        """Run the job some time later; a job that is waiting already is not queued twice."""
        with self._changed:
            if self._stop.is_set() or job in self._jobs:
                return
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="chroma-plugin-background", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Drop what waits, stop what runs, and wait for that."""
        with self._changed:
            self._stop.set()
            self._jobs.clear()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def wait(self) -> None:
        """Until everything submitted so far is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._thread is None)

    def _run(self) -> None:
        while job := self._next():
            try:
                job()
            except Exception:
                logger.exception("Work in the background failed; it will be tried again later.")
            if not self._jobs:
                give_back()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            if self._jobs and not self._stop.is_set():
                return self._jobs.popleft()
            self._thread = None
            self._changed.notify_all()
            return None


_every: weakref.WeakSet[Background] = weakref.WeakSet()


if hasattr(os, "register_at_fork"):
    # A process that was forked off has none of the threads, and must not wait for them.
    os.register_at_fork(after_in_child=_every.clear)


@atexit.register
def _close_every() -> None:
    for background in list(_every):
        background.close()
