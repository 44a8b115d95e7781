"""Everything at one moment in a directory of its own, verified; and back from there.

A backup is a store for the backend ``duckdb`` with one file more, ``backup.json`` (see `manifest`).
"""

from __future__ import annotations

from chroma_plugin.backups.report import BackupReport, CollectionBackup
from chroma_plugin.backups.restoring import restore
from chroma_plugin.backups.writing import OnProgress, backup

__all__ = ["BackupReport", "CollectionBackup", "OnProgress", "backup", "restore"]
