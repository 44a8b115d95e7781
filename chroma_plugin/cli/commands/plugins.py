"""``chroma-plugin plugins``: what is registered, by whom, and what is wrong with it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chroma_plugin.cli.output import as_json, say, table
from chroma_plugin.plugins import Row, State, default_manager

FAULTS = frozenset({State.BROKEN, State.DUPLICATE, State.OUTDATED})


def plugins(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List backends, embedding functions and integrations, and every plug-in that could not be loaded.

    Exit code 1 when a plug-in is broken, doubled or outdated.
    """
    rows = list(default_manager().report())
    if json:
        as_json([as_dict(row) for row in rows])
    else:
        show(rows)
    if any(row.state in FAULTS for row in rows):
        raise typer.Exit(1)


def as_dict(row: Row) -> dict[str, Any]:
    return {
        "plugin": row.plugin,
        "distribution": row.distribution,
        "kind": row.kind,
        "names": list(row.names),
        "state": row.state.value,
        "reason": row.reason,
    }


def show(rows: list[Row]) -> None:
    if not rows:
        say("No plug-ins.")
        return
    table(
        ("kind", "names", "plug-in", "state"),
        [
            (row.kind, ", ".join(row.names), f"{row.plugin} ({row.distribution})", _state(row))
            for row in sorted(rows, key=lambda row: (row.kind, row.names))
        ],
    )


def _state(row: Row) -> str:
    return f"{row.state.value}: {row.reason}" if row.reason else row.state.value
