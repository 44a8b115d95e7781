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
    """Read everything as it is now, and write nothing: any number of processes may, while none that writes has it open.
    A writer may open it afterwards; `Client.refresh` takes over what it wrote.
    """
