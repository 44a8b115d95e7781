"""How a search is carried out: which rows are looked at, and how.

Three plans, each right, chosen by what they cost:

- *gather*: few rows qualify; their vectors are gathered and measured, exactly;
- *sweep*: every vector is measured and the rows that don't qualify are dropped, exactly;
- *graph*: the HNSW graphs are asked for more than k, dead and unqualified rows are dropped, and the rows no graph
  covers are measured exactly. When fewer than k are left, the sweep answers: a filter never costs results.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from chroma_plugin.toolkit.table import View

GATHER_SHARE: Final = 0.35
"""Gathering rows costs three times what sweeping them in place does, so below about a third of the rows it is cheaper
(50k x 384: 1 ms for 10 %, 3.3 ms for 30 %; a sweep is 4 ms)."""
GRAPH_SHARE: Final = 0.2
"""A graph asked for k / share results beats measuring the rows when at least a fifth of them qualify (50k x 384: 0.3 ms
against 1 ms and more); when they lie elsewhere in space, too few are left and the sweep answers."""
GRAPH_FROM: Final = 10_000
"""Rows from which a graph is worth having: a sweep of 10k x 384 takes 0.5 ms and is exact."""
TAIL_FROM: Final = 4_096
"""Loose rows that are worth a graph of their own once there is one: a sweep of 4k x 384 takes 0.2 ms."""


class Plan(Enum):
    GATHER = "gather"
    SWEEP = "sweep"
    GRAPH = "graph"


def choose(view: View, qualifying: int, k: int, *, exact: bool) -> Plan:
    """The cheapest plan for that many qualifying rows."""
    share = qualifying / max(view.length, 1)
    if view.graphs and not exact and share >= GRAPH_SHARE and k <= qualifying // 10:
        return Plan.GRAPH
    return Plan.GATHER if share <= GATHER_SHARE else Plan.SWEEP
