"""How a search is carried out: which rows are looked at, and how.

Five plans, chosen by what they are expected to cost:

- *gather*: few rows qualify; their vectors are gathered and measured, exactly;
- *pick*: not many rows qualify; their sketches are gathered, and it goes on as after a scan;
- *scan*: the sketches of all rows are swept, and the rows that seem nearest are measured. Asked to be
  exact, it measures every row that the sketches can't rule out;
- *sweep*: every vector is measured, exactly: what there is before sketches are made, and without numkong;
- *graph*: the HNSW graphs are asked for more than k, dead and unqualified rows are dropped, and the rows no graph
  covers are measured exactly. When fewer than k are left, another plan answers: a filter never costs results.

The costs are nanoseconds, measured by ``benchmarks/plans.py`` on two cores of an AMD EPYC 9004 (AVX-512 with VNNI);
only how they compare decides, and that holds within a factor of two on other machines.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from chroma_plugin import compiled
from chroma_plugin.frozen import frozen
from chroma_plugin.toolkit import sketch
from chroma_plugin.toolkit.table import View

_GATHER_BYTE: Final = 0.16
"""A byte of a vector that is fetched from its place and measured: 0.25 us a row at 384 dimensions."""
_SWEEP_BYTE: Final = 0.045
"""A byte of the vectors one after the other: 3.4 ms for 50k x 384."""
_SCAN_BYTE: Final = 0.018
"""A byte of the sketches, as long as they fit into the cache: 0.17 ms for 50k x 192."""
_SCAN_BYTE_BEYOND: Final = 0.06
"""The same when they come from memory."""
_CACHE: Final = 24 << 20
TOGETHER: Final = 16
"""Queries from which a byte is read once for many: then it costs what computing with it does."""
_GATHER_BYTE_TOGETHER: Final = 0.02
_SWEEP_BYTE_TOGETHER: Final = 0.01
_SCAN_BYTE_TOGETHER: Final = 0.009
_PICK: Final = 140_000.0
"""What it costs by itself to fetch sketches, and to go on from what seems near: some 600 vectors are measured in that
time."""
_PICK_BYTE: Final = 0.09
"""A byte of a sketch that is fetched from its place."""
_PICK_BYTE_BEYOND: Final = 0.25
"""The same when it comes from memory."""
_FIND_ROW: Final = 0.25
"""A row's share in finding those that qualify."""
_SELECT_ROW: Final = 1.2
"""A row's share in choosing the candidates, and in leaving out what does not qualify."""
_GRAPH_HOP: Final = 1_000.0 if compiled.IS_THERE else 2_000.0
"""A candidate of a graph: of ef = 100 a search takes some 0.1 ms, and 0.2 by hnswlib."""
_CALL: Final = 15_000.0
"""What a plan costs by itself."""

_KEPT: Final = 1_000
"""Choices that a view keeps."""

SKETCH_FROM: Final = 2_048
"""Rows from which sketches are worth having: a sweep of 2k x 384 takes 0.1 ms."""
SKETCH_TAIL: Final = 1_024
"""Rows without a sketch that are worth one once there is one."""


def graph_from() -> int:
    """Rows from which a graph is worth having: it answers in 0.2 ms, which is what a scan of 30k sketches takes; a
    sweep of 10k vectors takes 0.5 ms.
    """
    return 30_000 if sketch.available() else 10_000


TAIL_FROM: Final = 4_096
"""Loose rows that are worth a graph of their own once there is one: a sweep of 4k x 384 takes 0.2 ms."""
FILTERED_EF: Final = 160
"""Candidates that qualify, at least: a filter may take away just what is near."""
GRAPH_SHARE: Final = 0.2
"""Of a graph's answers at least so many must qualify; below, too few would be left too often."""

GRAPH_FOUND: Final = 0.9
"""What a graph finds of its own points' neighbours, at least, or a scan answers: 0.99 among docstrings, and 0.3 to 0.6
among random numbers, which have no neighbourhoods that links could follow."""


def seeming(k: int) -> int:
    """How many of the rows that seem nearest are measured first, to see how far the others have to be looked at."""
    return 2 * k + 16


class Plan(Enum):
    GATHER = "gather"
    PICK = "pick"
    SCAN = "scan"
    SWEEP = "sweep"
    GRAPH = "graph"


