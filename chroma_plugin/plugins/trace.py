"""``CHROMA_PLUGIN_TRACE=1``: discovery, hook calls and their results, as lines on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TypeAlias

Trace: TypeAlias = Callable[[str], None]


def trace_from_environment() -> Trace | None:
    """The writer to use, or None when nobody asked for a trace."""
    if os.environ.get("CHROMA_PLUGIN_TRACE", "").strip().lower() in ("", "0", "false", "no", "off"):
        return None
    return _write


def _write(text: str) -> None:
    for line in text.splitlines():
        sys.stderr.write(f"chroma_plugin: {line}\n")
