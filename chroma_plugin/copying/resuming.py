"""How much of a collection an earlier copy has brought over.

A copy writes in the order of insertion, batch after batch, so one that was cut left the beginning of the collection.
What is in the target is compared with that beginning, record by record; anything else is not a copy of ours, and is
refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chroma_plugin.copying.batches import in_order
from chroma_plugin.copying.checksum import digest, same_directions
from chroma_plugin.embedding_functions.identity import known_name
from chroma_plugin.errors import UniqueConstraintError
from chroma_plugin.frozen import frozen
from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.types import Metric, Records


@frozen
class Start:
    """Where a copy begins: after so many records, in batches with these digests."""

    records: int
    digests: list[bytes]
    exact: bool
    """They are the same bit for bit, not only but for the lengths of embeddings."""


NOTHING: Final = Start(0, [], exact=True)


def brought_over(source: OpenCollection, target: OpenCollection) -> Start:
    """The source's batches that are in the target, whole; one of which a part is there, is written again.

    Raises UniqueConstraintError when the target is another collection, or has other records.
    """
    differing = unlike(source, target)
    if differing:
        raise taken(target, f"it has {differing}")
    with source.reading() as here, target.reading() as there:
        counted, expected = there.count(), here.count()
    if counted > expected:
        raise taken(target, f"it has {counted} records, more than the {expected} to copy")
    whole = list(_whole_batches(source, target))
    return Start(
        records=sum(count for count, _, _ in whole),
        digests=[known for _, known, _ in whole],
        exact=all(exact for _, _, exact in whole),
    )


def unlike(source: OpenCollection, target: OpenCollection) -> str:
    """How two collections differ that should be one, in words; empty when they do not."""
    mine, theirs = source.info, target.info
    differences = {
        "another distance": mine.metric is not theirs.metric,
        "another dimension": None not in (mine.dimension, theirs.dimension) and mine.dimension != theirs.dimension,
        "another embedding function": _function(source) != _function(target),
        "other metadata": (mine.metadata or None) != (theirs.metadata or None),
    }
    return ", ".join(name for name, differs in differences.items() if differs)


def taken(target: OpenCollection, why: str) -> UniqueConstraintError:
    return UniqueConstraintError(
        f"There is a collection {target.info.name!r} already, which is not the beginning of this copy: {why}. "
        "Nothing was copied. Use on_conflict='merge' or 'skip', or delete or rename that collection."
    )


def _function(collection: OpenCollection) -> str | None:
    return known_name(collection.info.configuration.get("embedding_function"))


def _whole_batches(source: OpenCollection, target: OpenCollection) -> Iterator[tuple[int, bytes, bool]]:
    """How many records each has, its digest, and whether the target has it bit for bit."""
    done = 0
    for mine, theirs in zip(in_order(source), in_order(target), strict=False):
        beginning = mine if len(theirs) == len(mine) else mine.take(range(len(theirs)))
        known = digest(beginning)
        exact = known == digest(theirs)
        if not exact and not only_lengths_differ(source, beginning, theirs):
            raise taken(target, f"its records differ from record {done} on")
        if len(theirs) == len(mine):
            yield len(mine), known, exact
        done += len(theirs)


def equal(source: OpenCollection, mine: Records, theirs: Records) -> bool:
    """Bit for bit; in a cosine collection but for the lengths of embeddings."""
    return digest(mine) == digest(theirs) or only_lengths_differ(source, mine, theirs)


def only_lengths_differ(source: OpenCollection, mine: Records, theirs: Records) -> bool:
    """Some engines normalise the embeddings of a cosine collection."""
    return source.info.metric is Metric.COSINE and same_directions(mine, theirs)