@frozen(eq=False)
class Task:
    """What is known of a search before it begins."""

    view: View
    qualifying: int
    """How many rows do."""
    k: int
    ef: int
    """How many candidates a graph keeps."""
    exact: bool
    queries: int
    """How many are asked in one call."""

    def costs(self) -> dict[Plan, float]:
        """Nanoseconds for one query, of each plan that is possible; cheapest plan first."""
        costs = {Plan.GATHER: self._gather(self.qualifying), Plan.SWEEP: self._sweep(self.view.length)}
        if self.view.sketches:
            costs[Plan.SCAN] = self._scan()
            costs[Plan.PICK] = self._pick()
        if self._may_ask_graphs():
            costs[Plan.GRAPH] = self._graph()
        return dict(sorted(costs.items(), key=lambda item: item[1]))

    def plan(self) -> Plan:
        """The cheapest; chosen once for searches that are alike."""
        asked = (self.qualifying, self.k, self.ef, self.exact, self._together)
        plan: Plan | None = self.view.plans.get(asked)
        if plan is None:
            plan = next(iter(self.costs()))
            if len(self.view.plans) < _KEPT:
                self.view.plans[asked] = plan
        return plan

    def told(self) -> dict[str, Any]:
        """The choice, for people."""
        costs = self.costs()
        plan = next(iter(costs))
        expected = {Plan.GATHER: self.qualifying, Plan.SWEEP: self.view.length}.get(plan, seeming(self.k))
        return {
            "plan": plan.value,
            "expected_milliseconds": {each.value: round(cost / 1e6, 4) for each, cost in costs.items()},
            "rows": self.view.length,
            "matching": self.qualifying,
            "expected_to_measure": expected,
        }

    @property
    def _together(self) -> bool:
        return self.queries >= TOGETHER

    @property
    def _sketch_bytes(self) -> int:
        return sum(sketch.swept for sketch in self.view.sketches)

    def _gather(self, rows: int) -> float:
        byte = _GATHER_BYTE_TOGETHER if self._together else _GATHER_BYTE
        return _CALL + rows * self.view.table.dimension * 4 * byte

    def _sweep(self, rows: int) -> float:
        byte = _SWEEP_BYTE_TOGETHER if self._together else _SWEEP_BYTE
        return _CALL + rows * (self.view.table.dimension * 4 * byte + _SELECT_ROW)

    def _scan(self) -> float:
        size, loose = self._sketch_bytes, self.view.length - self.view.sketched
        byte = _SCAN_BYTE if size <= _CACHE else _SCAN_BYTE_BEYOND
        swept = size * (_SCAN_BYTE_TOGETHER if self._together else byte) + self._sweep(loose)
        return _CALL + swept + self.view.length * _SELECT_ROW + self._gather(seeming(self.k))

    def _pick(self) -> float:
        """Nothing that is done once for many queries counts there."""
        view, rows = self.view, self.qualifying
        loose = rows * (view.length - view.sketched) / view.length
        size = (rows - loose) * view.sketches[0].projection.kept
        byte = _PICK_BYTE if self._sketch_bytes <= _CACHE else _PICK_BYTE_BEYOND
        fetched = size * (_SCAN_BYTE_TOGETHER if self._together else byte) + self._gather(int(loose))
        return _PICK + fetched + view.length * _FIND_ROW + rows * _SELECT_ROW

    def _graph(self) -> float:
        graphs = self.view.graphs
        loose = self._sweep(self.view.length - self.view.covered)
        return _CALL * len(graphs) + self.wanted() * (_GRAPH_HOP * len(graphs)) + loose

    def _may_ask_graphs(self) -> bool:
        enough = self.qualifying >= GRAPH_SHARE * self.view.length and self.k <= self.qualifying // 10
        graphs = self.view.graphs
        good = not self.view.sketches or all(graph.found >= GRAPH_FOUND for graph in graphs)
        return bool(graphs) and not self.exact and enough and good

    def wanted(self) -> int:
        """How many a graph is asked for: of its labels only some are alive and qualify."""
        ef = self.ef if self.qualifying == self.view.count else max(self.ef, FILTERED_EF)
        return max(self.k, int(ef * max(1.0, self.view.labels / max(self.qualifying, 1))))
