"""A gate that calls pass through: shut it, and it waits until everyone inside has left."""

from __future__ import annotations

import threading

from chroma_plugin.errors import ChromaError


class Gate:
    """``with gate:`` around every use of something that may be taken away. Threads may pass at the same time."""

    def __init__(self) -> None:
        self._inside = 0
        self._refusal: ChromaError | None = None
        # Passed by every call: a condition in front of its lock would double what that costs.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    def __enter__(self) -> None:
        with self._lock:
            if self._refusal is not None:
                raise type(self._refusal)(*self._refusal.args)
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._refusal is not None:
                self._changed.notify_all()

    def shut(self, refusal: ChromaError) -> bool:
        """From now on, refuse with this error; return when nobody is inside. False when it was shut before."""
        with self._changed:
            first = self._refusal is None
            if first:
                self._refusal = refusal
            self._changed.wait_for(lambda: self._inside == 0)
            return first

    def reopen(self) -> None:
        """Let calls pass again."""
        with self._changed:
            self._refusal = None
