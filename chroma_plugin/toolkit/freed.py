"""Memory that was freed goes back to the system."""

from __future__ import annotations

import sys


def give_back() -> None:
    """Of what building and loading needed glibc would keep some 15 MB, for a thread that has ended. Elsewhere nothing
    happens.
    """
    import ctypes  # takes long

    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
