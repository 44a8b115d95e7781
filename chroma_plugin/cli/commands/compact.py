"""``chroma-plugin compact``: give back the space of what was deleted."""

from __future__ import annotations

from pathlib import Path

from chroma_plugin.cli.output import say
from chroma_plugin.cli.stores import StorePath, existing


def compact(path: StorePath) -> None:
    """Rewrite the files of a store without what was deleted. No other process may have it open."""
    before = size(path)
    with existing(path) as client:
        client.compact()
    say(f"{megabytes(before)} before, {megabytes(size(path))} now.")


def size(path: Path) -> int:
    """Bytes of all files under a directory."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
