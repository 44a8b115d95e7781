"""``chroma-plugin backup`` and ``chroma-plugin restore``: everything in a directory of its own, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chroma_plugin.backups import BackupReport
from chroma_plugin.backups import restore as restored
from chroma_plugin.cli import addresses
from chroma_plugin.cli.output import say, table
from chroma_plugin.cli.progress import bars, shown_in
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT


def backup(
    source: Annotated[str, typer.Argument(metavar="PATH", help=f"What to back up: {addresses.FORMS}.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A directory, which must not exist.")],
    option: Annotated[
        list[str] | None, typer.Option("--option", help="name=value for PATH's backend; may be repeated.")
    ] = None,
) -> None:
    """Write everything in a store to a new directory, and verify it.

    The backup is a store that opens as it stands. A program that has the store open for writing makes
    its backups itself, with client.backup(path).
    """
    from chroma_plugin import Client

    with Client(addresses.source(source, option or [])) as client, bars() as shown:
        report = client.backup(target, on_progress=shown_in(shown))
    _show("Backed up to", report)


def restore(
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="A directory that `backup` made.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where the store goes; nothing must be there.")],
) -> None:
    """Make a store of a backup again, every file compared with what was backed up."""
    with bars() as shown:
        report = restored(backup, path, shown_in(shown))
    _show("Restored to", report)


def _show(what: str, report: BackupReport) -> None:
    table(
        ("collection", "records"),
        [(_name(each.tenant, each.database, each.name), each.records) for each in report.collections],
    )
    say(f"{what} {report.path}: {report.records:,} records, {report.bytes / 1e6:,.1f} MB, verified.")


def _name(tenant: str, database: str, name: str) -> str:
    """The collection's name, with its place if that is not the one everybody has."""
    return name if (tenant, database) == (DEFAULT_TENANT, DEFAULT_DATABASE) else "/".join((tenant, database, name))
