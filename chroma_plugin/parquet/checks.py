"""What users pass, and what comes out of a file, which is held to the same rules (`chroma_plugin.requests`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests import metadata, names
from chroma_plugin.requests.shown import kind
from chroma_plugin.types import CollectionInfo


def directory(value: Any) -> Path:
    """An absolute path. Raises InvalidArgumentError for what is none."""
    try:
        path = Path(value).absolute()
        bytes(path)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"directory must be a path, not {kind(value)}.") from error
    if "\0" in str(path):
        raise InvalidArgumentError(f"directory holds a NUL character, which no path has: {kind(value)}.")
    return path


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
