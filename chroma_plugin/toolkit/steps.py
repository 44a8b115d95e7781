"""What a search did, step by step, for those who ask."""

from __future__ import annotations

import time
from typing import Any, Final


class Steps:
    """Milliseconds by the name of the step, and facts found on the way."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self.facts: dict[str, Any] = {}
        self._last = time.perf_counter()

    def done(self, name: str) -> None:
        """The time since the last step was spent on this one."""
        now = time.perf_counter()
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + (now - self._last) * 1_000
        self._last = now

    def note(self, **facts: Any) -> None:
        self.facts |= facts

    def told(self) -> dict[str, Any]:
        """All of it, as plain JSON."""
        return self.facts | {"milliseconds": {name: round(spent, 4) for name, spent in self.milliseconds.items()}}


class _Silent(Steps):
    """What nobody asked for."""

    def done(self, name: str) -> None:
        pass

    def note(self, **facts: Any) -> None:
        pass


SILENT: Final[Steps] = _Silent()
