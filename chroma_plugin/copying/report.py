"""What a copy did."""

from __future__ import annotations

from collections.abc import Sequence

from chroma_plugin.frozen import frozen


@frozen
class CollectionCopy:
    """One collection, copied and verified."""

    tenant: str
    database: str
    name: str
    records: int
    """How many it has in the source; the target has been read back and has the same."""
    written: int
    """How many of them this run wrote; the others were there already."""
    checksum: str
    """Over ids, embeddings, documents, metadata and URIs in the source's order; hexadecimal."""
    exact: bool = True
    """False: the target keeps embeddings of this cosine collection normalised; their directions are the same."""


@frozen
class CopyReport:
    """Every collection of a copy."""

    collections: Sequence[CollectionCopy]
    skipped: Sequence[str] = ()
    """Names that were taken and left as they are (``on_conflict="skip"``)."""

    @property
    def records(self) -> int:
        return sum(collection.records for collection in self.collections)

    @property
    def written(self) -> int:
        return sum(collection.written for collection in self.collections)
