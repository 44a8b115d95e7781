"""Python's side of ``shim.c``: compiled here, preloaded by `nursery`, switched on in the children."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import asdict, dataclass
from enum import IntEnum, IntFlag
from functools import cache
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("shim.c")
COMPILER = shutil.which("cc")


class Mode(IntEnum):
    """What happens at the chosen change."""

    COUNT = 1
    KILL_BEFORE = 2
    KILL_HALFWAY = 3
    """In the middle of a write."""
    KILL_AFTER = 4
    FAIL = 5
    FAIL_HALFWAY = 6
    """A write takes half, and what follows fails: so a disk fills up."""
    STOP = 7
    """All of the process stops (SIGSTOP), after that change and each that follows; a write becomes two of them."""


class Kind(IntFlag):
    """A way to change a file, or the directory that names it."""

    CREATE = 1
    WRITE = 2
    RESIZE = 4
    ALLOCATE = 8
    RENAME = 16
    REMOVE = 32
    MAKE_DIRECTORY = 64
    SYNC = 128
    OPEN = 256
    """No change, but a call that may fail."""
    LINK = 512
    NOTE = 1024


CHANGES = Kind.CREATE | Kind.WRITE | Kind.RESIZE | Kind.ALLOCATE | Kind.RENAME | Kind.REMOVE
CHANGES |= Kind.MAKE_DIRECTORY | Kind.SYNC | Kind.LINK
GROWTH = Kind.CREATE | Kind.WRITE | Kind.ALLOCATE | Kind.MAKE_DIRECTORY
"""What a full disk refuses."""
OPENINGS = Kind.CREATE | Kind.OPEN
"""What a process without free descriptors is refused."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to happen, and when: at the ``at``-th change of those kinds, counted from 1."""

    mode: int = Mode.COUNT
    at: int = 0
    times: int = 1
    """In a row; -1 for all that follow."""
    kinds: int = CHANGES
    error: int = 0
    """An errno."""

    def plain(self) -> dict[str, Any]:
        """For a child."""
        return {name: int(value) for name, value in asdict(self).items()}


NONE = Fault()


def build(place: Path) -> Path:
    """The library, compiled once per place."""
    library = place / "faults.so"
    if not library.exists():
        unfinished = place / f"faults.{id(place)}.so"
        command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(unfinished), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        unfinished.replace(library)
    return library


# -- in a child, where the library is loaded -------------------------------------------------------------------------


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    library.faults_seen.restype = ctypes.c_long
    return library


def begin(directory: Path, fault: Fault, log: Path | None = None) -> None:
    """From now on, for this process."""
    _library().faults_begin(
        bytes(directory),
        int(fault.mode),
        int(fault.kinds),
        ctypes.c_long(fault.at),
        ctypes.c_long(fault.times),
        int(fault.error),
        bytes(log) if log is not None else b"",
    )


def end() -> None:
    """Let everything pass again."""
    _library().faults_end()


def seen() -> int:
    """How many changes were made since `begin`."""
    return int(_library().faults_seen())


def note(text: str) -> None:
    """Put a line between the changes that are recorded."""
    _library().faults_note(text.encode())
