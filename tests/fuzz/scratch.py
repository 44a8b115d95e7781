"""A directory for one process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path


def folder() -> Path:
    """A new one, removed when the process ends."""
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="chroma-plugin-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
