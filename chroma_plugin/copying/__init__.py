"""Collections from any engine to any other: streamed, resumed where a run was cut, verified by count and checksum."""

from __future__ import annotations

from chroma_plugin.copying.choices import OnConflict
from chroma_plugin.copying.copying import OnProgress, copy
from chroma_plugin.copying.report import CollectionCopy, CopyReport

__all__ = ["CollectionCopy", "CopyReport", "OnConflict", "OnProgress", "copy"]
