"""``chroma-plugin embeddings``: the weights of the default embedding function."""

from __future__ import annotations

from typing import Annotated

import typer

from chroma_plugin.cli.output import as_json, say

app = typer.Typer(help="The weights of the default embedding function.", no_args_is_help=True)


@app.command("fetch")
def fetch() -> None:
    """Find the weights on this machine, or download them once (91 MB), and check them."""
    from chroma_plugin.embedding_functions.minilm import weights

    say(f"The weights are in {weights.fetch(progress=True)}")


@app.command("status")
def status(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say where the weights are, without a download. Exit code 1 when they are nowhere on this machine."""
    from chroma_plugin.embedding_functions.minilm import weights

    found = weights.status()
    if json:
        as_json(found)
    elif found["available"]:
        say(f"{found['model']}: {found['path']} ({found['source']})")
    else:
        say(f"{found['model']} is not on this machine: chroma-plugin embeddings fetch")
    if not found["available"]:
        raise typer.Exit(1)
