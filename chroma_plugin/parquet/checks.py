"""What comes out of a file is held to the rules for what users pass (`chroma_plugin.requests`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests import metadata, names
from chroma_plugin.types import CollectionInfo


def collections(infos: Sequence[CollectionInfo]) -> None:
    """Raise InvalidArgumentError that lists every collection with a name or metadata that can't be taken over."""
    faults = [fault for info in infos if (fault := _fault(info))]
    places = Counter((info.tenant, info.database, info.name) for info in infos)
    faults += [f"{name!r} stands {times} times." for (_, _, name), times in places.items() if times > 1]
    if faults:
        raise InvalidArgumentError(
            f"{len(faults)} collection(s) can't be taken over; repair them with the release that wrote them:\n"
            + "\n".join(f"- {fault}" for fault in faults)
        )


def _fault(info: CollectionInfo) -> str:
    try:
        names.collection_name(info.name)
        metadata.collection_metadata(info.metadata)
    except InvalidArgumentError as error:
        return f"{info.name!r}: {error}"
    return ""


@contextmanager
def naming(info: CollectionInfo, first: int) -> Iterator[None]:
    """Say in an error about a batch of records in which collection they are, and which record is counted as 0."""
    try:
        yield
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"In collection {info.name!r}, counted from its record {first}: {error}") from error
