"""DuckDB keeps one instance of a file in a process, and a process that was forked off has a copy of its parent's.

Whoever opens the same file there is given that copy: without a lock, with a picture of the file that is no longer true.
So files that DuckDB had open at the moment of the fork are not opened again in the child, not even after the parent
has closed them.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chroma_plugin.errors import LockedError

if TYPE_CHECKING:
    from chroma_plugin_duckdb.file import File

_files: Final[weakref.WeakSet[File]] = weakref.WeakSet()
_inherited: Final[dict[Path, int]] = {}
"""The process that had each file open."""


def watch(file: File) -> None:
    """Remember it, should this process be forked."""
    _files.add(file)


def refuse_inherited(path: Path) -> None:
    """Raise LockedError for a file that DuckDB had open when this process was forked off."""
    if (parent := _inherited.get(path.resolve())) is not None:
        raise LockedError(
            f"{path} was open in process {parent} when this one was forked off from it, and can't be opened in a fork. "
            "Open it there only after forking, or start this process anew: multiprocessing.get_context('spawn').",
            parent,
        )


def _after_fork() -> None:
    _inherited.update({file.path.resolve(): os.getppid() for file in list(_files) if file.touched and not file.closed})
    _files.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
