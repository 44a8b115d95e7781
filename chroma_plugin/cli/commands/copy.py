"""``chroma-plugin copy``: a database from one engine to another."""

from __future__ import annotations

import time
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chroma_plugin.cli import addresses
from chroma_plugin.cli.output import say, table
from chroma_plugin.cli.progress import bars, shown_in
from chroma_plugin.copying import CollectionCopy, CopyReport
from chroma_plugin.errors import InvalidArgumentError, UniqueConstraintError
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT

if TYPE_CHECKING:
    from chroma_plugin.api.client import Client


class OnConflict(StrEnum):
    """What happens to a collection whose name is taken."""

    RESUME = "resume"
    SKIP = "skip"
    MERGE = "merge"


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help=f"What to copy: {addresses.FORMS}.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where to: the same forms.")],
    collection: Annotated[
        list[str] | None, typer.Option("--collection", "-c", help="Only this collection; may be repeated.")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant.", show_default=False)] = None,
    database: Annotated[str | None, typer.Option("--database", help="Only this database.", show_default=False)] = None,
    on_conflict: Annotated[
        OnConflict,
        typer.Option("--on-conflict", help="For collections that are there: go on where a copy was cut; skip; merge."),
    ] = OnConflict.RESUME,
    from_option: Annotated[
        list[str] | None, typer.Option("--from-option", help="name=value for FROM's backend; may be repeated.")
    ] = None,
    to_option: Annotated[
        list[str] | None, typer.Option("--to-option", help="name=value for TO's backend; may be repeated.")
    ] = None,
) -> None:
    """Copy collections from any engine to any other, and verify the copy by count and checksum.

    FROM may be a store of ours, a server, a directory that Chroma 0.3 or chromadb 0.4 to 1.x wrote. A copy that was cut
    goes on when the command is given again.
    """
    from chroma_plugin import Client

    here, there = addresses.source(source, from_option or []), addresses.target(target, to_option or [])
    if source == target:
        raise InvalidArgumentError(f"FROM and TO are the same: {source!r}.")
    place = (tenant or DEFAULT_TENANT, database or DEFAULT_DATABASE)
    everything = tenant is None and database is None
    with Client(here) as reader, Client(there) as writer:
        if not everything:
            reader.set_tenant(*place)
            _work_in(writer, *place)
        start = time.perf_counter()
        with bars() as shown:
            report = reader.copy_to(
                writer,
                names=collection,
                everything=everything,
                on_conflict=on_conflict.value,
                on_progress=shown_in(shown),
            )
    _show(report, time.perf_counter() - start)


def _work_in(writer: Client, tenant: str, database: str) -> None:
    """That database of the target, which is made when it is not there."""
    with suppress(UniqueConstraintError):
        writer.create_tenant(tenant)
    with suppress(UniqueConstraintError):
        writer.create_database(database, tenant)
    writer.set_tenant(tenant, database)


def _show(report: CopyReport, seconds: float) -> None:
    rows = [_row(copied) for copied in report.collections]
    table(("collection", "records", "written now", "verified", "checksum"), rows)
    for name in report.skipped:
        say(f"Skipped: {name}, which exists already.")
    if report.written and seconds:
        say(
            f"{report.written:,} records written and read back in {seconds:.1f} s, "
            f"{report.written / seconds:,.0f} a second"
        )


def _row(copied: CollectionCopy) -> tuple[object, ...]:
    how = "bit for bit" if copied.exact else "all but the lengths of embeddings"
    place = (copied.tenant, copied.database)
    name = copied.name if place == (DEFAULT_TENANT, DEFAULT_DATABASE) else "/".join((*place, copied.name))
    return name, copied.records, copied.written, how, copied.checksum
