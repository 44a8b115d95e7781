"""Collections in RAM."""

from __future__ import annotations

from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.catalog import NoCatalogJournal
from chroma_plugin.toolkit.journal import NoJournal
from chroma_plugin.toolkit.local_backend import LocalBackend
from chroma_plugin.types import CollectionInfo


@frozen
class MemoryOptions:
    """The ``memory`` backend has no options."""


class MemoryBackend(LocalBackend):
    """Everything in RAM; each instance is a database of its own."""

    def __init__(self, options: MemoryOptions) -> None:
        super().__init__(NoCatalogJournal())

    def journal(self, info: CollectionInfo) -> NoJournal:
        return NoJournal()
