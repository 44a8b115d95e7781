"""``backup.json``: what is in a backup, and by what its files are known.

::

    {"format": 1, "written_by": "0.1.0", "made": "2026-01-31T12:00:00+00:00",
     "collections": [{"tenant": ..., "database": ..., "name": ..., "records": ...}, ...],
     "files": {"chroma.duckdb": {"bytes": ..., "sha256": ...}, ...}}
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from chroma_plugin.backups.report import CollectionBackup
from chroma_plugin.errors import CorruptionError, NotFoundError, StorageError
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit.formats import refuse_newer
from chroma_plugin.version import __version__

NAME: Final = "backup.json"
_FORMAT: Final = 1
_PIECE: Final = 1 << 20


@frozen
class Entry:
    """A file, and what it is known by."""

    bytes: int
    sha256: str


@frozen
class Manifest:
    """What was backed up."""

    collections: Sequence[CollectionBackup]
    files: dict[str, Entry]
    """By their path in the backup, with slashes."""

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.files.values())


def write(directory: Path, collections: Sequence[CollectionBackup]) -> Manifest:
    """Note what is in a directory that is a backup from now on."""
    manifest = Manifest(collections, {name: entry(directory / name) for name in names(directory)})
    told = {
        "format": _FORMAT,
        "written_by": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        **asdict(manifest),
    }
    (directory / NAME).write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    return manifest


def read(directory: Path) -> Manifest:
    """Raises NotFoundError where there is no backup, CorruptionError or FormatVersionError when it can't be read."""
    path = directory / NAME
    try:
        told = orjson.loads(path.read_bytes())
        refuse_newer(path, told["format"], _FORMAT, told.get("written_by"))
        collections = [CollectionBackup(**each) for each in told["collections"]]
        return Manifest(collections, {name: Entry(**each) for name, each in told["files"].items()})
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(
            f"{directory} is no backup: it has no {NAME}. A store is copied with client.backup(path) or "
            "chroma-plugin backup PATH TARGET."
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptionError(f"{path} is damaged: {error}. Take an earlier backup.") from error


def names(directory: Path) -> Iterator[str]:
    """The files under a directory, but for the manifest. Raises StorageError for what is neither file nor directory."""
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise StorageError(f"{path} is no file of a backup: links and devices are not followed.")
        if path.is_file() and path != directory / NAME:
            yield path.relative_to(directory).as_posix()


def entry(path: Path, on_bytes: Callable[[int], object] = lambda _: None) -> Entry:
    """That of a file as it is now; ``on_bytes`` is called with how many more were read."""
    state, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            state.update(piece)
            size += len(piece)
            on_bytes(len(piece))
    return Entry(size, state.hexdigest())
