"""A store made of a backup again."""

from __future__ import annotations

from pathlib import Path

from chroma_plugin.backups import manifest
from chroma_plugin.backups.manifest import Manifest
from chroma_plugin.backups.place import absolute, made
from chroma_plugin.backups.report import BackupReport
from chroma_plugin.backups.writing import BYTES, OnProgress
from chroma_plugin.errors import CorruptionError, InvalidArgumentError, StorageError
from chroma_plugin.toolkit.files import copy_bytes

_WRITTEN_TO = (
    "If it was opened for writing since, it is a store as any other: open it with PersistentClient, or copy it with "
    "chroma-plugin backup. Else it is damaged: take an earlier backup."
)


def restore(backup: str | Path, path: str | Path, on_progress: OnProgress | None = None) -> BackupReport:
    """Copy a backup to `path`, which must not exist, and compare every file with what was backed up.

    What was restored opens with ``PersistentClient(path)``; the backup stays as it is. ``on_progress`` is called with
    ``"bytes"``, how many are done and how many there are.

    Raises NotFoundError for what is no backup; CorruptionError for one whose files are not those that were written;
    StorageError when there is something at `path` or it can't be written: then nothing was left there.
    """
    source, place = absolute(backup, "backup"), absolute(path, "path")
    if place.resolve().is_relative_to(source.resolve()):
        raise InvalidArgumentError(f"{place} is in the backup itself: restore it to elsewhere.")
    wanted = manifest.read(source)
    with made(place) as directory:
        _refuse_others(source, wanted)
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            if on_progress is not None:
                on_progress(BYTES, done, wanted.bytes)

        for name in wanted.files:
            _copy(source / name, directory / name)
            if manifest.entry(directory / name, count) != wanted.files[name]:
                raise CorruptionError(f"{source / name} is not what was backed up. {_WRITTEN_TO}")
    return BackupReport(place, wanted.collections, wanted.bytes)


def _refuse_others(source: Path, wanted: Manifest) -> None:
    """So that the names in the manifest are those of files that are there, in the backup and nowhere else."""
    found = set(manifest.names(source))
    for name in sorted(wanted.files.keys() - found):
        raise CorruptionError(f"{source / Path(name).name} of the backup is missing. {_WRITTEN_TO}")
    for name in sorted(found - wanted.files.keys()):
        raise StorageError(f"{source / name} is not of the backup. {_WRITTEN_TO}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as file:
        copy_bytes(file.fileno(), source.stat().st_size, target, lambda _: None)
