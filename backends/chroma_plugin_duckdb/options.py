"""What users may set for the ``duckdb`` backend."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DuckDBOptions:
    """Options of the ``duckdb`` backend."""

    persist_directory: str | Path = "./chroma"
    """The directory that holds the store; made when it does not exist."""
    read_only: bool = False
    """Read everything as it is now, and write nothing: any number of processes may, also beside one that writes.
    `Client.refresh` takes over what was written since.
    """
