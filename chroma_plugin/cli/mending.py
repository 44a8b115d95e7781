"""``chroma-plugin doctor --repair``: what was found, what was saved, and what was not."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from chroma_plugin.cli.output import as_json, say, table
from chroma_plugin.cli.stores import repairer_of

if TYPE_CHECKING:
    from chroma_plugin.repairing import Repair


def mend(path: Path | None, *, json: bool) -> None:
    """Exit code 1 when not all could be saved."""
    if path is None:
        raise typer.BadParameter("--repair needs the PATH of a store.")
    done = repairer_of(path).repair()
    if json:
        as_json(_plain(done))
    else:
        _show(done)
    if not done.complete:
        raise typer.Exit(1)


def _plain(done: Repair) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(done).items()}


def _show(done: Repair) -> None:
    if done.originals is None:
        say("Nothing is damaged; nothing was changed.", "bold")
        return
    for line in (*done.faults, *done.notes):
        say(line)
    rows = [
        (each.name, str(each.kept), str(len(each.lost) + each.lost_unknown), str(len(each.incomplete)))
        for each in done.collections
    ]
    table(("collection", "saved", "lost", "saved in part"), rows)
    say(f"The files as they were are in {done.originals}: delete it when all is well.", "bold")
    if done.report is not None:
        say(f"What is left of the records that are lost or saved in part: {done.report}")
