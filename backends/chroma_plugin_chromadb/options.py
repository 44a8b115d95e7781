"""What users may set for the ``chromadb`` backend."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ChromadbOptions:
    """Options of the ``chromadb`` backend."""

    persist_directory: str | Path
    """The directory with ``chroma.sqlite3`` in it."""
    read_only: bool = True
    """There is no other way; it is here for who says so."""
