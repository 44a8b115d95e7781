"""Memory that a large request needed goes back to the system when the request is over."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""The names of these settings in glibc's <malloc.h>; see mallopt(3)."""
_LARGE: Final = 1 << 20


def give_back_large_blocks() -> None:
    """Have glibc take blocks of a megabyte and more from the system and return them at once.

    It would keep up to 32 MB of each size that was freed once: with a few threads that parse large bodies, as much as
    the vectors of 50,000 records. Elsewhere than on glibc nothing happens.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_TRIM_THRESHOLD, _LARGE)
