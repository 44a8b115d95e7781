"""What an error about a damaged file says to do."""

from __future__ import annotations

from pathlib import Path


def way_out(store: Path | str = "PATH") -> str:
    """Of a file that is needed, of the store in that directory."""
    return f"Restore the directory from a backup, or save what can be saved: chroma-plugin doctor --repair {store}"
