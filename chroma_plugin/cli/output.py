"""How the command line speaks: rich on a terminal, plain text in a pipe, JSON where a script asks for it.

rich leaves out colours by itself when the output is no terminal or ``NO_COLOR`` is set. What comes out of a store or
from a server may hold characters that a terminal obeys: they are shown, not sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chroma_plugin.wording import OBEYED, visible


def console() -> Console:
    """Standard output. Made at each use: tests and pipes exchange ``sys.stdout``."""
    return Console(highlight=False)


def errors() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def say(line: str, style: str = "") -> None:
    """One line of text; nothing in it is markup."""
    console().print(Text(visible(line), style), soft_wrap=True)


def error_line(message: str) -> None:
    """One line on standard error."""
    errors().print(Text(f"Error: {visible(message)}", "red"), soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows under headings, or without any when all are empty; cells are shown as they are, whatever they hold."""
    shown = Table(box=None, header_style="bold", pad_edge=False, show_header=any(columns))
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(cell if isinstance(cell, Text) else Text(visible(str(cell))) for cell in row))
    console().print(shown)


def as_json(value: Any) -> None:
    """One JSON document on standard output."""
    document = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    console().print(OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", document), markup=False, soft_wrap=True)
