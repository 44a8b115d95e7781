"""What an export or an import did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from chroma_plugin.frozen import frozen


@frozen
class TransferReport:
    """The directory, and how many records of each collection were written."""

    directory: Path
    records: Mapping[str, int]
    """Collection name -> records written."""
    skipped: tuple[str, ...] = field(default=())
    """Names of collections that were left as they are (``on_conflict="skip"``)."""
