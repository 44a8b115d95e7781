"""``chroma-plugin export`` and ``chroma-plugin import``: collections to and from Parquet files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chroma_plugin.cli.output import say, table
from chroma_plugin.cli.stores import StorePath, existing, opened
from chroma_plugin.parquet import TransferReport, export_collections, import_collections


class OnConflict(StrEnum):
    """What happens to a collection whose name is taken."""

    ERROR = "error"
    SKIP = "skip"
    MERGE = "merge"


def export(
    path: StorePath,
    directory: Annotated[Path, typer.Argument(help="Where the two Parquet files go.", show_default=False)],
    collection: Annotated[
        list[str] | None, typer.Option("--collection", "-c", help="Only this collection; may be repeated.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export that is there.")] = False,
) -> None:
    """Write the collections of a store to Parquet files that DuckDB, pandas and `import` read."""
    with existing(path) as client:
        report = export_collections(client, directory, names=collection, overwrite=overwrite)
    _show("Exported to", report)


def import_(
    path: StorePath,
    directory: Annotated[Path, typer.Argument(help="Where the Parquet files are.", show_default=False)],
    on_conflict: Annotated[
        OnConflict, typer.Option("--on-conflict", help="For collections whose names are taken.")
    ] = OnConflict.ERROR,
) -> None:
    """Read Parquet files of `export`, or of Chroma 0.3.x, into a store, which is made when it is not there."""
    with opened(path) as client:
        report = import_collections(client, directory, on_conflict=on_conflict.value)
    _show("Imported from", report)


def _show(what: str, report: TransferReport) -> None:
    say(f"{what} {report.directory}")
    rows = [*report.records.items(), *((name, "skipped: it exists already") for name in report.skipped)]
    table(("collection", "records"), rows)
