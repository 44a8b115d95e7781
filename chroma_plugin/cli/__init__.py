"""The command line: ``chroma-plugin --help``. It needs the extra ``cli``; this module alone needs nothing."""

from __future__ import annotations

import sys

_NEEDED = frozenset({"typer", "rich"})


def main() -> None:
    """The entry point. Without Typer and rich: one line that says how to install them, exit code 2."""
    try:
        from chroma_plugin.cli.app import app
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _NEEDED:
            raise
        sys.stderr.write(
            f"The command line needs {package}, which is not installed: pip install 'chroma-plugin[cli]'\n"
        )
        sys.exit(2)
    app()
