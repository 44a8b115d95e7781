"""``chroma-plugin info``: what is in a directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from chroma_plugin.cli.output import as_json, table
from chroma_plugin.cli.stores import StorePath, existing


def info(path: StorePath, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show what is in a store: where it is, its collections, their records, dimension, distance and index."""
    with existing(path, read_only=True) as client:
        facts = client.info()
    if json:
        as_json(facts)
    else:
        _show(facts)


def _show(facts: Mapping[str, Any]) -> None:
    table(("", ""), [(name, value) for name, value in facts.items() if name != "collections"])
    columns = ("name", "count", "dimension", "space")
    table(
        (*columns, "store"),
        [
            (*(collection.get(column) for column in columns), _flat(collection.get("store", {})))
            for collection in facts["collections"]
        ],
    )


def _flat(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())
