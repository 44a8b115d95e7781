"""Everything that a client's database holds, in a new directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from chroma_plugin.backups import manifest
from chroma_plugin.backups.place import absolute, made
from chroma_plugin.backups.report import BackupReport, CollectionBackup
from chroma_plugin.config import Settings
from chroma_plugin.copying import copy
from chroma_plugin.sessions.connection import Connection
from chroma_plugin.sessions.session import Session

if TYPE_CHECKING:
    from chroma_plugin.plugins import PluginManager

OnProgress: TypeAlias = Callable[[str, int, int], object]
"""Called with what is being copied, how much of it is done, and how much there is: ``"bytes"``; or, from an engine
that keeps no files here, the name of a collection, in records.
"""
BYTES: Final = "bytes"


def backup(
    session: Session, path: str | Path, plugins: PluginManager, on_progress: OnProgress | None = None
) -> BackupReport:
    """Write all tenants and databases to `path`, which must not exist. See `Client.backup`."""
    place, told = absolute(path, "path"), on_progress or _silent
    with made(place) as directory:
        found = session.backend.backup(directory, lambda done, size: told(BYTES, done, size))
        if found is None:
            collections = _copied(session, directory, plugins, told)
        else:
            collections = [CollectionBackup(info.tenant, info.database, info.name, count) for info, count in found]
        written = manifest.write(directory, collections)
    return BackupReport(place, collections, written.bytes)


def _copied(
    session: Session, directory: Path, plugins: PluginManager, on_progress: OnProgress
) -> Sequence[CollectionBackup]:
    settings = Settings(chroma_db_impl="duckdb", persist_directory=directory)
    target = Connection(settings.target(plugins))
    try:
        report = copy(session, target.session, on_progress=on_progress)
    finally:
        target.close()
    return [CollectionBackup(each.tenant, each.database, each.name, each.records) for each in report.collections]


def _silent(what: str, done: int, size: int) -> None:
    pass
