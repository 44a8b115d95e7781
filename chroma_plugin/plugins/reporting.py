"""The report: what each plug-in gave, or why it gave nothing."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from chroma_plugin.frozen import frozen


class State(Enum):
    """What became of one registration."""

    OK = "ok"
    BROKEN = "broken"
    DUPLICATE = "duplicate"
    """Another plug-in has the name."""
    OUTDATED = "outdated"
    """Written for another version of the contract."""
    DISABLED = "disabled"
    MISSING = "missing requirement"


@frozen
class Row:
    """One thing that a plug-in registered, or one reason why it could not."""

    plugin: str
    distribution: str
    """Name and version, e.g. ``"chroma-plugin 0.1.0"``; empty for an object that was passed to the manager."""
    kind: str
    """``"backend"``, ``"embedding function"``, ``"integration"``, or empty when the plug-in got not that far."""
    names: tuple[str, ...]
    """The name and the aliases."""
    state: State
    reason: str = ""

    def __str__(self) -> str:
        origin = f"{self.plugin} ({self.distribution})" if self.distribution else self.plugin
        return f"{origin}: {self.state.value}: {self.reason}" if self.reason else f"{origin}: {self.state.value}"


@frozen
class Report:
    """All rows, in the order in which plug-ins are asked: given ones, built-in ones, installed ones."""

    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        header = ("plug-in", "distribution", "kind", "names", "state", "reason")
        table = [header, *(_cells(row) for row in self.rows)]
        widths = [max(len(cells[column]) for cells in table) for column in range(len(header))]
        return "\n".join("  ".join(map(str.ljust, cells, widths)).rstrip() for cells in table)


def _cells(row: Row) -> tuple[str, ...]:
    reason = " ".join(row.reason.split())  # a reason of several lines would break the table
    return (row.plugin, row.distribution, row.kind, ", ".join(row.names), row.state.value, reason)
