"""``chroma-plugin new-backend``: the package of a backend, to be filled with an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chroma_plugin.cli.output import say
from chroma_plugin.cli.scaffold import names, writing


def new_backend(
    name: Annotated[str, typer.Argument(help="What people will write: chroma_db_impl=NAME.", show_default=False)],
    into: Annotated[Path, typer.Option("--into", help="Where the package's folder is made.")] = Path("."),
) -> None:
    """Write a package with a backend that works, the tests of the contract, and what to do next."""
    made = names.checked(name)
    folder = writing.write(made, into)
    say(f"Wrote {folder}. Next:")
    say(f'  pip install -e "{folder}[test]"')
    say(f"  python -m chroma_plugin.testing {made.name}")
    say(f"and {folder / 'README.md'} lists what to do after that.")
