"""The target is read back, and compared with what was read from the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from chroma_plugin.copying.batches import SIZE
from chroma_plugin.copying.checksum import digest
from chroma_plugin.copying.resuming import only_lengths_differ
from chroma_plugin.errors import CorruptionError
from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.types import FIELDS, Records, Scan, concatenate


def verify(source: OpenCollection, digests: Sequence[bytes], read_back: Iterator[Records], first: int = 0) -> bool:
    """Whether all is there bit for bit; False when only the lengths of embeddings in a cosine collection differ.

    ``digests`` and ``read_back`` begin with the batch of that number.

    Raises CorruptionError that names the first records that differ.
    """
    exact = True
    for number, (expected, theirs) in enumerate(zip_longest(digests, read_back), first):
        if expected is None and theirs is not None and len(theirs):
            raise _differs(source, number, "has records that the source did not have")
        if theirs is None:
            raise _differs(source, number, "has fewer records")
        if expected is not None and digest(theirs) != expected:
            if not _only_lengths_differ(source, number, theirs):
                raise _differs(source, number, "has other records")
            exact = False
    return exact


def _only_lengths_differ(source: OpenCollection, number: int, theirs: Records) -> bool:
    with source.reading() as store:
        found = list(store.scan(Scan(offset=number * SIZE, limit=SIZE, fields=FIELDS)))
    return bool(found) and only_lengths_differ(source, concatenate(found), theirs)


def _differs(source: OpenCollection, number: int, how: str) -> CorruptionError:
    return CorruptionError(
        f"The copy of {source.info.name!r} is not what was read from there: from record {number * SIZE} on it {how}. "
        "If the source is not being written to, delete the copy and report this; else copy again with "
        "on_conflict='merge'."
    )
